/*
 * Calls the functions of psc.h in any order and from many threads, as their rules allow: in callbacks, beside signals and forks,
 * with handles that are freed inside and beside their callbacks. A finding is a crash, a hang, a code that a function does not
 * document, or what a sanitizer says.
 *
 *     abi-fuzz CONFIGURATIONS THREADS CALLS FORKS SEED
 *
 * CONFIGURATIONS: a file with a JSON text on each line. Prints "calls N forks N callbacks N results N seed N" at the end.
 */
#include "psc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 8
#define MOST_CONFIGURATIONS 64

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ /* as gcc has it */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HAS_ADDRESS_SANITIZER 1
#else
#define HAS_ADDRESS_SANITIZER 0
#endif
/* A child that takes longer hangs. */
#define CHILD_SECONDS 60

/* What a handle's callback gets; kept until the end, for a callback that outlives psc_free. */
struct handle {
    psc_checker *checker;
    struct slot *slot;
    struct handle *next;
};

struct slot {
    pthread_mutex_t lock;
    struct handle *handle;
    /* Threads that are in a call: psc_free is the last call, so there are none then. */
    int users;
};

static struct slot slots[SLOTS];
static _Atomic(struct handle *) handles;
static char *configurations[MOST_CONFIGURATIONS];
static unsigned configuration_count;
static atomic_long calls, forks, callbacks, results;
static long most_calls, most_forks;

static __thread unsigned long long state;
/* The handle of the call that this thread is in, for the signal handler; it lives as long as the call. */
static __thread psc_checker *volatile current;
static __thread int depth;
static __thread int is_child;

static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static void finding(const char *what, long value)
{
    fprintf(stderr, "finding: %s: %ld\n", what, value);
    abort();
}

/* A set of codes as bits: -16 to 2. */
#define BIT(code) (1u << ((code) + 16))
#define ANY_CALL (BIT(PSC_OK) | BIT(PSC_ERR_INVALID_ARGUMENT) | BIT(PSC_ERR_FORKED) | BIT(PSC_ERR_SYSTEM))
#define ANY_CHECK (ANY_CALL | BIT(PSC_UPDATE_AVAILABLE) | BIT(PSC_DISABLED) | BIT(PSC_ERR_STATE) | BIT(PSC_ERR_REENTRANT) | \
    BIT(PSC_ERR_CANCELLED) | BIT(PSC_ERR_FILE) | BIT(PSC_ERR_NETWORK) | BIT(PSC_ERR_TLS) | BIT(PSC_ERR_HTTP) | \
    BIT(PSC_ERR_RESPONSE) | BIT(PSC_ERR_SIGNATURE) | BIT(PSC_ERR_NONCE))

static int expect(const char *function, int code, unsigned allowed)
{
    if (code < -16 || code > 2 || !(allowed & BIT(code)))
        finding(function, code);
    atomic_fetch_add(&calls, 1);
    return code;
}

static void look_at(char *json)
{
    if (json && json[0] != '{' && json[0] != '[')
        finding("no JSON", json[0]);
    psc_string_free(json);
}

static void read_result(const psc_result *result)
{
    char *json = NULL;

    if (!result)
        return;
    (void)strlen(psc_result_message(result) ? psc_result_message(result) : "");
    (void)psc_result_version(result);
    (void)psc_result_notice(result);
    (void)psc_result_next_check(result);
    if (psc_result_age(result) < 0)
        finding("psc_result_age", (long)psc_result_age(result));
    (void)psc_result_http_status(result);
    expect("psc_result_code", psc_result_code(result), ANY_CHECK | BIT(PSC_ERR_INTERNAL));
    expect("psc_result_json", psc_result_json(result, &json), ANY_CALL);
    look_at(json);
}

static void look_at_result(psc_result *result)
{
    read_result(result);
    psc_result_free(result);
}

static void fork_a_child(void);
static void on_result(void *user_data, const psc_result *result);

/* Calls that are allowed anywhere, also in a callback. */
static void call_anywhere(psc_checker *checker)
{
    char *json = NULL;
    psc_config *config = NULL;
    psc_result *result = NULL;
    const char *error;

    switch (below(15)) {
    case 0:
    case 1:
        expect("psc_configure", psc_configure(checker, configurations[below(configuration_count)]),
            ANY_CALL | BIT(PSC_ERR_CONFIG) | BIT(PSC_ERR_FILE));
        break;
    case 2:
        expect("psc_status", psc_status(checker, &json), ANY_CALL);
        break;
    case 3:
        expect("psc_inspect_config", psc_inspect_config(checker, &json), ANY_CALL);
        break;
    case 4:
        expect("psc_preview_request", psc_preview_request(checker, &json), ANY_CALL | BIT(PSC_ERR_STATE));
        break;
    case 5:
        expect("psc_verify", psc_verify(checker, "{\"data\":\"e30=\",\"signature\":\"AAAA\"}", 35, "1474900881679434MDEyMzQ1Njc4OWFiY2RlZg==", &result),
            ANY_CALL | BIT(PSC_ERR_STATE) | BIT(PSC_ERR_RESPONSE) | BIT(PSC_ERR_SIGNATURE) | BIT(PSC_ERR_NONCE) | BIT(PSC_ERR_FILE));
        look_at_result(result);
        break;
    case 6:
        psc_request_stop(checker);
        atomic_fetch_add(&calls, 1);
        break;
    case 7:
        /* Once made, a descriptor is the handle's. */
        if (below(8) == 0 && psc_log_fd(checker) < 0)
            (void)psc_last_error(checker);
        atomic_fetch_add(&calls, 1);
        break;
    case 8:
        if (psc_next_check(checker) < -1)
            finding("psc_next_check", 0);
        atomic_fetch_add(&calls, 1);
        break;
    case 9:
        if (psc_last_check_age(checker) < -1)
            finding("psc_last_check_age", 0);
        atomic_fetch_add(&calls, 1);
        break;
    case 10:
    case 11:
        expect("psc_prepare", psc_prepare(checker, configurations[below(configuration_count)], below(2), &config),
            ANY_CALL | BIT(PSC_ERR_CONFIG) | BIT(PSC_ERR_FILE));
        if (config && below(3) != 0)
            expect("psc_commit", psc_commit(checker, config), BIT(PSC_OK) | BIT(PSC_ERR_FORKED));
        else
            psc_config_free(config);
        break;
    case 12:
        expect("psc_config_errors", psc_config_errors(checker, &json), ANY_CALL);
        break;
    default:
        error = psc_last_error(checker);
        if (!error)
            finding("psc_last_error is NULL", 0);
        (void)strlen(error);
        atomic_fetch_add(&calls, 1);
        break;
    }
    look_at(json);
}

/* Takes the handle out of its slot when no other thread is in a call on it; psc_free comes after that. */
static psc_checker *take(struct slot *slot, const struct handle *only, int own_calls)
{
    psc_checker *checker = NULL;

    pthread_mutex_lock(&slot->lock);
    if (slot->handle && slot->users == own_calls && (!only || slot->handle == only)) {
        checker = slot->handle->checker;
        slot->handle = NULL;
        slot->users = 0;
    }
    pthread_mutex_unlock(&slot->lock);
    return checker;
}

/* Whether there is a handle, which then stays until leave(). */
static struct handle *enter(struct slot *slot)
{
    struct handle *handle;

    pthread_mutex_lock(&slot->lock);
    handle = slot->handle;
    if (handle)
        slot->users++;
    pthread_mutex_unlock(&slot->lock);
    return handle;
}

static void leave(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    slot->users--;
    pthread_mutex_unlock(&slot->lock);
}

/* psc_run ends by another thread's stop, or by this one's. */
static void *stop_soon(void *checker)
{
    const struct timespec pause = { 0, 1000L * 3000 };

    nanosleep(&pause, NULL);
    psc_request_stop(checker);
    return NULL;
}

static int run_for_a_while(const struct handle *handle)
{
    const struct handle *entered = enter(handle->slot);
    pthread_t stopper;
    int code;

    if (entered == handle && pthread_create(&stopper, NULL, stop_soon, handle->checker) == 0) {
        code = psc_run(handle->checker);
        if (is_child) /* forked in a callback: the other thread is the parent's */
            return code;
        pthread_join(stopper, NULL);
    } else if (!entered) {
        code = psc_run(handle->checker); /* inside its own callback, after psc_free: refused */
    } else {
        code = PSC_OK;
    }
    if (entered)
        leave(handle->slot);
    return code;
}

static void call_outside(const struct handle *handle)
{
    psc_checker *checker = handle->checker;
    psc_result *result = NULL;
    const unsigned in_callback = depth > 0 ? BIT(PSC_ERR_REENTRANT) : 0;

    switch (below(6)) {
    case 0:
        expect("psc_run_once", psc_run_once(checker, below(2) ? &result : NULL), ANY_CHECK);
        look_at_result(result);
        break;
    case 1:
        expect("psc_start", psc_start(checker), ANY_CALL | BIT(PSC_ERR_STATE) | in_callback);
        break;
    case 2:
        expect("psc_stop", psc_stop(checker), ANY_CALL | BIT(PSC_ERR_TIMEOUT) | in_callback);
        break;
    case 3:
        expect("psc_run", run_for_a_while(handle), ANY_CALL | BIT(PSC_ERR_STATE) | in_callback);
        break;
    case 4:
        expect("psc_on_result", psc_on_result(checker, below(4) ? on_result : NULL, (void *)(size_t)handle),
            ANY_CALL | BIT(PSC_ERR_STATE) | in_callback);
        break;
    default:
        expect("psc_log_drain", psc_log_drain(checker), ANY_CALL | in_callback);
        break;
    }
}

/* The handle that this thread is in a call on. */
static __thread const struct handle *in_call;

/* The handle's own callback ends it. */
static int free_inside(const struct handle *handle)
{
    psc_checker *checker = take(handle->slot, handle, in_call == handle);

    if (!checker)
        return 0;
    if (in_call == handle) {
        current = NULL;
        in_call = NULL;
    }
    psc_free(checker);
    atomic_fetch_add(&calls, 1);
    return 1;
}

/* Another handle than the callback's own. */
static void call_another(const struct handle *own)
{
    struct slot *slot = &slots[below(SLOTS)];
    const struct handle *handle;

    if (slot == own->slot || !(handle = enter(slot)))
        return;
    if (below(3))
        call_anywhere(handle->checker);
    else
        call_outside(handle);
    leave(slot);
}

static void in_callback(const struct handle *handle)
{
    const struct timespec pause = { 0, 1000L * 200 };

    atomic_fetch_add(&callbacks, 1);
    if (is_child || ++depth > 1) {
        depth--;
        return;
    }
    if (!state) /* psc's own thread */
        state = 0x9e3779b97f4a7c15ull ^ (unsigned long long)atomic_load(&callbacks);
    switch (below(12)) {
    case 0:
        nanosleep(&pause, NULL);
        break;
    case 1:
        if (below(4) == 0)
            fork_a_child();
        break;
    case 2:
        if (below(8) == 0 && free_inside(handle))
            break;
        call_another(handle);
        break;
    case 3:
    case 4:
    case 5:
        /* Perhaps another thread is in psc_free on it: it lives on until this callback has ended. */
        nanosleep(&pause, NULL);
        call_anywhere(handle->checker);
        call_outside(handle);
        call_anywhere(handle->checker);
        break;
    default:
        break;
    }
    depth--;
}

static void log_line(void *user_data, int level, const char *message)
{
    if (level < 0 || level > 7 || strchr(message, '\n'))
        finding("a log line", level);
    in_callback(user_data);
}

static void on_result(void *user_data, const psc_result *result)
{
    if (!result)
        finding("a result is NULL", 0);
    atomic_fetch_add(&results, 1);
    read_result(result);
    in_callback(user_data);
}

/* In a child there is no other thread; psc_free, and what takes no lock, works on every handle that the parent had. */
static void child(void)
{
    int n;

    alarm(CHILD_SECONDS);
    is_child = 1;
    for (n = 0; n < SLOTS; n++) {
        psc_checker *checker = slots[n].handle ? slots[n].handle->checker : NULL;
        if (!checker)
            continue;
        if (below(2))
            (void)psc_last_error(checker);
        psc_request_stop(checker);
        psc_free(checker);
    }
}

static void fork_a_child(void)
{
    pid_t pid;
    int status = 0;

    if (atomic_fetch_add(&forks, 1) >= most_forks) {
        atomic_fetch_sub(&forks, 1);
        return;
    }
    pid = fork();
    if (pid < 0) {
        atomic_fetch_sub(&forks, 1);
        return;
    }
    if (pid == 0) {
        child();
        /* Some children return from the callback that they were forked in. psc then allocates the text of an error, and in a
         * child AddressSanitizer's malloc may wait for ever for a thread of the parent's. */
        if (depth > 0 && !HAS_ADDRESS_SANITIZER && below(2))
            return;
        _exit(0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFSIGNALED(status))
        finding(WTERMSIG(status) == SIGALRM ? "a child hangs" : "a child died", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        finding("a child failed", WEXITSTATUS(status));
}

static void on_signal(int number)
{
    psc_checker *checker = current;

    (void)number;
    if (checker)
        psc_request_stop(checker);
}

static struct handle *make(struct slot *slot)
{
    struct handle *handle = calloc(1, sizeof *handle);

    if (!handle)
        finding("calloc", 0);
    handle->slot = slot;
    handle->checker = psc_init(below(8) ? log_line : NULL, handle);
    if (!handle->checker)
        finding("psc_init is NULL", 0);
    atomic_fetch_add(&calls, 1);
    handle->next = atomic_load(&handles);
    while (!atomic_compare_exchange_weak(&handles, &handle->next, handle))
        continue;
    if (below(4))
        psc_configure(handle->checker, configurations[0]);
    return handle;
}

static void fill(struct slot *slot)
{
    struct handle *handle = make(slot);

    pthread_mutex_lock(&slot->lock);
    if (!slot->handle) {
        slot->handle = handle;
        slot->users = 0;
        handle = NULL;
    }
    pthread_mutex_unlock(&slot->lock);
    if (handle)
        psc_free(handle->checker);
}

static void step(void)
{
    struct slot *slot = &slots[below(SLOTS)];
    const struct handle *handle;

    if (below(64) == 0) {
        psc_free(take(slot, NULL, 0));
        atomic_fetch_add(&calls, 1);
        return;
    }
    if (most_forks > 0 && below((unsigned)(most_calls / most_forks) + 1) == 0)
        fork_a_child();
    handle = enter(slot);
    if (!handle) {
        fill(slot);
        return;
    }
    in_call = handle;
    current = handle->checker;
    if (below(40) == 0)
        call_outside(handle);
    else
        call_anywhere(handle->checker);
    current = NULL;
    if (is_child)
        _exit(0); /* the child of a callback, which has returned from it and from the call */
    if (in_call == handle)
        leave(slot);
    in_call = NULL;
}

static atomic_int running;

static void *work(void *seed)
{
    state = (unsigned long long)(size_t)seed * 0x9e3779b97f4a7c15ull + 1;
    while (atomic_load(&calls) < most_calls || atomic_load(&forks) < most_forks)
        step();
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static int read_configurations(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t size = 0;
    ssize_t length;

    if (!file)
        return 0;
    while (configuration_count < MOST_CONFIGURATIONS) {
        char *line = NULL;
        length = getline(&line, &size, file);
        if (length < 0) {
            free(line);
            break;
        }
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = 0;
        configurations[configuration_count++] = line;
        size = 0;
    }
    fclose(file);
    return configuration_count > 0;
}

int main(int argc, char **argv)
{
    struct sigaction action;
    struct timespec pause = { 0, 1000 * 1000 };
    pthread_t threads[64];
    long count, n, seed;

    if (argc != 6 || !read_configurations(argv[1]))
        return 2;
    count = strtol(argv[2], NULL, 10);
    most_calls = strtol(argv[3], NULL, 10);
    most_forks = strtol(argv[4], NULL, 10);
    seed = strtol(argv[5], NULL, 10);
    if (count < 1 || count > 64)
        return 2;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &action, NULL);
    for (n = 0; n < SLOTS; n++)
        pthread_mutex_init(&slots[n].lock, NULL);
    atomic_store(&running, (int)count);
    for (n = 0; n < count; n++)
        if (pthread_create(&threads[n], NULL, work, (void *)(size_t)(seed * 64 + n + 1)) != 0)
            return 2;
    /* Signals come meanwhile; each thread waits here for its end, so that it can take one until then. */
    state = (unsigned long long)seed + 77;
    while (atomic_load(&running) > 0) {
        nanosleep(&pause, NULL);
        pthread_kill(threads[below((unsigned)count)], SIGUSR1);
    }
    for (n = 0; n < count; n++)
        pthread_join(threads[n], NULL);
    for (n = 0; n < SLOTS; n++)
        psc_free(take(&slots[n], NULL, 0));
    while (atomic_load(&handles)) {
        struct handle *last = atomic_load(&handles);
        atomic_store(&handles, last->next);
        free(last);
    }
    for (n = 0; n < configuration_count; n++)
        free(configurations[n]);
    printf("calls %ld forks %ld callbacks %ld results %ld seed %ld\n", atomic_load(&calls), atomic_load(&forks), atomic_load(&callbacks),
        atomic_load(&results), seed);
    return 0;
}
