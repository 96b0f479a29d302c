/*
 * A busy worker has thousands of descriptors open, so that those of a check have numbers beyond what select(2) knows.
 *
 *   many-descriptors CODE CONFIG      a check gives CODE with 15,000 open
 */
#include "../harness.h"

#include <fcntl.h>
#include <sys/resource.h>

#define MANY 15000

int main(int argc, char **argv)
{
    struct rlimit limit;
    psc_checker *checker;
    int fd = -1;

    CHECK(argc == 3);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(limit.rlim_max > MANY + 100);
    limit.rlim_cur = MANY + 100;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (fd < MANY)
        CHECK((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    checker = psc_init(NULL, NULL);
    CHECK(checker != NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[2]));
    CHECK_CODE(atoi(argv[1]), psc_run_once(checker, NULL));
    psc_free(checker);
    return 0;
}
