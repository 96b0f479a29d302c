/*
 * Host event "fork", while another thread is in a call on a handle that was not started: the child gets PSC_ERR_FORKED, or
 * has a handle that works when no call was under way; it never waits for a thread that it does not have.
 *
 *   fork-calls CONFIG STATE_DIR
 */
#include "common.h"

#define FORKS 40
#define CHILD_SECONDS 10 /* SIGALRM ends a child that hangs */

static psc_checker *checker;
static atomic_int leave;

static void *ask(void *unused)
{
    (void) unused;
    while (!atomic_load(&leave)) {
        char *json = NULL;
        CHECK_CODE(PSC_OK, psc_status(checker, &json));
        psc_string_free(json);
    }
    return NULL;
}

static void *configure(void *config)
{
    while (!atomic_load(&leave)) CHECK_CODE(PSC_OK, psc_configure(checker, config));
    return NULL;
}

/* Says by its exit status whether the handle is another process's. */
static void child(const char *config)
{
    char *json = NULL;
    alarm(is_slow() ? 6 * CHILD_SECONDS : CHILD_SECONDS);
    int code = psc_inspect_config(checker, &json);
    CHECK(code == PSC_OK || code == PSC_ERR_FORKED);
    CHECK((code == PSC_OK) == (json != NULL));
    psc_string_free(json);
    CHECK_CODE(code, psc_configure(checker, config));
    CHECK_CODE(code, psc_status(checker, &json));
    psc_string_free(json);
    psc_free(checker);
    _exit(code == PSC_ERR_FORKED ? 2 : 0);
}

static void fork_during(void *(*calls)(void *), char *config)
{
    pthread_t thread;
    int foreign = 0;
    atomic_store(&leave, 0);
    CHECK(pthread_create(&thread, NULL, calls, config) == 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        CHECK(pid != -1);
        if (pid == 0) child(config);
        int status = wait_for(pid);
        CHECK(status == 0 || status == 2);
        foreign += status == 2;
    }
    atomic_store(&leave, 1);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("%d of %d children found a call under way\n", foreign, FORKS);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    checker = checker_new(NULL, NULL, argv[1]);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", argv[2]));
    fork_during(ask, argv[1]);
    fork_during(configure, argv[1]);
    CHECK_CODE(PSC_OK, psc_start(checker)); /* the parent's own is as it was */
    CHECK_CODE(PSC_OK, stop_fully(checker));
    psc_free(checker);
    return 0;
}
