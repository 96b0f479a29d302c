/*
 * Stopping while the state directory is slow (preload-rename.c): psc_stop gives up in time and says why, nothing is logged
 * any more, and a later psc_stop ends what was left.
 *
 *   slow-state CONFIG STATE_DIR
 */
#include "common.h"

int main(int argc, char **argv)
{
    static struct log journal;
    const char *mark = getenv("RENAME_MARK");
    CHECK(argc == 3 && mark != NULL);
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", argv[2]));
    CHECK_CODE(PSC_OK, psc_start(checker));
    WAIT_UNTIL(access(mark, F_OK) == 0);
    long long start = now_ms();
    CHECK_CODE(PSC_ERR_TIMEOUT, psc_stop(checker));
    CHECK(now_ms() - start < bound_ms());
    CHECK(strstr(psc_last_error(checker), "state_dir") != NULL);
    int count = log_count(&journal);
    WAIT_UNTIL(psc_stop(checker) == PSC_OK);
    CHECK(log_count(&journal) == count);
    CHECK_SOON(count_threads() == 1);
    psc_free(checker);
    return 0;
}
