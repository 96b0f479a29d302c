/*
 * Host event "exit": the process leaves, with psc's thread in the middle of a check.
 *
 *   exit CONFIG free       psc_free, then exit: the proper way
 *   exit CONFIG atexit     psc_free in an atexit handler that was registered after psc_configure
 *   exit CONFIG quick      _exit: nothing runs any more
 *   exit CONFIG waiting    nobody stopped psc, its thread waits for a server
 *   exit CONFIG callback   nobody stopped psc, its thread is inside the log callback
 *
 * Nobody stops psc and its thread uses OpenSSL: that is not tested, because OpenSSL's own clean-up at exit pulls away what
 * a running handshake needs. Hence the proper way.
 */
#include "common.h"

static psc_checker *checker;
static atomic_int in_callback;

static void free_checker(void)
{
    long long start = now_ms();
    psc_free(checker);
    CHECK(now_ms() - start < bound_ms());
    CHECK_SOON(count_threads() == 1);
}

/* The hello has come in full: the thread sleeps until the server answers. */
static void await_wait(int connection)
{
    char byte;
    CHECK(recv(connection, &byte, 1, 0) == 1);
    await_sleeping_thread();
}

static void hang(void *user_data, int level, const char *message)
{
    (void) user_data;
    (void) level;
    (void) message;
    atomic_store(&in_callback, 1);
    for (;;) pause();
}

int main(int argc, char **argv)
{
    static struct log journal;
    int port;
    CHECK(argc == 3);
    const char *how = argv[2];
    int hangs = strcmp(how, "callback") == 0;
    log_init(&journal);
    int listener = silent_listener(16, &port);
    checker = checker_new(hangs ? hang : log_keep, &journal, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\",\"log_level\":7}", port));
    if (strcmp(how, "atexit") == 0) CHECK(atexit(free_checker) == 0);
    CHECK_CODE(PSC_OK, psc_start(checker));
    if (hangs) {
        WAIT_UNTIL(atomic_load(&in_callback));
        exit(7);
    }
    int connection = accept(listener, NULL, NULL);
    CHECK(connection != -1);
    if (strcmp(how, "quick") == 0) _exit(7);
    if (strcmp(how, "free") == 0) free_checker();
    if (strcmp(how, "waiting") == 0) await_wait(connection);
    return 7;
}
