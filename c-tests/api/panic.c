/*
 * A bug in psc stays in psc: with a library built to panic on demand (cargo feature test-panic) the host gets
 * PSC_ERR_INTERNAL and the panic's text, and its handle still works.
 *
 *   panic CONFIG          a configuration whose check finds an update
 */
#include "../harness.h"

int main(int argc, char **argv)
{
    static struct log log;
    psc_result *result = NULL;
    psc_checker *checker = psc_init(log_keep, &log);

    CHECK(argc == 2);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"program_name\":\"psc-test-panic\"}"));
    CHECK_CODE(PSC_ERR_INTERNAL, psc_run_once(checker, &result));
    CHECK(strstr(psc_last_error(checker), "asked for by a test") != NULL); /* what panic! was given */
    psc_result_free(result);

    CHECK_CODE(PSC_ERR_INTERNAL, psc_run_once(checker, NULL)); /* not PSC_ERR_STATE: the check has ended */
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"program_name\":null}"));
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));
    psc_free(checker);
    log_clear(&log);
    return 0;
}
