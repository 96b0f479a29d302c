/*
 * Stopping: at once, whatever the check is doing; from signal handlers, callbacks and several threads.
 *
 *   stop CONFIG SCENARIO [TRIALS]
 *
 * Scenarios that hang, each measured: resolver (with preload-resolver.c: RESOLVER_HANG, RESOLVER_LOG), nameserver (in a
 * network namespace whose resolv.conf names 127.0.0.1), connect, proxy, socks, tls, server (the one in CONFIG, with a fault).
 */
#include "common.h"

#include <semaphore.h>

#define TYPICAL_MS 50
#define LONGEST_TRIALS 200

static struct log journal;
static int listener = -1;
static int port = 443;

static psc_checker *new_checker(const char *config, const char *format)
{
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":7}"));
    if (format != NULL) {
        char json[512];
        snprintf(json, sizeof json, format, port);
        CHECK_CODE(PSC_OK, psc_configure(checker, json));
    }
    return checker;
}

/* --- where a check can hang: what to configure, and how to see that it has got there ------------------ */

static long looked_up;

static long file_size(const char *path)
{
    struct stat data;
    return stat(path, &data) == 0 ? (long) data.st_size : 0;
}

static void looked_up_before(void)
{
    const char *path = getenv("RESOLVER_LOG");
    CHECK(path != NULL);
    looked_up = file_size(path);
}

static void await_look_up(void)
{
    WAIT_UNTIL(file_size(getenv("RESOLVER_LOG")) > looked_up);
}

static void open_name_server(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    listener = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(listener != -1 && bind(listener, (struct sockaddr *) &address, sizeof address) == 0);
}

static void await_question(void)
{
    char question[512];
    struct pollfd readable = { .fd = listener, .events = POLLIN };
    CHECK(poll(&readable, 1, PATIENCE_MS) == 1);
    CHECK(recv(listener, question, sizeof question, 0) > 0);
    while (recv(listener, question, sizeof question, MSG_DONTWAIT) > 0) {
    }
}

/* A full queue: the kernel drops every further SYN. */
static void open_full_listener(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    listener = silent_listener(0, &port);
    address.sin_port = htons((uint16_t) port);
    for (int i = 0; i < 4; i++) {
        int filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK(filler != -1);
        if (connect(filler, (struct sockaddr *) &address, sizeof address) == -1) CHECK(errno == EINPROGRESS);
        struct pollfd writable = { .fd = filler, .events = POLLOUT };
        if (poll(&writable, 1, 200) == 0) {
            close(filler); /* it does not get through: full */
            return;
        }
    }
    fail(__FILE__, __LINE__, "the listener's queue gets full");
}

static void await_syn(void)
{
    WAIT_UNTIL(tcp_to_port(port, 2));
}

static void open_silent_listener(void)
{
    listener = silent_listener(LONGEST_TRIALS, &port);
}

/* Connected, and it has said its first words: CONNECT, a SOCKS greeting, a ClientHello. */
static void await_first_words(void)
{
    for (;;) {
        char byte;
        struct pollfd readable = { .fd = listener, .events = POLLIN };
        CHECK(poll(&readable, 1, PATIENCE_MS) == 1);
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(connection != -1);
        if (recv(connection, &byte, 1, MSG_PEEK) == 1) return; /* left open, silently: closing it would end the check */
        close(connection); /* of an earlier check, cancelled before it spoke */
    }
}

static void await_server(void)
{
    WAIT_UNTIL(tcp_to_port(port, 1));
    sleep_ms(60); /* on to the handshake, the request or the body, whichever the server's fault stalls */
}

static void find_server(const char *config)
{
    const char *url = strstr(config, "https://localhost:");
    CHECK(url != NULL);
    port = atoi(url + strlen("https://localhost:"));
}

struct hang {
    const char *name;
    void (*open)(void);
    const char *configuration;
    void (*before)(void);
    void (*arrived)(void);
};

static const struct hang hangs[] = {
    { "resolver", NULL, "{\"url\":\"https://hang.example:%d/\"}", looked_up_before, await_look_up },
    { "nameserver", open_name_server, "{\"url\":\"https://check.example:%d/\"}", NULL, await_question },
    { "connect", open_full_listener, "{\"url\":\"https://127.0.0.1:%d/\"}", NULL, await_syn },
    { "proxy", open_silent_listener, "{\"proxy_url\":\"http://127.0.0.1:%d\"}", NULL, await_first_words },
    { "socks", open_silent_listener, "{\"proxy_url\":\"socks5h://127.0.0.1:%d\"}", NULL, await_first_words },
    { "tls", open_silent_listener, "{\"url\":\"https://127.0.0.1:%d/\"}", NULL, await_first_words },
    { "server", NULL, NULL, NULL, await_server },
};

static const struct hang *find_hang(const char *name)
{
    for (size_t i = 0; i < sizeof hangs / sizeof *hangs; i++) {
        if (strcmp(hangs[i].name, name) == 0) return &hangs[i];
    }
    return NULL;
}

static int by_size(const void *left, const void *right)
{
    long long a = *(const long long *) left, b = *(const long long *) right;
    return (a > b) - (a < b);
}

static void judge(const char *what, long long *microseconds, int count)
{
    qsort(microseconds, (size_t) count, sizeof *microseconds, by_size);
    long long median = microseconds[count / 2], longest = microseconds[count - 1];
    printf("%s: median %lld.%03lld ms, longest %lld.%03lld ms\n", what, median / 1000, median % 1000, longest / 1000,
           longest % 1000);
    CHECK(is_slow() || median < TYPICAL_MS * 1000);
    CHECK(longest < bound_ms() * 1000LL);
}

/* Of the thread that said it is about to send. By its number: libcurl's resolver thread, which is left behind when a look-up
 * hangs, inherits its name. */
static void thread_has_ended(int from)
{
    char path[64];
    int sending = log_find(&journal, from, "sending:");
    CHECK(sending != -1);
    snprintf(path, sizeof path, "/proc/self/task/%d", (int) journal.lines[sending].thread_id);
    CHECK_SOON(access(path, F_OK) == -1);
}

static void nothing_is_logged(int count)
{
    sleep_ms(20);
    CHECK(log_count(&journal) == count);
    CHECK(log_find(&journal, 0, "Security update check failed") == -1); /* the host's wish is no failure */
}

/* A checker of its own whose check waits. *FROM is the number of its first log record. */
static psc_checker *waiting_checker(const struct hang *hang, const char *config, int *from)
{
    psc_checker *checker = new_checker(config, hang->configuration);
    *from = log_count(&journal);
    if (hang->before != NULL) hang->before();
    CHECK_CODE(PSC_OK, start_schedule(checker));
    EXPECT_LOG(&journal, *from, "sending:");
    hang->arrived();
    return checker;
}

static void measure_stop(const struct hang *hang, const char *config, int trials)
{
    long long times[LONGEST_TRIALS];
    for (int i = 0; i < trials; i++) {
        int from;
        psc_checker *checker = waiting_checker(hang, config, &from);
        long long start = now_us();
        CHECK_CODE(PSC_OK, stop_fully(checker));
        times[i] = now_us() - start;
        thread_has_ended(from);
        nothing_is_logged(log_count(&journal));
        CHECK_CODE(PSC_OK, stop_fully(checker));
        CHECK_CODE(PSC_OK, start_schedule(checker));
        CHECK_CODE(PSC_ERR_STATE, psc_start(checker));
        CHECK_CODE(PSC_ERR_STATE, psc_run(checker));
        psc_free(checker);
    }
    judge("psc_stop", times, trials);
}

static void measure_free(const struct hang *hang, const char *config, int trials)
{
    long long times[LONGEST_TRIALS];
    for (int i = 0; i < trials; i++) {
        int from;
        psc_checker *checker = waiting_checker(hang, config, &from);
        long long start = now_us();
        psc_free(checker);
        times[i] = now_us() - start;
        thread_has_ended(from);
    }
    int count = log_count(&journal);
    judge("psc_free", times, trials);
    nothing_is_logged(count);
}

struct call {
    psc_checker *checker;
    pthread_barrier_t *barrier;
    int code;
    psc_result *result;
};

static void *run_once(void *argument)
{
    struct call *call = argument;
    call->code = psc_run_once(call->checker, &call->result);
    return NULL;
}

/* psc_run_once in another thread is ended as well, and says so. */
static void measure_run_once(const struct hang *hang, const char *config, int trials)
{
    long long times[LONGEST_TRIALS];
    psc_checker *checker = new_checker(config, hang->configuration);
    for (int i = 0; i < trials; i++) {
        struct call call = { .checker = checker };
        pthread_t thread;
        int from = log_count(&journal);
        if (hang->before != NULL) hang->before();
        CHECK(pthread_create(&thread, NULL, run_once, &call) == 0);
        EXPECT_LOG(&journal, from, "sending:");
        hang->arrived();
        CHECK_CODE(PSC_ERR_STATE, psc_run_once(checker, NULL)); /* one at a time */
        long long start = now_us();
        if (i % 2 == 0) {
            CHECK_CODE(PSC_OK, stop_fully(checker));
        } else {
            psc_request_stop(checker);
        }
        CHECK(pthread_join(thread, NULL) == 0);
        times[i] = now_us() - start;
        CHECK_CODE(PSC_ERR_CANCELLED, call.code);
        CHECK(call.result != NULL && psc_result_code(call.result) == PSC_ERR_CANCELLED);
        psc_result_free(call.result);
    }
    judge("psc_run_once", times, trials);
    psc_free(checker);
}

static void measure(const struct hang *hang, const char *config, int trials)
{
    if (hang->open != NULL) hang->open();
    if (hang->configuration == NULL) find_server(config);
    measure_stop(hang, config, trials);
    measure_free(hang, config, trials);
    measure_run_once(hang, config, trials);
}

/* --- signals ------------------------------------------------------------------------------------------ */

static psc_checker *stormy;
static atomic_long handled;

static void on_alarm(int signal_number)
{
    (void) signal_number;
    int before = errno;
    errno = 4711;
    psc_request_stop(stormy);
    CHECK(errno == 4711); /* the interrupted code may be about to look at it */
    errno = before;
    atomic_fetch_add(&handled, 1);
}

static void storm(long microseconds)
{
    struct itimerval timer = {
        .it_interval.tv_usec = microseconds, .it_value.tv_usec = microseconds
    };
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void use_everything(psc_checker *checker)
{
    char *json;
    void *memory = malloc(1000);
    int code = start_schedule(checker);
    CHECK(code == PSC_OK || code == PSC_ERR_STATE);
    CHECK_CODE(PSC_OK, psc_status(checker, &json));
    psc_string_free(json);
    free(memory);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"interval\":43200}"));
    code = psc_run_once(checker, NULL);
    CHECK(code == PSC_ERR_CANCELLED || code == PSC_ERR_STATE || code == PSC_OK || code == PSC_ERR_NETWORK);
    CHECK_CODE(PSC_OK, stop_fully(checker));
}

/* psc_request_stop in a signal handler, thousands of times, whatever it interrupts. */
static void signals(const char *config, int milliseconds)
{
    struct sigaction action = { .sa_handler = on_alarm };
    int rounds = 0;
    open_silent_listener();
    stormy = new_checker(config, NULL);
    psc_request_stop(stormy); /* before anything was started: nothing to stop */
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    storm(300);
    long long end = now_ms() + milliseconds, latest = end + PATIENCE_MS;
    while (now_ms() < end || (now_ms() < latest && (atomic_load(&handled) < 100 || rounds < 3))) {
        use_everything(stormy);
        rounds++;
    }
    storm(0);
    printf("%ld signals in %d rounds\n", atomic_load(&handled), rounds);
    CHECK(atomic_load(&handled) >= 100 && rounds >= 3);

    /* More wishes than a pipe holds (64 KiB), and nobody there to take them: the calls that fail inside leave errno alone. */
    for (int i = 0; i < 70000; i++) on_alarm(SIGALRM);

    int from = log_count(&journal);
    CHECK_CODE(PSC_OK, stop_fully(stormy)); /* psc_run heeds what came too early */
    CHECK_CODE(PSC_OK, psc_run_once(stormy, NULL));
    CHECK_CODE(PSC_OK, start_schedule(stormy));
    if (from < LOG_LINES - 100) EXPECT_LOG(&journal, from, "no update found");
    psc_request_stop(stormy);
    WAIT_UNTIL(psc_threads() == 0);
    psc_free(stormy);
}

/* --- inside the callback -------------------------------------------------------------------------------- */

static psc_checker *inside;
static atomic_int calls_inside;

static void call_everything(void *user_data, int level, const char *message)
{
    char *json;
    log_keep(user_data, level, message);
    psc_result *result = (psc_result *) user_data;
    CHECK_CODE(PSC_ERR_REENTRANT, psc_stop(inside));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_start(inside));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run(inside));
    CHECK_CODE(PSC_ERR_REENTRANT, psc_on_result(inside, NULL, NULL));
    CHECK(psc_next_check(inside) >= -1 && psc_last_check_age(inside) >= -1);
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run_once(inside, &result));
    CHECK(result == NULL);
    CHECK_CODE(PSC_ERR_REENTRANT, psc_log_drain(inside));
    CHECK(psc_last_error(inside) != NULL && *psc_last_error(inside) != '\0');
    CHECK_CODE(PSC_OK, psc_configure(inside, "{\"interval\":86400}"));
    CHECK_CODE(PSC_OK, psc_inspect_config(inside, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_preview_request(inside, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_status(inside, &json));
    psc_string_free(json);
    atomic_fetch_add(&calls_inside, 1);
}

static void reentrant(const char *config)
{
    inside = checker_new(call_everything, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(inside, "{\"log_level\":7}"));
    CHECK_CODE(PSC_OK, psc_run_once(inside, NULL));
    CHECK(atomic_load(&calls_inside) > 0);
    psc_free(inside);
    int from = log_count(&journal);
    inside = checker_new(call_everything, &journal, config);
    CHECK_CODE(PSC_OK, start_schedule(inside));
    EXPECT_LOG(&journal, from, "no update found");
    CHECK_CODE(PSC_OK, stop_fully(inside));
    from = log_count(&journal);
    CHECK(psc_log_fd(inside) >= 0);
    CHECK_CODE(PSC_OK, psc_run_once(inside, NULL));
    CHECK(log_count(&journal) == from);
    CHECK(psc_log_drain(inside) >= 0);
    CHECK(log_count(&journal) > from);
    psc_free(inside);
}

static void stop_wish(void *user_data, int level, const char *message)
{
    log_keep(user_data, level, message);
    psc_request_stop(inside);
}

/* psc_request_stop is what a callback can do instead of psc_stop. */
static void request_inside(const char *config)
{
    inside = checker_new(stop_wish, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(inside, "{\"log_level\":7}"));
    CHECK_CODE(PSC_OK, begin_schedule(inside));
    WAIT_UNTIL(log_count(&journal) > 0);
    WAIT_UNTIL(psc_threads() == 0);
    CHECK_CODE(PSC_OK, stop_fully(inside));
    CHECK_CODE(PSC_ERR_CANCELLED, psc_run_once(inside, NULL));
    psc_free(inside);
}

static void free_now(void *user_data, int level, const char *message)
{
    log_keep(user_data, level, message);
    /* Before the count is raised: then the main thread may take the variable for its next handle. */
    psc_checker *checker = inside;
    CHECK(atomic_fetch_add(&calls_inside, 1) == 0); /* nothing more is logged */
    psc_free(checker);
}

static void expect_gone(void)
{
    WAIT_UNTIL(psc_threads() == 0);
    WAIT_UNTIL(count_threads() == 1);
    int count = log_count(&journal);
    sleep_ms(50);
    CHECK(log_count(&journal) == count);
    CHECK(atomic_exchange(&calls_inside, 0) == 1);
}

/* psc_free inside the callback ends the handle, from whichever thread the callback was called. */
static void free_inside(const char *config)
{
    int descriptors = count_descriptors();
    inside = checker_new(free_now, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(inside, "{\"log_level\":7}"));
    CHECK_CODE(PSC_OK, begin_schedule(inside));
    WAIT_UNTIL(atomic_load(&calls_inside) == 1);
    expect_gone();

    inside = checker_new(free_now, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(inside, "{\"log_level\":7}"));
    CHECK(psc_run_once(inside, NULL) < 0);
    expect_gone();

    inside = checker_new(free_now, &journal, config);
    CHECK(psc_log_fd(inside) >= 0);
    CHECK_CODE(PSC_OK, psc_run_once(inside, NULL));
    psc_log_drain(inside);
    expect_gone();
    /* ThreadSanitizer opens some itself. */
    WAIT_UNTIL(count_descriptors() == descriptors || getenv("PSC_TEST_TSAN") != NULL);
}

/* --- a callback that does not return -------------------------------------------------------------------- */

static sem_t may_return;
static atomic_int entered;

static void block(void *user_data, int level, const char *message)
{
    atomic_fetch_add(&entered, 1);
    while (sem_wait(&may_return) == -1) {
    }
    log_keep(user_data, level, message);
}

static psc_checker *new_blocked(const char *config)
{
    psc_checker *checker = checker_new(block, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":7}"));
    CHECK_CODE(PSC_OK, begin_schedule(checker));
    return checker;
}

static void blocked(const char *config)
{
    CHECK(sem_init(&may_return, 0, 0) == 0);
    psc_checker *checker = new_blocked(config);
    WAIT_UNTIL(atomic_load(&entered) == 1);

    long long start = now_ms();
    CHECK_CODE(PSC_ERR_TIMEOUT, psc_stop(checker));
    long long took = now_ms() - start;
    start = now_ms();
    CHECK_CODE(PSC_ERR_TIMEOUT, psc_stop(checker)); /* as often as it is asked */
    long long took_again = now_ms() - start;
    printf("psc_stop gave up after %lld ms, and %lld ms\n", took, took_again);
    CHECK(took >= 500 && took_again >= 500);
    /* The second that the contract gives; one of the two may have met a busy machine. */
    CHECK((took < took_again ? took : took_again) < bound_ms());

    CHECK(sem_post(&may_return) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker)); /* joined now */
    CHECK_WITHIN(200, psc_threads() == 0);
    CHECK(atomic_load(&entered) == 1); /* what it had to say after the stop was not said */
    CHECK_CODE(PSC_OK, start_schedule(checker));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_free(checker);

    /* psc_free gives up just so, and leaves the callback what it needs. */
    checker = new_blocked(config);
    WAIT_UNTIL(atomic_load(&entered) == 2);
    start = now_ms();
    psc_free(checker);
    took = now_ms() - start;
    printf("psc_free gave up after %lld ms\n", took);
    CHECK(took < 2 * bound_ms());
    CHECK(sem_post(&may_return) == 0);
    WAIT_UNTIL(psc_threads() == 0);
    CHECK(atomic_load(&entered) == 2);
    WAIT_UNTIL(count_threads() == 1);

    /* What another call has to say waits behind the one that is blocked; after the stop it is not said either. */
    checker = checker_new(block, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true,\"log_level\":4}"));
    CHECK_CODE(PSC_OK, start_schedule(checker));
    WAIT_UNTIL(atomic_load(&entered) == 3);
    CHECK_CODE(PSC_DISABLED, psc_run_once(checker, NULL));
    CHECK_CODE(PSC_ERR_TIMEOUT, psc_stop(checker));
    CHECK(sem_post(&may_return) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(atomic_load(&entered) == 3);
    psc_free(checker);
}

/* --- two threads at once ----------------------------------------------------------------------------------- */

static void *stop_together(void *argument)
{
    struct call *call = argument;
    pthread_barrier_wait(call->barrier);
    long long start = now_ms();
    call->code = stop_fully(call->checker);
    CHECK(now_ms() - start < bound_ms());
    return NULL;
}

static void *configure_together(void *argument)
{
    struct call *call = argument;
    char *json;
    pthread_barrier_wait(call->barrier);
    call->code = psc_configure(call->checker, "{\"interval\":86400}");
    CHECK_CODE(PSC_OK, psc_status(call->checker, &json));
    psc_string_free(json);
    return NULL;
}

static void several(const char *config, int trials)
{
    pthread_barrier_t barrier;
    open_silent_listener();
    CHECK(pthread_barrier_init(&barrier, NULL, 3) == 0);
    for (int i = 0; i < trials; i++) {
        psc_checker *checker = new_checker(config, "{\"url\":\"https://127.0.0.1:%d/\"}");
        pthread_t threads[3];
        struct call calls[3];
        for (int j = 0; j < 3; j++) calls[j] = (struct call) { .checker = checker, .barrier = &barrier, .code = 1 };
        CHECK_CODE(PSC_OK, start_schedule(checker));
        if (i % 2 == 0) await_first_words();
        for (int j = 0; j < 3; j++) {
            void *(*body)(void *) = j < 2 ? stop_together : configure_together;
            CHECK(pthread_create(&threads[j], NULL, body, &calls[j]) == 0);
        }
        for (int j = 0; j < 3; j++) {
            CHECK(pthread_join(threads[j], NULL) == 0);
            CHECK_CODE(PSC_OK, calls[j].code);
        }
        CHECK_SOON(psc_threads() == 0);
        psc_free(checker);
    }
    pthread_barrier_destroy(&barrier);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 || argc == 4);
    const char *config = argv[1], *scenario = argv[2];
    int trials = argc == 4 ? atoi(argv[3]) : 9;
    const struct hang *hang = find_hang(scenario);
    CHECK(trials > 0);
    log_init(&journal);
    if (hang != NULL) {
        CHECK(trials <= LONGEST_TRIALS);
        measure(hang, config, trials);
    } else if (strcmp(scenario, "signals") == 0) {
        signals(config, trials);
    } else if (strcmp(scenario, "reentrant") == 0) {
        reentrant(config);
    } else if (strcmp(scenario, "request-inside") == 0) {
        request_inside(config);
    } else if (strcmp(scenario, "free-inside") == 0) {
        free_inside(config);
    } else if (strcmp(scenario, "blocked") == 0) {
        blocked(config);
    } else if (strcmp(scenario, "several") == 0) {
        several(config, trials);
    } else {
        fprintf(stderr, "no scenario %s\n", scenario);
        return 2;
    }
    if (listener != -1) close(listener);
    return 0;
}
