/*
 * Threads: handles are independent of each other; on one handle, calls may come from anywhere, only
 * one check runs at a time, and its log callback is never entered twice at once.
 *
 *   threads CONFIG        a configuration whose check finds an update
 */
#include "../harness.h"

#include <pthread.h>
#include <stdatomic.h>

#define OWN_HANDLES 8
#define SHARED_USERS 6

static const char *config;

struct shared {
    psc_checker *checker;
    pthread_barrier_t start;
    atomic_int inside;
    atomic_int messages;
    atomic_int verdicts;
    atomic_int refused;
};

static void *check_own_handle(void *unused)
{
    struct log *log = calloc(1, sizeof *log);
    psc_result *result = NULL;
    psc_checker *checker;
    (void) unused;

    CHECK(log != NULL);
    checker = psc_init(log_keep, log);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, &result));
    psc_free(checker);
    CHECK(log_matches(log, "security update is available") == 1);
    psc_result_free(result);
    log_clear(log);
    free(log);
    return NULL;
}

static void count_message(void *user_data, int level, const char *message)
{
    struct shared *shared = user_data;
    (void) level;
    (void) message;
    CHECK(atomic_fetch_add(&shared->inside, 1) == 0);
    atomic_fetch_add(&shared->messages, 1);
    CHECK(atomic_fetch_sub(&shared->inside, 1) == 1);
}

static void *check_shared_handle(void *user_data)
{
    struct shared *shared = user_data;
    psc_result *result = (psc_result *) shared;
    char *json = NULL;
    int code;

    pthread_barrier_wait(&shared->start);
    CHECK_CODE(PSC_OK, psc_inspect_config(shared->checker, &json));
    psc_string_free(json);
    code = psc_run_once(shared->checker, &result);
    if (code == PSC_ERR_STATE) {
        CHECK(result == NULL);
        CHECK(psc_last_error(shared->checker)[0] != 0);
        atomic_fetch_add(&shared->refused, 1);
    } else {
        CHECK_CODE(PSC_UPDATE_AVAILABLE, code);
        CHECK_CODE(code, psc_result_code(result));
        atomic_fetch_add(&shared->verdicts, 1);
    }
    CHECK_CODE(PSC_OK, psc_configure(shared->checker, "{\"log_level\":3}"));
    psc_result_free(result);
    return NULL;
}

/* The error text belongs to the thread that made the call. */
static void *fail_on_shared_handle(void *user_data)
{
    struct shared *shared = user_data;
    int i;
    for (i = 0; i < 200; i++) {
        CHECK_CODE(PSC_ERR_CONFIG, psc_configure(shared->checker, "{\"interval\":1}"));
        CHECK(strstr(psc_last_error(shared->checker), "interval") != NULL);
    }
    return NULL;
}

static void *fail_otherwise(void *user_data)
{
    struct shared *shared = user_data;
    int i;
    for (i = 0; i < 200; i++) {
        CHECK_CODE(PSC_ERR_CONFIG, psc_configure(shared->checker, "{\"timeout\":0}"));
        CHECK(strstr(psc_last_error(shared->checker), "timeout") != NULL);
        CHECK(strstr(psc_last_error(shared->checker), "interval") == NULL);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    CHECK(pthread_create(thread, NULL, body, argument) == 0);
}

static void join(pthread_t *threads, int count)
{
    int i;
    for (i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void test_own_handles(void)
{
    pthread_t threads[OWN_HANDLES];
    int i;
    for (i = 0; i < OWN_HANDLES; i++)
        start(&threads[i], check_own_handle, NULL);
    join(threads, OWN_HANDLES);
}

static void test_shared_handle(void)
{
    static struct shared shared;
    pthread_t threads[SHARED_USERS];
    int i;

    CHECK(pthread_barrier_init(&shared.start, NULL, SHARED_USERS) == 0);
    shared.checker = psc_init(count_message, &shared);
    CHECK_CODE(PSC_OK, psc_configure(shared.checker, config));
    for (i = 0; i < SHARED_USERS; i++)
        start(&threads[i], check_shared_handle, &shared);
    join(threads, SHARED_USERS);
    CHECK(shared.verdicts >= 1);
    CHECK(shared.verdicts + shared.refused == SHARED_USERS);
    CHECK(shared.messages >= shared.verdicts);

    start(&threads[0], fail_on_shared_handle, &shared);
    start(&threads[1], fail_otherwise, &shared);
    join(threads, 2);
    psc_free(shared.checker);
    pthread_barrier_destroy(&shared.start);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    config = argv[1];
    test_own_handles();
    test_shared_handle();
    return 0;
}
