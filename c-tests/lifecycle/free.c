/*
 * psc_free while a callback of the handle is running: the callback may go on using the handle until it returns.
 *
 *   free CONFIG HOW    beside: another thread waits in psc_free meanwhile
 *                           late: it has given up waiting, and has returned
 *                           inside: the callback itself called psc_free, another thread is in a call
 *                           call: the callback of a psc_log_drain did, while psc's thread runs: nothing of psc's runs afterwards
 */
#include "common.h"

#include <semaphore.h>
#include <sys/syscall.h>

#define ROUNDS 20

/* Read in callbacks of a thread that main does not wait for. */
static psc_checker *_Atomic checker;
static sem_t entered, go_on;
static atomic_int frees_inside, calls, is_over;

static void use_everything(void)
{
    char *json = NULL;
    psc_result *result = NULL;
    const char *answer = "{\"data\":\"e30=\",\"signature\":\"AAAA\"}";
    CHECK_CODE(PSC_OK, psc_status(checker, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_preview_request(checker, &json));
    psc_string_free(json);
    CHECK(psc_verify(checker, answer, strlen(answer), "1474900881679434MDEyMzQ1Njc4OWFiY2RlZg==", &result) < 0);
    CHECK(psc_result_message(result) != NULL);
    CHECK(strlen(psc_last_error(checker)) > 0);
    psc_result_free(result);
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "{\"interval\":1}"));
    CHECK(strstr(psc_last_error(checker), "interval") != NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, AT_ONCE));
    CHECK(psc_log_fd(checker) >= 0);
    CHECK_CODE(PSC_ERR_REENTRANT, psc_log_drain(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run_once(checker, NULL));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_start(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run(checker));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_on_result(checker, NULL, NULL));
    CHECK(psc_next_check(checker) >= -1 && psc_last_check_age(checker) >= -1);
    CHECK_CODE(PSC_ERR_REENTRANT, psc_stop(checker));
    CHECK(strlen(psc_last_error(checker)) > 0);
    psc_request_stop(checker);
}

/* What any host does next with its heap. */
static void reuse_memory(void)
{
    for (size_t i = 0; i < 2000; i++) {
        void *memory = malloc(8 + i % 1024);
        CHECK(memory != NULL);
        memset(memory, 0x41, 8 + i % 1024);
        free(memory);
    }
}

static void callback(void *user_data, int level, const char *message)
{
    CHECK(user_data == &calls && level >= 0 && message != NULL);
    if (atomic_fetch_add(&calls, 1) > 0) return;
    CHECK(sem_post(&entered) == 0);
    while (sem_wait(&go_on) == -1) {
    }
    use_everything();
    if (atomic_load(&frees_inside)) psc_free(checker); /* another thread is in it: that one counts */
    use_everything();
    CHECK(strlen(message) > 0);
    atomic_store(&is_over, 1);
}

static atomic_int freeing; /* the thread that does */

static void *free_it(void *unused)
{
    atomic_store(&freeing, gettid());
    psc_free(checker);
    CHECK(sem_post(&entered) == 0);
    return unused;
}

/* It waits for the callback. */
static int is_asleep(int id)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", id);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    int found = fscanf(file, "%15s", text);
    fclose(file);
    return found == 1 && atoi(text) == SYS_futex && strcmp(text, "running") != 0;
}

static void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) == -1) {
    }
}

static void begin(const char *config, psc_log_fn function)
{
    atomic_store(&calls, 0);
    atomic_store(&is_over, 0);
    checker = checker_new(function, &calls, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":7}"));
}

static void beside(const char *config)
{
    for (int round = 0; round < (is_slow() ? 2 : ROUNDS); round++) {
        pthread_t thread;
        atomic_store(&frees_inside, round % 2);
        atomic_store(&freeing, 0);
        begin(config, callback);
        CHECK_CODE(PSC_OK, begin_schedule(checker));
        await(&entered);
        CHECK(pthread_create(&thread, NULL, free_it, NULL) == 0);
        WAIT_UNTIL(atomic_load(&freeing) != 0);
        if (round % 2 == 1) WAIT_UNTIL(is_asleep(atomic_load(&freeing)));
        CHECK(sem_post(&go_on) == 0);
        await(&entered);
        CHECK(atomic_load(&is_over)); /* it has waited */
        reuse_memory();
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_SOON(count_threads() == 1);
        CHECK(atomic_load(&calls) == 1);
    }
}

static void late(const char *config)
{
    atomic_store(&frees_inside, 1);
    begin(config, callback);
    CHECK_CODE(PSC_OK, begin_schedule(checker));
    await(&entered);
    psc_free(checker);
    CHECK(!atomic_load(&is_over));
    reuse_memory();
    CHECK(sem_post(&go_on) == 0);
    WAIT_UNTIL(atomic_load(&is_over));
    CHECK_SOON(count_threads() == 1);
    CHECK(atomic_load(&calls) == 1);
}

/* --- by the callback itself --------------------------------------------------------------------------------------- */

static atomic_int asks;

static void free_now(void *user_data, int level, const char *message)
{
    (void) level, (void) message;
    CHECK(user_data == &calls);
    CHECK(atomic_fetch_add(&calls, 1) == 0);
    WAIT_UNTIL(atomic_load(&asks) != 0);
    psc_free(checker);
    if (atomic_load(&asks) == -1) return;
    reuse_memory();
    use_everything(); /* not what a host should do; its memory is there, for the thread that it is called from */
}

/* A call that takes a while, because it reads keys and certificates. */
static void *ask(void *config)
{
    atomic_store(&asks, 1);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    return NULL;
}

static void inside(const char *config)
{
    for (int round = 0; round < (is_slow() ? 2 : ROUNDS); round++) {
        pthread_t thread;
        int descriptors = count_descriptors();
        atomic_store(&asks, 0);
        begin(config, free_now);
        CHECK_CODE(PSC_OK, begin_schedule(checker));
        CHECK(pthread_create(&thread, NULL, ask, (void *) (uintptr_t) config) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        WAIT_UNTIL(count_threads() == 1);
        WAIT_UNTIL(count_descriptors() <= descriptors || getenv("PSC_TEST_TSAN") != NULL);
        CHECK(atomic_load(&calls) == 1);
    }
}

static void call(const char *config)
{
    int left = 0, rounds = is_slow() ? 2 : ROUNDS;
    atomic_store(&asks, -1);
    for (int round = 0; round < rounds; round++) {
        begin(config, free_now);
        CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
        CHECK_CODE(PSC_OK, begin_schedule(checker));
        CHECK_SOON(psc_threads() == 1);
        CHECK(psc_log_fd(checker) >= 0);
        CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
        CHECK_CODE(PSC_OK, psc_log_drain(checker));
        left += psc_threads(); /* the kernel may show one that was joined a moment longer */
        CHECK_SOON(count_threads() == 1);
        CHECK(atomic_load(&calls) == 1);
    }
    CHECK(is_slow() || left < rounds / 2);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    CHECK(sem_init(&entered, 0, 0) == 0 && sem_init(&go_on, 0, 0) == 0);
    if (strcmp(argv[2], "beside") == 0) beside(argv[1]);
    else if (strcmp(argv[2], "late") == 0) late(argv[1]);
    else if (strcmp(argv[2], "inside") == 0) inside(argv[1]);
    else if (strcmp(argv[2], "call") == 0) call(argv[1]);
    else return 2;
    return 0;
}
