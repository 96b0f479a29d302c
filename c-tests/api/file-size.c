/*
 * A limit on the size of files: what psc cannot write it keeps in memory, and the host lives. Both when psc_run_once
 * writes and when the thread does.
 *
 *   file-size CONFIG      a configuration with a state_dir, whose check finds an update
 */
#include "../harness.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

static void limit_file_size(void)
{
    struct rlimit limit = { 16, 16 };
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static int is_pending(int number)
{
    sigset_t pending;
    CHECK(sigpending(&pending) == 0);
    return sigismember(&pending, number);
}

/* Until the thread's check has been reported. */
static void wait_for_result(psc_checker *checker)
{
    const struct timespec pause = { 0, 5000000 };
    int looks = 4000, found = 0;
    while (!found) {
        found = json_has(checker, psc_status, "6.0.18");
        CHECK(looks-- > 0);
        nanosleep(&pause, NULL);
    }
}

int main(int argc, char **argv)
{
    static struct log log;
    sigset_t before, after;
    psc_checker *checker = psc_init(log_keep, &log);

    CHECK(argc == 2);
    limit_file_size();
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK(sigprocmask(SIG_SETMASK, NULL, &before) == 0);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));
    CHECK(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(log_matches(&log, "the schedule is kept in memory") == 1);
    CHECK(!is_pending(SIGXFSZ) && !is_pending(SIGPIPE));
    CHECK(sigismember(&before, SIGXFSZ) == 0 && sigismember(&after, SIGXFSZ) == 0);
    CHECK(sigismember(&after, SIGPIPE) == 0);
    psc_free(checker);

    checker = psc_init(log_keep, &log);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\": 0, \"start_jitter\": 0}"));
    CHECK_CODE(PSC_OK, psc_start(checker));
    wait_for_result(checker);
    psc_free(checker);
    CHECK(log_matches(&log, "the schedule is kept in memory") == 2);
    log_clear(&log);
    return 0;
}
