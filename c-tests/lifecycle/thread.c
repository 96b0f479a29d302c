/*
 * What psc's thread is like: one, named, small, deaf to signals, asleep until something is due.
 *
 *   thread CONFIG      compiled with -DTHREAD_LOCALS=BYTES: in a host with so much thread-local storage
 */
#include "common.h"

#include <sys/syscall.h>

#ifndef THREAD_LOCALS
#define THREAD_LOCALS 1
#endif
#define LEAST_FOR_CALLBACK (208 * 1024)
#define LARGEST_STACK (512 * 1024)
#define IDLE_MS 2000

static __thread char thread_locals[THREAD_LOCALS];
static atomic_size_t stack_left; /* for the callback */

static void record_stack(void *user_data, int level, const char *message)
{
    pthread_attr_t attributes;
    void *stack = NULL;
    size_t size = 0;
    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstack(&attributes, &stack, &size) == 0);
    pthread_attr_destroy(&attributes);
    memset(thread_locals, 1, sizeof thread_locals);
    atomic_store(&stack_left, (size_t) ((char *) __builtin_frame_address(0) - (char *) stack));
    log_keep(user_data, level, message);
}

/* Every signal that can be blocked; 32 and 33 are glibc's own. */
static uint64_t blockable(void)
{
    uint64_t set = 0;
    for (int number = 1; number <= 64; number++) {
        int never = number == SIGKILL || number == SIGSTOP || number == 32 || number == 33;
        if (!never) set |= UINT64_C(1) << (number - 1);
    }
    return set;
}

static void status_of(int id, const char *key, char *value, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", id);
    CHECK(proc_value(path, key, value, room));
}

static long switches(int id)
{
    char voluntary[32], forced[32];
    status_of(id, "voluntary_ctxt_switches", voluntary, sizeof voluntary);
    status_of(id, "nonvoluntary_ctxt_switches", forced, sizeof forced);
    return atol(voluntary) + atol(forced);
}

static int is_asleep(int id)
{
    char state[32];
    status_of(id, "State", state, sizeof state);
    return state[0] == 'S';
}

#define DESCRIPTORS 64

static int flags_before[DESCRIPTORS];

static void note_descriptors(void)
{
    for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) flags_before[descriptor] = fcntl(descriptor, F_GETFD);
}

/* Programs that the host starts must inherit nothing of psc's. */
static void check_close_on_exec(void)
{
    int fresh = 0;
    for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) {
        int flags = fcntl(descriptor, F_GETFD);
        if (flags == -1 || flags_before[descriptor] != -1) continue;
        CHECK(flags & FD_CLOEXEC);
        fresh++;
    }
    CHECK(fresh > 0);
}

/* For how many seconds the thread sleeps, as it went to sleep; -1 when it does not. */
static long sleep_seconds(int id)
{
    char path[64];
    long number = -1;
    unsigned long long address = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", id);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    int found = fscanf(file, "%ld %*s %*s %*s %llx", &number, &address);
    fclose(file);
    if (found != 2 || number != SYS_futex || address == 0) return -1;
    return ((const struct timespec *) (uintptr_t) address)->tv_sec;
}

static void facts(psc_checker *checker, struct log *journal)
{
    char value[64];
    int id = 0;
    note_descriptors();
    CHECK_CODE(PSC_OK, psc_start(checker));
    CHECK_CODE(PSC_ERR_STATE, psc_start(checker));
    EXPECT_LOG(journal, 0, "Security update check failed:"); /* nobody listens: next in ten minutes */
    CHECK_SOON(count_threads() == 2);
    CHECK(threads_named("psc", &id, 1) == 1);
    WAIT_UNTIL(is_asleep(id));
    check_close_on_exec();

    status_of(id, "SigBlk", value, sizeof value);
    uint64_t blocked = strtoull(value, NULL, 16);
    CHECK((blocked & blockable()) == blockable());
    CHECK(atomic_load(&stack_left) <= LARGEST_STACK);
    CHECK(atomic_load(&stack_left) >= LEAST_FOR_CALLBACK);

    long before = switches(id);
    sleep_ms(IDLE_MS); /* the event that is awaited here is none */
    CHECK(switches(id) == before);

    /* It sleeps until the check is due, an hour at most: only a look at the clock tells how long the machine was suspended. A
     * check by hand, which fails as well, makes it look. */
    CHECK(sleep_seconds(id) > 500);
    CHECK(sleep_seconds(id) <= 660);
    CHECK_CODE(PSC_ERR_NETWORK, psc_run_once(checker, NULL));
    WAIT_UNTIL(sleep_seconds(id) > 3500);
    CHECK(sleep_seconds(id) <= 3600);
}

int main(int argc, char **argv)
{
    static struct log journal;
    sigset_t before, after;
    int port;
    CHECK(argc == 2);
    log_init(&journal);
    close(silent_listener(1, &port));
    psc_checker *checker = checker_new(record_stack, &journal, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\"}", port));
    /* The kernel fills the part of the set that has signals; the rest is compared as well. */
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    facts(checker, &journal);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);

    /* Switched off: the thread, if there is one at all, sleeps as well. */
    int id = 0;
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true}"));
    if (threads_named("psc", &id, 1) == 1) {
        WAIT_UNTIL(is_asleep(id));
        long woken = switches(id);
        sleep_ms(IDLE_MS / 4);
        CHECK(switches(id) == woken);
    }
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
    return 0;
}
