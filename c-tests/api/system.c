/*
 * Descriptors run out, at each point of a check in turn: PSC_ERR_SYSTEM, a complete result, and the check works again
 * once there are enough. No limit makes it look like a fault of the network.
 * No thread: PSC_ERR_SYSTEM, and the handle is as it was, also in a child of a fork.
 *
 *   system CODE CONFIG    what a check comes to when there are enough descriptors
 */
#include "../harness.h"

#include <fcntl.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_NEEDED 64

/* The lowest free descriptor. */
static int next_descriptor(void)
{
    int next = dup(0);
    CHECK(next > 0);
    close(next);
    return next;
}

/* One check with so many descriptors left; what it comes to. */
static int check_with(psc_checker *checker, int left)
{
    struct rlimit limit, less;
    psc_result *result = NULL;
    int code;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    less = limit;
    less.rlim_cur = (rlim_t) (next_descriptor() + left);
    CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0);
    code = psc_run_once(checker, &result);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_CODE(code, psc_result_code(result));
    CHECK(psc_result_next_check(result) > 0);
    psc_result_free(result);
    return code;
}

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
    static struct log log;
    psc_checker *checker = psc_init(log_keep, &log);
    int left = 0, code;

    CHECK(argc == 3);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[2]));
    while ((code = check_with(checker, left)) != atoi(argv[1])) {
        const struct log_line *last = &log.lines[log.count - 1];
        if (code != PSC_ERR_SYSTEM)
            fprintf(stderr, "with %d descriptors: %s\n", left, last->message);
        CHECK_CODE(PSC_ERR_SYSTEM, code);
        CHECK(log_matches(&log, "Security update check failed:") == 1);
        CHECK(strstr(last->message, "descriptor") != NULL || strstr(last->message, "open files") != NULL);
        log_clear(&log);
        CHECK(left++ < MOST_NEEDED);
    }
    CHECK(left > 0);
    start_without_threads(checker);
    psc_free(checker);
    log_clear(&log);
    return 0;
}
