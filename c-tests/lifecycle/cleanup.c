/*
 * The host, or a library of its, calls OPENSSL_cleanup while it still has psc.
 *
 *   cleanup CONFIG calls        before calls on a handle that is configured, and on new ones
 *   cleanup CONFIG free         before psc_free, and nothing else
 *   cleanup CONFIG idle         psc's thread waits until a check is due, and is stopped then
 *   cleanup CONFIG due          the same, and a check becomes due
 *   cleanup CONFIG handshake    psc's thread waits for the server, in a handshake; the server hangs up
 *   cleanup CONFIG answer       psc's thread waits for the answer of a server that gives none
 *   cleanup CONFIG exit         as "answer", but exit cleans up, psc_free follows in an older handler of atexit
 *
 * While psc's thread is inside OpenSSL itself nobody may call it (its manual says so): that is not tested.
 */
#include "common.h"

#define OVER "OpenSSL was cleaned up in this process"

static struct log journal;
static psc_checker *checker;

static void clean_up(void)
{
    void (*function)(void);
    void *found = dlsym(RTLD_DEFAULT, "OPENSSL_cleanup");
    CHECK(found != NULL);
    memcpy(&function, &found, sizeof function);
    function();
}

static void check_text(int (*function)(psc_checker *, char **))
{
    char *json = NULL;
    CHECK_CODE(PSC_OK, function(checker, &json));
    CHECK(json != NULL && json[0] == '{');
    psc_string_free(json);
}

static void check_fails(void)
{
    psc_result *result = NULL;
    CHECK_CODE(PSC_ERR_SYSTEM, psc_run_once(checker, &result));
    CHECK(strstr(psc_last_error(checker), OVER) != NULL);
    psc_result_free(result);
}

static void calls(const char *config)
{
    clean_up();
    check_fails();
    check_text(psc_status);
    check_text(psc_preview_request);
    check_text(psc_inspect_config);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    check_fails();
    psc_free(checker);
    /* Its files cannot be read any more, by no fault of theirs. */
    checker = checker_new(log_keep, &journal, config);
    EXPECT_LOG(&journal, 0, "each check will fail until this is cured");
    check_fails();
    check_text(psc_status);
}

static void stop(void)
{
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_SOON(psc_threads() == 0);
}

static void handshake(void)
{
    char byte;
    int port, listener = silent_listener(16, &port);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\"}", port));
    CHECK_CODE(PSC_OK, psc_start(checker));
    int connection = accept(listener, NULL, NULL);
    CHECK(connection != -1);
    CHECK(recv(connection, &byte, 1, 0) == 1);
    await_sleeping_thread();
    clean_up();
    close(connection);
    EXPECT_LOG(&journal, 0, OVER);
    stop();
}

static void free_checker(void)
{
    psc_free(checker);
}

/* The test writes a byte when the server has the request. */
static void await_request(void)
{
    char byte;
    CHECK(read(STDIN_FILENO, &byte, 1) == 1);
    await_sleeping_thread();
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    const char *how = argv[2];
    int exits = strcmp(how, "exit") == 0;
    /* Before psc has OpenSSL register its own: handlers run in the reverse order. */
    if (exits) CHECK(atexit(free_checker) == 0);
    log_init(&journal);
    checker = checker_new(log_keep, &journal, argv[1]);
    if (strcmp(how, "calls") == 0) {
        calls(argv[1]);
    } else if (strcmp(how, "free") == 0) {
        clean_up();
    } else if (strcmp(how, "idle") == 0) {
        CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
        CHECK_CODE(PSC_OK, psc_start(checker));
        await_sleeping_thread();
        clean_up();
        stop();
    } else if (strcmp(how, "due") == 0) {
        CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":2}"));
        CHECK_CODE(PSC_OK, psc_start(checker));
        clean_up();
        EXPECT_LOG(&journal, 0, OVER);
        stop();
    } else if (strcmp(how, "handshake") == 0) {
        handshake();
    } else {
        CHECK_CODE(PSC_OK, psc_start(checker));
        await_request();
        if (exits) return 7;
        clean_up();
        EXPECT_LOG(&journal, 0, OVER);
        stop();
    }
    psc_free(checker);
    return 7;
}
