/*
 * Start and stop, over and over, in the middle of checks: memory, descriptors and threads stay what they were.
 *
 *   cycles CONFIG CYCLES
 *
 * By turns on the server of CONFIG, stopped after a random part of the check, and on one that never answers.
 */
#include "common.h"

#define WARM_UP 20
#define ALLOWED_KIB 3072

static struct log journal;

struct use {
    int threads, descriptors;
    long heap, resident;
};

static struct use use_now(void)
{
    return (struct use) {
        .threads = count_threads(),
        .descriptors = count_descriptors(),
        .heap = (long) (mallinfo2().uordblks / 1024),
        .resident = resident_kib(),
    };
}

static void print_use(const char *when, struct use use)
{
    printf("%s: %d threads, %d descriptors, heap %ld KiB, resident %ld KiB\n", when, use.threads, use.descriptors,
           use.heap, use.resident);
}

static void drop_connections(int listener)
{
    int connection;
    while ((connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1) close(connection);
}

static void cycle(psc_checker *checker, int number, int listener, int port)
{
    struct timespec part = { 0, 0 };
    if (number % 3 == 0) {
        CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\"}", port));
    }
    CHECK_CODE(PSC_OK, start_schedule(checker));
    part.tv_nsec = rand() % 20000000;
    nanosleep(&part, NULL); /* anywhere in the check */
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_SOON(psc_threads() == 0);
    if (number % 3 == 0) drop_connections(listener);
}

int main(int argc, char **argv)
{
    int port;
    CHECK(argc == 3);
    int cycles = atoi(argv[2]);
    log_init(&journal);
    srand(1);
    int listener = silent_listener(64, &port);
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);

    psc_checker *kept = checker_new(log_keep, &journal, argv[1]);
    CHECK_CODE(PSC_OK, psc_run_once(kept, NULL));
    struct use before = use_now();
    for (int i = 0; i < cycles + WARM_UP; i++) {
        psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
        cycle(checker, i, listener, port);
        psc_free(checker);
        /* A handle that goes on keeps its schedule: started again, it waits. */
        CHECK_CODE(PSC_OK, start_schedule(kept));
        CHECK_CODE(PSC_OK, stop_fully(kept));
        if (i == WARM_UP) before = use_now();
    }
    WAIT_UNTIL(count_threads() == 1); /* a resolver thread of libcurl's may outlive its check by a moment */
    struct use after = use_now();
    print_use("before", before);
    print_use("after ", after);
    CHECK(after.descriptors <= before.descriptors);
    if (!is_slow()) {
        CHECK(after.heap <= before.heap + ALLOWED_KIB / 4);
        CHECK(after.resident <= before.resident + ALLOWED_KIB);
    }
    CHECK_CODE(PSC_OK, psc_run_once(kept, NULL));
    psc_free(kept);
    close(listener);
    CHECK_SOON(count_threads() == 1);
    return 0;
}
