/*
 * The schedule in a thread of the host's own, its results by callback, and what a host asks of it in an `if`.
 *
 *   run CONFIG SCENARIO [STATE_DIR]    codes, thread, early, signal, drain, free, late, fork (with STATE_DIR)
 */
#include "common.h"

#include <semaphore.h>

static struct log journal;
static psc_checker *checker;

struct results {
    atomic_int count, code, after_line; /* of the last one */
    atomic_int thread_id;
    atomic_llong next_check, age;
};

static struct results results;

static void keep_result(void *user_data, const psc_result *result)
{
    struct results *kept = user_data;
    char *json = NULL;
    CHECK(kept == &results && result != NULL);
    CHECK(atomic_fetch_add(&journal.inside, 1) == 0); /* the two callbacks count as one */
    CHECK_CODE(PSC_OK, psc_result_json(result, &json));
    CHECK(strstr(json, psc_result_message(result)) != NULL);
    psc_string_free(json);
    CHECK(psc_result_http_status(result) == (psc_result_code(result) >= 0 ? 200 : 0));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_start(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_stop(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run_once(checker, NULL));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_log_drain(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_on_result(checker, NULL, NULL));
    CHECK(psc_last_check_age(checker) >= 0);
    atomic_store(&kept->after_line, log_find(&journal, 0, psc_result_message(result)) != -1);
    atomic_store(&kept->code, psc_result_code(result));
    atomic_store(&kept->age, psc_result_age(result));
    atomic_store(&kept->next_check, psc_result_next_check(result));
    atomic_store(&kept->thread_id, gettid());
    atomic_fetch_sub(&journal.inside, 1);
    atomic_fetch_add(&kept->count, 1);
}

static void begin(const char *config)
{
    checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, psc_on_result(checker, keep_result, &results));
    atomic_store(&results.count, 0);
}

static void end_of(struct host_thread *thread, int code)
{
    WAIT_UNTIL(atomic_load(&thread->ended));
    CHECK_CODE(code, atomic_load(&thread->code));
    WAIT_UNTIL(count_threads() == 1);
}

static struct host_thread *running(void)
{
    struct host_thread *thread = host_thread_new(checker);
    WAIT_UNTIL(is_running(checker));
    return thread;
}

static void codes(const char *config)
{
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_run(NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_on_result(NULL, keep_result, &results));
    CHECK(psc_next_check(NULL) == -1 && psc_last_check_age(NULL) == -1);
    CHECK(psc_result_age(NULL) == 0);

    checker = psc_init(NULL, NULL);
    CHECK_CODE(PSC_ERR_STATE, psc_run(checker));
    CHECK(strstr(psc_last_error(checker), "server_identifier") != NULL);
    CHECK(psc_next_check(checker) == -1 && psc_last_check_age(checker) == -1);
    CHECK_CODE(PSC_OK, psc_on_result(checker, NULL, NULL));
    psc_free(checker);

    begin(config);
    CHECK(psc_next_check(checker) == -1 && psc_last_check_age(checker) == -1);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
    struct host_thread *thread = running();
    CHECK_CODE(PSC_ERR_STATE, psc_run(checker));
    CHECK_CODE(PSC_ERR_STATE, psc_start(checker));
    CHECK_CODE(PSC_ERR_STATE, psc_on_result(checker, keep_result, &results));
    CHECK(strstr(psc_last_error(checker), "already started") != NULL);
    WAIT_UNTIL(psc_next_check(checker) > 3500);
    CHECK(psc_next_check(checker) <= 3600 && psc_last_check_age(checker) == -1);
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        CHECK_CODE(PSC_ERR_FORKED, psc_run(checker));
        CHECK_CODE(PSC_ERR_FORKED, psc_on_result(checker, NULL, NULL));
        CHECK(psc_next_check(checker) == -1 && psc_last_check_age(checker) == -1);
        _exit(0);
    }
    CHECK(wait_for(child) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    end_of(thread, PSC_OK);

    CHECK_CODE(PSC_OK, psc_start(checker));
    CHECK_CODE(PSC_ERR_STATE, psc_run(checker));
    CHECK_CODE(PSC_ERR_STATE, psc_on_result(checker, NULL, NULL));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_CODE(PSC_OK, psc_on_result(checker, NULL, NULL));

    /* psc_run_once has its result itself. */
    CHECK_CODE(PSC_OK, psc_on_result(checker, keep_result, &results));
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    CHECK(atomic_load(&results.count) == 0);
    CHECK(psc_next_check(checker) > 12 * 3600 - 60);
    CHECK(psc_last_check_age(checker) >= 0 && psc_last_check_age(checker) <= (is_slow() ? 60 : 5));
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true}"));
    CHECK(psc_next_check(checker) == -1 && psc_last_check_age(checker) >= 0);
    psc_free(checker);
}

static void result_is_that_of_the_check(void)
{
    WAIT_UNTIL(atomic_load(&results.count) == 1);
    CHECK(atomic_load(&results.code) == PSC_OK && atomic_load(&results.age) == 0);
    CHECK(atomic_load(&results.after_line));
    long long next = psc_next_check(checker);
    CHECK(llabs(next - atomic_load(&results.next_check)) <= (is_slow() ? 60 : 5));
}

static void in_a_thread(const char *config)
{
    int id;
    begin(config);
    for (int round = 0; round < 3; round++) {
        struct host_thread *thread = host_thread_new(checker);
        if (round == 0) result_is_that_of_the_check();
        WAIT_UNTIL(is_running(checker));
        CHECK(threads_named("psc", &id, 1) == 1 && count_threads() == 2); /* the host's, which has called itself so */
        if (round == 0) CHECK(atomic_load(&results.thread_id) == id);
        long long start = now_ms();
        CHECK_CODE(PSC_OK, stop_fully(checker));
        CHECK(now_ms() - start < bound_ms());
        CHECK(!is_running(checker));
        end_of(thread, PSC_OK);
        CHECK_CODE(PSC_OK, stop_fully(checker)); /* idle: no wish that a later psc_run would heed */
    }
    CHECK(atomic_load(&results.count) == 1);
    struct host_thread *thread = running();
    psc_free(checker);
    end_of(thread, PSC_OK);
    CHECK(atomic_load(&results.count) == 1);
}

/* Nobody can tell when a thread is in psc_run; psc_request_stop and a join end it all the same. */
static void early(const char *config)
{
    begin(config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
    for (int round = 0; round < (is_slow() ? 5 : 100); round++) {
        struct host_thread *thread = host_thread_new(checker);
        psc_request_stop(checker);
        end_of(thread, PSC_OK);
    }
    psc_request_stop(checker);
    CHECK_CODE(PSC_OK, psc_run(checker));
    psc_request_stop(checker);
    CHECK_CODE(PSC_OK, psc_start(checker)); /* whose stops are those that come */
    CHECK(is_running(checker));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_request_stop(checker);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    end_of((psc_request_stop(checker), host_thread_new(checker)), PSC_OK);
    struct host_thread *thread = running();
    psc_free(checker);
    end_of(thread, PSC_OK);
}

static atomic_int handled;

static void on_signal(int number)
{
    atomic_fetch_add(&handled, 1);
    if (number == SIGTERM) psc_request_stop(checker);
}

static void *send_signals(void *main_thread)
{
    pthread_t target = *(pthread_t *) main_thread;
    WAIT_UNTIL(atomic_load(&results.count) == 1 && psc_next_check(checker) > 0);
    for (int i = 1; i <= 3; i++) {
        CHECK(pthread_kill(target, SIGUSR1) == 0);
        WAIT_UNTIL(atomic_load(&handled) == i); /* while it sleeps, the host's handlers run */
    }
    CHECK(is_running(checker));
    CHECK(pthread_kill(target, SIGPIPE) == 0);
    WAIT_UNTIL(atomic_load(&handled) == 4);
    CHECK(pthread_kill(target, SIGTERM) == 0);
    return NULL;
}

static void by_a_signal(const char *config)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t before, after;
    pthread_t thread, self = pthread_self();
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    begin(config);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGTERM, &action, NULL) == 0);
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    CHECK(pthread_create(&thread, NULL, send_signals, &self) == 0);
    CHECK_CODE(PSC_OK, psc_run(checker));
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    psc_free(checker);
}

/* Results wait with the lines, and are there without a log callback. */
static void drain(const char *config)
{
    for (int with_log = 0; with_log < 2; with_log++) {
        begin(config);
        if (!with_log) { /* first: no line is kept yet */
            psc_free(checker);
            checker = checker_new(NULL, NULL, config);
            CHECK_CODE(PSC_OK, psc_on_result(checker, keep_result, &results));
        }
        struct pollfd readable = { .fd = psc_log_fd(checker), .events = POLLIN };
        struct host_thread *thread = host_thread_new(checker);
        WAIT_UNTIL(psc_next_check(checker) > 12 * 3600 - 60);
        CHECK(poll(&readable, 1, PATIENCE_MS) == 1);
        CHECK_CODE(PSC_OK, stop_fully(checker));
        end_of(thread, PSC_OK);
        CHECK(atomic_load(&results.count) == 0);
        CHECK_CODE(PSC_OK, psc_log_drain(checker));
        CHECK(atomic_load(&results.count) == 1 && atomic_load(&results.thread_id) == gettid());
        CHECK(atomic_load(&results.after_line) == with_log);
        CHECK(poll(&readable, 1, 0) == 0);
        psc_free(checker);
    }
    /* One that waits goes to nobody when there is nobody any more. */
    begin(config);
    CHECK(psc_log_fd(checker) >= 0);
    struct host_thread *thread = host_thread_new(checker);
    WAIT_UNTIL(psc_next_check(checker) > 12 * 3600 - 60);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    end_of(thread, PSC_OK);
    CHECK_CODE(PSC_OK, psc_on_result(checker, NULL, NULL));
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(atomic_load(&results.count) == 0);
    psc_free(checker);
}

static void free_now(void *user_data, const psc_result *result)
{
    CHECK(user_data == &results);
    CHECK(atomic_fetch_add(&results.count, 1) == 0);
    psc_free(checker);
    CHECK(strlen(psc_result_message(result)) > 0); /* the result is there until the callback returns */
}

static void free_inside(const char *config)
{
    for (int own_thread = 0; own_thread < 2; own_thread++) {
        begin(config);
        CHECK_CODE(PSC_OK, psc_on_result(checker, free_now, &results));
        if (own_thread) {
            CHECK_CODE(PSC_OK, psc_start(checker));
        } else {
            CHECK_CODE(PSC_OK, psc_run(checker));
        }
        WAIT_UNTIL(atomic_load(&results.count) == 1);
        WAIT_UNTIL(count_threads() == 1);
    }
}

static sem_t may_return;

static void block(void *user_data, const psc_result *result)
{
    (void) user_data, (void) result;
    atomic_fetch_add(&results.count, 1);
    while (sem_wait(&may_return) == -1) {
    }
}

/* A result callback that does not return. */
static void late(const char *config)
{
    CHECK(sem_init(&may_return, 0, 0) == 0);
    begin(config);
    CHECK_CODE(PSC_OK, psc_on_result(checker, block, NULL));
    struct host_thread *thread = host_thread_new(checker);
    WAIT_UNTIL(atomic_load(&results.count) == 1);
    long long start = now_ms();
    CHECK_CODE(PSC_ERR_TIMEOUT, psc_stop(checker));
    CHECK(now_ms() - start < bound_ms() + 100);
    CHECK_CODE(PSC_ERR_STATE, psc_on_result(checker, NULL, NULL));
    CHECK_CODE(PSC_ERR_STATE, psc_run(checker));
    CHECK(!atomic_load(&thread->ended));
    CHECK(sem_post(&may_return) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    end_of(thread, PSC_OK);
    CHECK_CODE(PSC_OK, psc_on_result(checker, keep_result, &results));
    psc_free(checker);
}

static pid_t parent;

static void fork_inside(void *user_data, const psc_result *result)
{
    (void) user_data, (void) result;
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        alarm(is_slow() ? 120 : 20);
        return;
    }
    CHECK(wait_for(child) == 0);
    atomic_fetch_add(&results.count, 1);
    CHECK(is_owner(checker));
    psc_request_stop(checker);
}

static int another_can_own(const char *config, const char *state_dir)
{
    psc_checker *other = checker_new(NULL, NULL, config);
    CHECK_CODE(PSC_OK, configure_format(other, "{\"state_dir\":\"%s\"}", state_dir));
    CHECK_CODE(PSC_OK, psc_start(other));
    sleep_ms(is_slow() ? 2000 : 300);
    int owns = is_owner(other);
    psc_free(other);
    return owns;
}

static const char *fork_config, *fork_state_dir;

static void fork_and_look(void *user_data, const psc_result *result)
{
    fork_inside(user_data, result);
    if (getpid() == parent) CHECK(!another_can_own(fork_config, fork_state_dir)); /* the child that has left took no lock along */
}

/* The child leaves psc_run with PSC_ERR_FORKED; what psc holds stays the parent's. */
static void fork_in_callback(const char *config, const char *state_dir)
{
    parent = getpid();
    fork_config = config;
    fork_state_dir = state_dir;
    begin(config);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", state_dir));
    CHECK_CODE(PSC_OK, psc_on_result(checker, fork_and_look, NULL));
    int code = psc_run(checker);
    if (getpid() != parent) {
        CHECK_CODE(PSC_ERR_FORKED, code);
        CHECK(strstr(psc_last_error(checker), "fork") != NULL);
        psc_free(checker);
        _exit(0);
    }
    CHECK_CODE(PSC_OK, code);
    CHECK(atomic_load(&results.count) == 1);
    psc_free(checker);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 || argc == 4);
    const char *config = argv[1], *scenario = argv[2];
    log_init(&journal);
    if (strcmp(scenario, "codes") == 0) codes(config);
    else if (strcmp(scenario, "thread") == 0) in_a_thread(config);
    else if (strcmp(scenario, "early") == 0) early(config);
    else if (strcmp(scenario, "signal") == 0) by_a_signal(config);
    else if (strcmp(scenario, "drain") == 0) drain(config);
    else if (strcmp(scenario, "free") == 0) free_inside(config);
    else if (strcmp(scenario, "late") == 0) late(config);
    else if (strcmp(scenario, "fork") == 0 && argc == 4) fork_in_callback(config, argv[3]);
    else return 2;
    CHECK_SOON(count_threads() == 1);
    return 0;
}
