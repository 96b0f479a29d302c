/*
 * No descriptors left, and one more with each check until they suffice: PSC_ERR_SYSTEM, a complete result, and the
 * next check works again.
 * No thread: PSC_ERR_SYSTEM, and the handle is as it was, also in a child of a fork.
 *
 *   system CONFIG         a configuration whose check finds an update, by a URL that needs no name look-up
 */
#include "harness.h"

#include <fcntl.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int no_threads;

/* In place of the system's. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    CHECK(symbol != NULL);
    memcpy(&real, &symbol, sizeof real);
    return no_threads ? EAGAIN : real(thread, attributes, body, argument);
}

static void start_without_threads(psc_checker *checker)
{
    int status;
    pid_t child;
    no_threads = 1;
    CHECK_CODE(PSC_ERR_SYSTEM, psc_start(checker));
    no_threads = 0;
    child = fork();
    CHECK(child != -1);
    if (child == 0) {
        CHECK_CODE(PSC_OK, psc_start(checker));
        CHECK_CODE(PSC_OK, psc_stop(checker));
        psc_free(checker);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_CODE(PSC_OK, psc_start(checker));
    CHECK_CODE(PSC_OK, psc_stop(checker));
}

int main(int argc, char **argv)
{
    static struct records records;
    struct rlimit limit, none;
    psc_checker *checker = psc_init(keep_record, &records);
    int next, left, code;

    CHECK(argc == 2);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));

    next = dup(0);
    CHECK(next > 0);
    close(next);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    for (left = 0, code = PSC_ERR_SYSTEM; code != PSC_UPDATE_AVAILABLE; left++) {
        psc_result *result = NULL;
        CHECK(left < 32);
        none.rlim_cur = (rlim_t) (next + left);
        CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
        code = psc_run_once(checker, &result);
        CHECK_CODE(code, psc_result_code(result));
        CHECK(psc_result_next_check(result) > 0);
        if (code != PSC_UPDATE_AVAILABLE) {
            CHECK_CODE(PSC_ERR_SYSTEM, code);
            CHECK(logged(&records, "Security update check failed: no descriptor") == left + 1);
        }
        psc_result_free(result);
    }
    CHECK(logged(&records, "no descriptors:") >= 1); /* to be cancelled through */
    CHECK(logged(&records, "no descriptor for a socket:") >= 1);

    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));
    start_without_threads(checker);
    psc_free(checker);
    forget_records(&records);
    return 0;
}
