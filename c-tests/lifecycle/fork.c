/*
 * Host event "fork": a started handle that a child inherits is inert there, and the parent goes on.
 *
 *   fork CONFIG [STATE_DIR]     with one, the parent owns it, and goes on to
 */
#include "common.h"


#define WAKERS 2 /* descriptors of a started handle: a pair of sockets */

static psc_checker *other; /* configured and used before the fork, not started: the child may use it */

static void inert(psc_checker *checker, struct log *journal)
{
    psc_result *result = (psc_result *) journal;
    char *json = NULL;
    int count = log_count(journal);
    CHECK_SOON(count_threads() == 1);
    int descriptors = count_descriptors();

    long long start = now_ms();
    CHECK_CODE(PSC_ERR_FORKED, psc_run_once(checker, &result));
    CHECK(result == NULL);
    CHECK_CODE(PSC_ERR_FORKED, psc_start(checker));
    CHECK_CODE(PSC_ERR_FORKED, psc_stop(checker));
    CHECK_CODE(PSC_ERR_FORKED, psc_log_drain(checker));
    psc_request_stop(checker); /* must not reach the parent's thread */
    CHECK(psc_last_error(checker) != NULL);
    int code = psc_status(checker, &json); /* looks only: allowed to work, not to hang */
    CHECK(code == PSC_OK || code == PSC_ERR_FORKED);
    psc_string_free(json);
    psc_free(checker);
    CHECK(now_ms() - start < bound_ms());
    CHECK(log_count(journal) == count);
    CHECK_SOON(count_threads() == 1);
    CHECK(count_descriptors() <= descriptors - WAKERS); /* not left to a child that lives on */
}

/* Locks of OpenSSL may be held for ever here, by a thread that there is not: a child forked in the middle of a check makes
 * no checks of its own. */
static void child(psc_checker *checker, struct log *journal, const char *config)
{
    (void) config;
    inert(checker, journal);
}

/* The parent's thread sleeps: the child may use handles of its own, and one that was only configured before. */
static void child_of_an_idle_parent(psc_checker *checker, struct log *journal, const char *config)
{
    inert(checker, journal);
    psc_checker *own = checker_new(log_keep, journal, config);
    CHECK_CODE(PSC_OK, psc_run_once(own, NULL));
    CHECK(log_find(journal, 0, "no update found") != -1);
    psc_free(own);
    int descriptors = count_descriptors();
    CHECK_CODE(PSC_OK, psc_start(other));
    CHECK_SOON(psc_threads() == 1);
    CHECK_SOON(count_descriptors() >= descriptors + WAKERS); /* of its own: what wakes the parent is the parent's */
    CHECK_CODE(PSC_OK, stop_fully(other));
    descriptors = count_descriptors();
    for (int i = 0; i < 5; i++) {
        CHECK_CODE(PSC_OK, psc_start(other));
        CHECK_CODE(PSC_OK, stop_fully(other));
    }
    CHECK(count_descriptors() == descriptors);
    psc_free(other);
    CHECK(count_descriptors() < descriptors);
    CHECK_SOON(count_threads() == 1);
}

/* Is the owner's lock of this directory among this process's descriptors? */
static int has_lock_open(const char *state_dir)
{
    char path[1024];
    struct stat lock, file;
    snprintf(path, sizeof path, "%s/owner.lock", state_dir);
    CHECK(stat(path, &lock) == 0);
    for (int descriptor = 0; descriptor < 64; descriptor++) {
        if (fstat(descriptor, &file) == 0 && file.st_dev == lock.st_dev && file.st_ino == lock.st_ino) return 1;
    }
    return 0;
}

/* The child's copy of the lock is closed: it must not outlive the parent there. The parent's own is not let go. */
static void child_of_an_owner(psc_checker *checker, struct log *journal, const char *state_dir)
{
    CHECK(has_lock_open(state_dir));
    inert(checker, journal);
    CHECK(!has_lock_open(state_dir));
    CHECK(is_owner_locked(state_dir));
}

typedef void child_fn(psc_checker *, struct log *, const char *);

static void fork_child(child_fn *body, psc_checker *checker, struct log *journal, const char *config)
{
    pid_t pid = fork();
    CHECK(pid != -1);
    if (pid == 0) {
        body(checker, journal, config);
        /* Memory of the thread that there is not is lost here; a program that is started instead has no such memory. */
        execl("/bin/true", "true", (char *) NULL);
        _exit(1);
    }
    CHECK(wait_for(pid) == 0);
    CHECK(psc_threads() == 1); /* the parent's thread goes on */
}

static void in_the_middle_of_a_check(const char *config)
{
    static struct log journal;
    int port;
    log_init(&journal);
    int listener = silent_listener(16, &port);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"url\":\"https://127.0.0.1:%d/\"}", port));
    CHECK_CODE(PSC_OK, psc_start(checker));
    int connection = accept(listener, NULL, NULL);
    CHECK(connection != -1);
    CHECK_SOON(psc_threads() == 1);
    for (int i = 0; i < 5; i++) fork_child(child, checker, &journal, config);

    /* The parent's connection is still open: nobody in a child shut it down. */
    struct pollfd hangup = { .fd = connection, .events = POLLRDHUP };
    CHECK(poll(&hangup, 1, 100) == 0 || (hangup.revents & (POLLRDHUP | POLLHUP)) == 0);
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK_SOON(psc_threads() == 0);
    psc_free(checker);
    close(connection);
    close(listener);
}

static void while_the_thread_sleeps(const char *config)
{
    static struct log journal, second;
    log_init(&journal);
    log_init(&second);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    other = checker_new(log_keep, &second, config);
    CHECK_CODE(PSC_OK, psc_run_once(other, NULL)); /* it may cross a fork all the same */
    CHECK_CODE(PSC_OK, psc_configure(other, "{\"start_delay\":3600}"));
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
    CHECK_CODE(PSC_OK, psc_start(checker));
    CHECK_SOON(psc_threads() == 1);
    fork_child(child_of_an_idle_parent, checker, &journal, config);
    psc_free(checker);
    psc_free(other);
}

static void while_it_owns(const char *config, const char *state_dir)
{
    static struct log journal;
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"start_delay\":3600,\"state_dir\":\"%s\"}", state_dir));
    CHECK_CODE(PSC_OK, psc_start(checker));
    WAIT_UNTIL(is_owner(checker));
    fork_child(child_of_an_owner, checker, &journal, state_dir);
    CHECK(is_owner(checker) && is_owner_locked(state_dir));
    CHECK_CODE(PSC_OK, stop_fully(checker));
    CHECK(!is_owner(checker) && !is_owner_locked(state_dir));
    psc_free(checker);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2 || argc == 3);
    in_the_middle_of_a_check(argv[1]);
    while_the_thread_sleeps(argv[1]);
    if (argc == 3) while_it_owns(argv[1], argv[2]);
    CHECK_SOON(count_threads() == 1);
    return 0;
}
