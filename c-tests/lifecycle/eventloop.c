/*
 * A host with an event loop: records are queued and delivered by psc_log_drain, in the host's own thread.
 *
 *   eventloop CONFIG
 */
#include "common.h"

#include <semaphore.h>

#define FLOOD 5000
#define LARGEST_QUEUE 512

static struct log journal;

static int is_readable(int descriptor, int limit_ms)
{
    struct pollfd readable = { .fd = descriptor, .events = POLLIN };
    int ready = poll(&readable, 1, limit_ms);
    CHECK(ready >= 0 && (readable.revents & (POLLNVAL | POLLERR)) == 0);
    return ready == 1;
}

/* The loop of a host: sleeps until the descriptor is readable, drains, until the record has come. */
static void loop_until(psc_checker *checker, int descriptor, int from, const char *needle)
{
    while (log_find(&journal, from, needle) == -1) {
        CHECK(is_readable(descriptor, PATIENCE_MS));
        CHECK_CODE(PSC_OK, psc_log_drain(checker));
        CHECK(!is_readable(descriptor, 0) || psc_threads() == 1); /* empty, unless more came just now */
    }
}

static void check_threads(int from)
{
    for (int i = from; i < log_count(&journal) && i < LOG_LINES; i++) {
        CHECK(pthread_equal(journal.lines[i].thread, pthread_self()));
    }
}

static void background(const char *config)
{
    psc_checker *checker = checker_new(log_keep, &journal, config);
    int descriptor = psc_log_fd(checker);
    int from = log_count(&journal);
    CHECK_CODE(PSC_OK, start_schedule(checker));
    CHECK(is_readable(descriptor, PATIENCE_MS));
    CHECK(log_count(&journal) == from); /* nothing comes by itself */
    loop_until(checker, descriptor, from, "no update found");
    check_threads(from);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(!is_readable(descriptor, 0));
    psc_free(checker);
}

static void disabled_once(psc_checker *checker, int times)
{
    for (int i = 0; i < times; i++) CHECK_CODE(PSC_DISABLED, psc_run_once(checker, NULL));
}

/* A host that never drains loses records, not memory, and is told so when it does. */
static void flood(psc_checker *checker, int descriptor)
{
    int from = log_count(&journal);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true,\"log_level\":4}"));
    disabled_once(checker, FLOOD);
    size_t full = mallinfo2().uordblks;
    disabled_once(checker, FLOOD);
    CHECK(mallinfo2().uordblks < full + 16 * 1024);
    CHECK(is_readable(descriptor, 0));
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    int delivered = log_count(&journal) - from;
    char lost[64];
    snprintf(lost, sizeof lost, "%d log records were lost", 2 * FLOOD - LARGEST_QUEUE);
    CHECK(delivered == LARGEST_QUEUE + 1);
    CHECK(log_find(&journal, from, lost) == from + LARGEST_QUEUE);
    CHECK(!is_readable(descriptor, 0));

    /* There is room again. */
    from = log_count(&journal);
    disabled_once(checker, 1);
    CHECK(is_readable(descriptor, 0));
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(log_count(&journal) == from + 1);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":false,\"log_level\":3}"));
}

/* What was queued before psc_stop is delivered by a later drain; the thread adds nothing. */
static void stopped(const char *config)
{
    psc_checker *checker = checker_new(log_keep, &journal, config);
    int descriptor = psc_log_fd(checker);
    int from = log_count(&journal);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":7}"));
    CHECK_CODE(PSC_OK, start_schedule(checker));
    CHECK(is_readable(descriptor, PATIENCE_MS));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(log_count(&journal) == from);
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(log_count(&journal) > from);
    check_threads(from);
    CHECK(!is_readable(descriptor, 50));
    psc_free(checker);
}

static sem_t may_return;
static atomic_int entered;

static void block_first(void *user_data, int level, const char *message)
{
    log_keep(user_data, level, message);
    if (atomic_fetch_add(&entered, 1) > 0) return;
    while (sem_wait(&may_return) == -1) {
    }
}

/* psc_log_fd while a record is being delivered and another waits behind it: that one is for the host to drain, as soon as
 * the delivery has ended. */
static void late(const char *config)
{
    CHECK(sem_init(&may_return, 0, 0) == 0);
    psc_checker *checker = checker_new(block_first, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true,\"log_level\":4}"));
    CHECK_CODE(PSC_OK, start_schedule(checker));
    WAIT_UNTIL(atomic_load(&entered) == 1);
    CHECK_CODE(PSC_DISABLED, psc_run_once(checker, NULL));
    int descriptor = psc_log_fd(checker);
    CHECK_CODE(PSC_OK, psc_log_drain(checker)); /* never two calls at once */
    CHECK(atomic_load(&entered) == 1 && !is_readable(descriptor, 0));
    CHECK(sem_post(&may_return) == 0);
    CHECK(is_readable(descriptor, PATIENCE_MS));
    CHECK_CODE(PSC_OK, psc_log_drain(checker));
    CHECK(atomic_load(&entered) == 2);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_free(checker);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    log_init(&journal);
    background(argv[1]);
    stopped(argv[1]);
    late(argv[1]);
    int descriptors = count_descriptors(), from = log_count(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
    int descriptor = psc_log_fd(checker);
    CHECK(descriptor >= 0 && psc_log_fd(checker) == descriptor);
    CHECK(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    CHECK(!is_readable(descriptor, 0));
    CHECK_CODE(PSC_OK, psc_log_drain(checker)); /* nothing to deliver is no error */

    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    CHECK(log_count(&journal) == from && is_readable(descriptor, 0));
    loop_until(checker, descriptor, from, "no update found");
    flood(checker, descriptor);

    /* psc_free closes the descriptor, and forgets what nobody drained. */
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    int count = log_count(&journal);
    psc_free(checker);
    CHECK(log_count(&journal) == count);
    CHECK(fcntl(descriptor, F_GETFD) == -1 && errno == EBADF);
    CHECK(count_descriptors() == descriptors);
    return 0;
}
