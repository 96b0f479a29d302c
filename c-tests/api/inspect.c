/*
 * Prints the effective configuration, as psc_inspect_config gives it.
 *
 *   inspect CONFIG
 */
#include "../harness.h"

int main(int argc, char **argv)
{
    static struct log log;
    char *json = NULL;
    psc_checker *checker = psc_init(log_keep, &log);
    CHECK(argc == 2);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &json));
    puts(json);
    psc_string_free(json);
    psc_free(checker);
    return 0;
}
