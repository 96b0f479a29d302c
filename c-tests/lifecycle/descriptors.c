/*
 * A host that closes one or both of psc's descriptors, as a double close of a number that was used again does, and has files of
 * its own in their place: psc does not spin, stops in time, and neither reads, writes nor closes what is not its own.
 *
 *   descriptors CONFIG asleep    between checks
 *   descriptors CONFIG check     during one
 *   descriptors CONFIG log       the descriptor of psc_log_fd
 */
#include "common.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#define HIGHEST 256
#define IDLE_MS 300

static char known[HIGHEST];

static void note_descriptors(void)
{
    for (int i = 0; i < HIGHEST; i++) known[i] = fcntl(i, F_GETFD) != -1;
}

/* Those that have come since. */
static int find_new(int *numbers, int room)
{
    int count = 0;
    for (int i = 0; i < HIGHEST; i++) {
        if (known[i] || fcntl(i, F_GETFD) == -1) continue;
        CHECK(count < room);
        numbers[count++] = i;
    }
    return count;
}

/* --- what takes the numbers ------------------------------------------------------------------------------- */

enum kind { NOTHING, EVENT, TIMER, EPOLL, SOCKET, PIPE, KINDS };

static int peer = -1;

/* Readable, where it can be: who takes it for its own would read it again and again. */
static int make(enum kind kind)
{
    const struct itimerspec soon = { { 0, 0 }, { 0, 1 } };
    int ends[2], made = -1;
    switch (kind) {
    case EVENT: return eventfd(5, EFD_CLOEXEC | EFD_NONBLOCK);
    case TIMER:
        made = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        CHECK(timerfd_settime(made, 0, &soon, NULL) == 0);
        return made;
    case EPOLL: return epoll_create1(EPOLL_CLOEXEC);
    case SOCKET:
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        break;
    default:
        CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
        break;
    }
    CHECK(write(ends[1], "h", 1) == 1);
    peer = ends[1];
    return ends[0];
}

static void check_untouched(enum kind kind, int number)
{
    uint64_t count = 0;
    char byte;
    struct epoll_event event;
    CHECK(fcntl(number, F_GETFD) != -1);
    switch (kind) {
    case EVENT: CHECK(read(number, &count, sizeof count) == sizeof count && count == 5); break;
    case TIMER: CHECK(read(number, &count, sizeof count) == sizeof count && count == 1); break;
    case EPOLL: CHECK(epoll_wait(number, &event, 1, 0) == 0); break;
    default:
        CHECK(read(number, &byte, 1) == 1 && byte == 'h');
        CHECK(read(number, &byte, 1) == -1 && errno == EAGAIN);
        if (kind == SOCKET) CHECK(read(peer, &byte, 1) == -1 && errno == EAGAIN);
        CHECK(close(peer) == 0);
        break;
    }
    CHECK(close(number) == 0);
}

static void replace(int number, enum kind kind)
{
    if (kind == NOTHING) {
        CHECK(close(number) == 0);
        return;
    }
    int made = make(kind);
    CHECK(dup3(made, number, O_CLOEXEC) == number);
    CHECK(close(made) == 0);
}

/* --- what psc does ------------------------------------------------------------------------------------------- */

static long long cpu_us(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void lose(psc_checker *checker, int number, enum kind kind)
{
    replace(number, kind);
    long long cpu = cpu_us(), start = now_us();
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":4}")); /* wakes it */
    sleep_ms(IDLE_MS); /* the event that is awaited here is none */
    CHECK(is_slow() || cpu_us() - cpu < (now_us() - start) / 5);
    start = now_ms();
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(now_ms() - start < bound_ms());
    CHECK_CODE(PSC_OK, psc_start(checker)); /* with new ones */
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_free(checker);
    if (kind != NOTHING) check_untouched(kind, number);
    CHECK(find_new(NULL, 0) == 0);
}

static void all(const char *config, int in_check)
{
    int port, listener = silent_listener(64, &port);
    for (int end = 0; end < 2; end++) {
        for (enum kind kind = NOTHING; kind < KINDS; kind++) {
            int numbers[2], connection = -1;
            psc_checker *checker = checker_new(NULL, NULL, config);
            CHECK_CODE(PSC_OK, configure_format(checker, "{\"start_delay\":3600,\"url\":\"https://127.0.0.1:%d/\"}", port));
            note_descriptors();
            CHECK_CODE(PSC_OK, psc_start(checker));
            CHECK(find_new(numbers, 2) == 2);
            if (in_check) {
                CHECK_CODE(PSC_OK, psc_configure(checker, AT_ONCE));
                connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                CHECK(connection != -1);
                CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
                known[connection] = 1;
            }
            lose(checker, numbers[end], kind);
            if (in_check) CHECK(close(connection) == 0);
        }
    }
    close(listener);
}

static void ignore(void *user_data, int level, const char *message)
{
    (void) level, (void) message;
    atomic_fetch_add((atomic_int *) user_data, 1);
}

/* The host is not to close it; when it has, psc makes another on demand, and does not write to what is there now. */
static void of_the_log(const char *config)
{
    for (enum kind kind = NOTHING; kind < KINDS; kind++) {
        atomic_int records = 0;
        psc_checker *checker = checker_new(ignore, &records, config);
        CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true,\"log_level\":4}"));
        note_descriptors();
        int first = psc_log_fd(checker);
        CHECK(first >= 0 && psc_log_fd(checker) == first);
        replace(first, kind);
        CHECK_CODE(PSC_DISABLED, psc_run_once(checker, NULL));
        int second = psc_log_fd(checker);
        CHECK(second >= 0 && (kind == NOTHING || second != first));
        struct pollfd readable = { .fd = second, .events = POLLIN };
        CHECK(poll(&readable, 1, 0) == 1);
        CHECK_CODE(PSC_OK, psc_log_drain(checker));
        CHECK(atomic_load(&records) == 1);
        CHECK(poll(&readable, 1, 0) == 0);
        psc_free(checker);
        if (kind != NOTHING) check_untouched(kind, first);
        CHECK(find_new(NULL, 0) == 0);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    if (strcmp(argv[2], "log") == 0) of_the_log(argv[1]);
    else all(argv[1], strcmp(argv[2], "check") == 0);
    return 0;
}
