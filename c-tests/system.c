/*
 * No descriptor left for a socket: PSC_ERR_SYSTEM, a complete result, and the next check works again.
 *
 *   system CONFIG         a configuration whose check finds an update
 */
#include "harness.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static struct records records;
    struct rlimit limit, none;
    psc_result *result = NULL;
    psc_checker *checker = psc_init(keep_record, &records);
    int next;

    CHECK(argc == 2);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));

    next = dup(0);
    CHECK(next > 0);
    close(next);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    none.rlim_cur = (rlim_t) next;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);

    CHECK_CODE(PSC_ERR_SYSTEM, psc_run_once(checker, &result));
    CHECK_CODE(PSC_ERR_SYSTEM, psc_result_code(result));
    CHECK(psc_result_next_check(result) > 0);
    CHECK(logged(&records, "Security update check failed:") == 1);
    CHECK(logged(&records, "descriptor") == 1);
    psc_result_free(result);

    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));
    psc_free(checker);
    forget_records(&records);
    return 0;
}
