/*
 * A host that forks inside the callback, and a child that returns from it, as one does whose exec has failed. The child leaves
 * psc at once: where a host's own call led to the callback, with PSC_ERR_FORKED; psc's own thread, and with it the child, ends.
 * It makes no check, logs nothing, writes nothing, keeps nobody's lock, waits for no lock of the parent's.
 *
 *   fork-callback CONFIG STATE_DIR HOW    thread, run, drain, status: where the callback is called from
 *                      [free]                  the child calls psc_free first
 */
#include "common.h"


#define CHILD_SECONDS 20 /* SIGALRM ends a child that hangs */

static psc_checker *checker;
static int frees, told[2];
static atomic_int calls, asked, found;
static pid_t parent, last_child;
static const char *state_dir;

static int in_child(void)
{
    return getpid() != parent;
}

/* Threads of the parent's that hold psc's locks, as often as they can. */
static atomic_int leave;

static void *ask(void *unused)
{
    while (!atomic_load(&leave)) {
        char *json = NULL;
        CHECK_CODE(PSC_OK, psc_status(checker, &json));
        psc_string_free(json);
        atomic_fetch_add(&asked, 1);
    }
    return unused;
}

static void fork_in_callback(void *user_data, int level, const char *message)
{
    (void) user_data, (void) level;
    if (in_child()) {
        CHECK(write(told[1], "l", 1) == 1); /* a record, in a child: told to the parent, which fails */
        return;
    }
    atomic_fetch_add(&calls, 1);
    last_child = fork();
    CHECK(last_child != -1);
    if (last_child == 0) {
        alarm(is_slow() ? 6 * CHILD_SECONDS : CHILD_SECONDS);
        if (frees) {
            CHECK_CODE(PSC_ERR_FORKED, psc_stop(checker));
            psc_free(checker);
        }
        return;
    }
    CHECK(wait_for(last_child) == 0);
    if (strstr(message, "no update found") != NULL) atomic_store(&found, 1);
}

/* The end of a child that is back in the host's own code: with 0 when all is as it should be. */
static void end_of_child(int code)
{
    char *json = NULL;
    CHECK_CODE(PSC_ERR_FORKED, code);
    if (!frees) {
        CHECK(strstr(psc_last_error(checker), "fork") != NULL);
        CHECK_CODE(PSC_ERR_FORKED, psc_status(checker, &json));
        CHECK_CODE(PSC_ERR_FORKED, psc_run_once(checker, NULL));
        psc_free(checker);
    }
    CHECK(count_threads() == 1);
    _exit(0);
}

static void nobody_told(void)
{
    char byte;
    CHECK(read(told[0], &byte, 1) == -1 && errno == EAGAIN);
}

static void from_the_thread(void)
{
    CHECK_CODE(PSC_OK, start_schedule(checker));
    WAIT_UNTIL(atomic_load(&calls) > 0);
    WAIT_UNTIL(is_owner(checker) && is_owner_locked(state_dir)); /* still, although children have ended */
    WAIT_UNTIL(atomic_load(&found));
    CHECK_CODE(PSC_OK, stop_fully(checker));
}

static void from_a_check(void)
{
    psc_result *result = (psc_result *) &calls;
    int code = psc_run_once(checker, &result);
    if (in_child()) {
        CHECK(result == NULL);
        end_of_child(code);
    }
    CHECK_CODE(PSC_OK, code);
    CHECK(result != NULL);
    psc_result_free(result);
}

static void from_draining(void)
{
    int descriptor = psc_log_fd(checker);
    CHECK(descriptor >= 0);
    CHECK_CODE(PSC_OK, psc_run_once(checker, NULL));
    CHECK(atomic_load(&calls) == 0);
    int code = psc_log_drain(checker);
    if (in_child()) end_of_child(code);
    CHECK_CODE(PSC_OK, code);
}

/* A state directory that is none is worth a warning. */
static void from_looking(void)
{
    char *json = (char *) &calls;
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"state_dir\":\"/dev/null/none\"}"));
    int code = psc_status(checker, &json);
    if (in_child()) {
        CHECK(json == NULL);
        end_of_child(code);
    }
    CHECK_CODE(PSC_OK, code);
    psc_string_free(json);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    CHECK(argc == 4 || argc == 5);
    parent = getpid();
    state_dir = argv[2];
    frees = argc == 5;
    CHECK(pipe2(told, O_CLOEXEC | O_NONBLOCK) == 0);
    checker = checker_new(fork_in_callback, NULL, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"log_level\":7,\"state_dir\":\"%s\"}", state_dir));
    int looks = strcmp(argv[3], "status") == 0, drains = strcmp(argv[3], "drain") == 0;
    if (!looks) CHECK(pthread_create(&thread, NULL, ask, NULL) == 0);
    if (!looks) WAIT_UNTIL(atomic_load(&asked) > 0);
    if (strcmp(argv[3], "thread") == 0) from_the_thread();
    else if (strcmp(argv[3], "run") == 0) from_a_check();
    else if (drains) from_draining();
    else if (looks) from_looking();
    else return 2;
    CHECK(atomic_load(&calls) > 0);
    atomic_store(&leave, 1);
    if (!looks) CHECK(pthread_join(thread, NULL) == 0);
    nobody_told();
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
    printf("%d children\n", atomic_load(&calls));
    return 0;
}
