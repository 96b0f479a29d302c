/*
 * Host event "daemonize": configured in the foreground, where files are readable and errors are seen; started in the
 * daemon, because no thread survives a fork.
 *
 *   daemonize CONFIG
 */
#include "common.h"

static void serve(psc_checker *checker, struct log *journal, int report)
{
    CHECK_SOON(count_threads() == 1);
    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(journal, 0, "no update found");
    CHECK_SOON(psc_threads() == 1);
    CHECK_CODE(PSC_OK, psc_stop(checker));
    CHECK_SOON(count_threads() == 1);
    psc_free(checker);
    CHECK(write(report, "k", 1) == 1);
}

int main(int argc, char **argv)
{
    static struct log journal;
    int report[2];
    char answer = 0;
    CHECK(argc == 2);
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
    CHECK(pipe(report) == 0);

    pid_t first = fork();
    CHECK(first != -1);
    if (first == 0) {
        CHECK(setsid() != -1);
        pid_t daemon = fork();
        CHECK(daemon != -1);
        if (daemon != 0) _exit(0);
        int null = open("/dev/null", O_RDWR);
        CHECK(chdir("/") == 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1);
        close(null);
        close(report[0]);
        serve(checker, &journal, report[1]);
        _exit(0);
    }
    close(report[1]);
    CHECK(wait_for(first) == 0);
    psc_free(checker); /* the foreground process never started it */
    CHECK(read(report[0], &answer, 1) == 1 && answer == 'k'); /* end of file: the daemon failed */
    return 0;
}
