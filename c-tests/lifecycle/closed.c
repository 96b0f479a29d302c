/*
 * A host that closes every descriptor, psc's included, as some do when they detach from their terminal.
 *
 *   closed CONFIG child STATE_DIR   a child does so, opens files of its own, then calls psc_free: they stay open
 *   closed CONFIG closed            the host itself does: psc does not spin, and stops in time
 *   closed CONFIG reopened          ... and opens its own in their place: psc neither reads nor writes them
 */
#include "common.h"

#define OWN 256 /* the child's descriptors, more than psc's highest */
#define PIPES 32

static int highest(void)
{
    int last = 2;
    for (int descriptor = 3; descriptor < 1024; descriptor++) {
        if (fcntl(descriptor, F_GETFD) != -1) last = descriptor;
    }
    return last;
}

static void close_all(void)
{
    for (int last = highest(); last > 2; last--) close(last);
}

static void in_a_child(psc_checker *checker)
{
    close_all();
    for (int i = 3; i < OWN; i++) CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) == i);
    psc_free(checker);
    for (int i = 3; i < OWN; i++) CHECK(fcntl(i, F_GETFD) != -1);
    _exit(0);
}

static long long cpu_us(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int reopen;
static int own[PIPES][2];
static atomic_int closed;

/* In psc's thread, before it goes to sleep: nothing is in the place of psc's descriptors then, or pipes of the host's that are
 * always readable. */
static void close_in_callback(void *user_data, int level, const char *message)
{
    (void) user_data, (void) level;
    if (strstr(message, "no update found") == NULL) return;
    close_all();
    for (int i = 0; reopen && i < PIPES; i++) {
        CHECK(pipe2(own[i], O_CLOEXEC | O_NONBLOCK) == 0);
        CHECK(write(own[i][1], "h", 1) == 1);
    }
    atomic_store(&closed, 1);
}

static void in_the_host(const char *config)
{
    char byte;
    psc_checker *checker = checker_new(close_in_callback, NULL, config);
    CHECK_CODE(PSC_OK, psc_start(checker));
    WAIT_UNTIL(atomic_load(&closed));
    long long cpu = cpu_us(), start = now_us();
    WAIT_UNTIL(now_us() - start > 1000000);
    CHECK(cpu_us() - cpu < (now_us() - start) / 5);
    start = now_ms();
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(now_ms() - start < bound_ms());
    psc_free(checker);
    for (int i = 0; reopen && i < PIPES; i++) {
        CHECK(fcntl(own[i][1], F_GETFD) != -1);
        CHECK(fcntl(own[i][0], F_GETFD) != -1);
        CHECK(read(own[i][0], &byte, 1) == 1 && byte == 'h');
        CHECK(read(own[i][0], &byte, 1) == -1 && errno == EAGAIN);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 || argc == 4);
    if (argc == 3) {
        reopen = strcmp(argv[2], "reopened") == 0;
        in_the_host(argv[1]);
        return 0;
    }
    psc_checker *checker = checker_new(NULL, NULL, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"start_delay\":3600,\"state_dir\":\"%s\"}", argv[3]));
    CHECK_CODE(PSC_OK, psc_start(checker));
    WAIT_UNTIL(is_owner(checker));
    pid_t pid = fork();
    CHECK(pid != -1);
    if (pid == 0) in_a_child(checker);
    CHECK(wait_for(pid) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_free(checker);
    return 0;
}
