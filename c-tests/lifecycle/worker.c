/*
 * Host event "worker start": one configuration in the master, a start in each of its workers. They share a state
 * directory, so they make one check between them, and all of them know its result.
 *
 *   worker CONFIG STATE_DIR WORKERS
 */
#include "common.h"

static int knows_the_result(psc_checker *checker)
{
    return json_has(checker, psc_status, "\"verdict\":\"ok\"");
}

static void work(psc_checker *checker, int ready, int leave)
{
    char byte;
    CHECK_SOON(count_threads() == 1);
    CHECK_CODE(PSC_OK, psc_start(checker));
    WAIT_UNTIL(knows_the_result(checker));
    CHECK_SOON(psc_threads() == 1);
    CHECK(write(ready, "r", 1) == 1);
    CHECK(read(leave, &byte, 1) == 0); /* until the master closes it */
    CHECK_CODE(PSC_OK, psc_stop(checker));
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
}

/* A worker that has no descriptor left just now cannot tell whether it is the owner. It must not make checks of its own
 * from then on, but look again. */
static void without_descriptors(const char *config, const char *state_dir)
{
    static struct log journal;
    struct rlimit limit, low;
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"start_delay\":3600,\"state_dir\":\"%s\"}", state_dir));
    int next = dup(0);
    CHECK(next > 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    low = limit;
    low.rlim_cur = (rlim_t) next + 2; /* what wakes a check */
    CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(&journal, 0, "Too many open files");
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    WAIT_UNTIL(is_owner(checker));
    psc_free(checker);
}

int main(int argc, char **argv)
{
    static struct log journal;
    pid_t workers[256];
    int ready[2], leave[2];
    char byte;
    CHECK(argc == 4);
    int count = atoi(argv[3]);
    CHECK(count > 0 && count <= 256);
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", argv[2]));
    CHECK(pipe(ready) == 0 && pipe(leave) == 0);

    for (int i = 0; i < count; i++) {
        workers[i] = fork();
        CHECK(workers[i] != -1);
        if (workers[i] == 0) {
            close(ready[0]);
            close(leave[1]);
            work(checker, ready[1], leave[0]);
            _exit(0);
        }
    }
    close(ready[1]);
    close(leave[0]);
    for (int i = 0; i < count; i++) CHECK(read(ready[0], &byte, 1) == 1);
    close(leave[1]);
    for (int i = 0; i < count; i++) CHECK(wait_for(workers[i]) == 0);
    CHECK_SOON(count_threads() == 1);
    CHECK(log_count(&journal) == 0); /* the master logged nothing: it never started anything */
    psc_free(checker);

    without_descriptors(argv[1], argv[2]);
    return 0;
}
