/*
 * Host event "graceful stop": psc_request_stop in the signal handler, when the drain begins; psc_stop when the process is
 * about to leave. The check in flight, on a server that never answers, is cancelled; nothing is logged afterwards.
 *
 *   graceful CONFIG
 */
#include "common.h"

static psc_checker *checker;
static volatile sig_atomic_t leaving;

static void on_terminate(int signal_number)
{
    (void) signal_number;
    psc_request_stop(checker);
    leaving = 1;
}

int main(int argc, char **argv)
{
    static struct log journal;
    struct sigaction action = { .sa_handler = on_terminate };
    sigset_t blocked, open_mask;
    int port;
    CHECK(argc == 2);
    log_init(&journal);
    int listener = silent_listener(16, &port);
    checker = checker_new(log_keep, &journal, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\"}", port));

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, &open_mask) == 0);
    CHECK(sigaction(SIGTERM, &action, NULL) == 0);
    CHECK_CODE(PSC_OK, start_schedule(checker));
    int accepted = accept(listener, NULL, NULL); /* the check is in its TLS handshake */
    CHECK(accepted != -1);

    CHECK(kill(getpid(), SIGTERM) == 0);
    long long start = now_ms();
    while (!leaving) sigsuspend(&open_mask);
    WAIT_UNTIL(psc_threads() == 0); /* the request alone ends the thread, while the host drains */
    CHECK(now_ms() - start < bound_ms());
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(now_ms() - start < bound_ms());
    CHECK_SOON(count_threads() == 1);

    /* It can be started again, as a host does that stays after all. */
    CHECK_CODE(PSC_OK, start_schedule(checker));
    CHECK_SOON(psc_threads() == 1);
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
    int count = log_count(&journal);
    sleep_ms(100);
    CHECK(log_count(&journal) == count);
    CHECK(log_find(&journal, 0, "Security update check failed") == -1); /* a wish of the host is no failure */
    close(accepted);
    close(listener);
    return 0;
}
