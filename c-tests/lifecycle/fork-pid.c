/*
 * A grandchild that is given the process id of the one that started the handle is not taken for it. Runs as the first process of
 * a process namespace, where the next id can be set.
 *
 *   fork-pid CONFIG
 */
#include "common.h"

#define CHILD_SECONDS 20 /* SIGALRM ends a process that hangs */
#define OTHER_ID 77 /* the exit status of one that did not get the id */

static psc_checker *checker;
static struct log journal;

/* The next process of this namespace gets that id. */
static void set_next_id(pid_t id)
{
    FILE *file = fopen("/proc/sys/kernel/ns_last_pid", "w");
    CHECK(file != NULL);
    CHECK(fprintf(file, "%d", (int) id - 1) > 0);
    CHECK(fclose(file) == 0);
}

static void grandchild(pid_t starter, pid_t child)
{
    psc_result *result = NULL;
    char *json = NULL;
    alarm(CHILD_SECONDS);
    if (getpid() != starter) _exit(OTHER_ID);
    CHECK(getppid() == child);
    int descriptors = count_descriptors();
    long long start = now_ms();
    CHECK_CODE(PSC_ERR_FORKED, psc_stop(checker));
    CHECK_CODE(PSC_ERR_FORKED, psc_start(checker));
    CHECK_CODE(PSC_ERR_FORKED, psc_run_once(checker, &result));
    CHECK_CODE(PSC_ERR_FORKED, psc_status(checker, &json));
    CHECK_CODE(PSC_ERR_FORKED, psc_log_drain(checker));
    psc_request_stop(checker);
    psc_free(checker);
    CHECK(now_ms() - start < bound_ms());
    CHECK(count_descriptors() < descriptors);
    CHECK(log_count(&journal) == 0);
    _exit(0);
}

/* Orphaned: waits for the starter's end, then has a child of its id. */
static void child(pid_t starter, int report)
{
    alarm(CHILD_SECONDS);
    WAIT_UNTIL(kill(starter, 0) == -1);
    pid_t id = getpid();
    int status;
    do { /* the kernel gives an id free a moment after its process is gone */
        set_next_id(starter);
        pid_t pid = fork();
        CHECK(pid != -1);
        if (pid == 0) grandchild(starter, id);
        status = wait_for(pid);
        CHECK((pid == starter) == (status != OTHER_ID));
    } while (status == OTHER_ID);
    CHECK(status == 0);
    CHECK(write(report, "k", 1) == 1);
    _exit(0);
}

static void starter(const char *config, int report)
{
    alarm(CHILD_SECONDS);
    checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
    CHECK_CODE(PSC_OK, psc_start(checker));
    CHECK_SOON(psc_threads() == 1);
    pid_t id = getpid(), pid = fork();
    CHECK(pid != -1);
    if (pid == 0) child(id, report);
    _exit(0);
}

int main(int argc, char **argv)
{
    int report[2];
    char byte;
    CHECK(argc == 2 && getpid() == 1);
    log_init(&journal);
    CHECK(pipe2(report, O_CLOEXEC) == 0);
    pid_t pid = fork();
    CHECK(pid != -1);
    if (pid == 0) starter(argv[1], report[1]);
    CHECK(wait_for(pid) == 0);
    close(report[1]);
    CHECK(read(report[0], &byte, 1) == 1 && byte == 'k');
    return 0;
}
