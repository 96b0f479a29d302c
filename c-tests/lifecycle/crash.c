/*
 * Host event "crash": a worker dies and is started again, over and over. The state directory keeps that from becoming a
 * check at every start.
 *
 *   crash CONFIG STATE_DIR answered   the first worker dies after its check, by SIGSEGV
 *   crash CONFIG STATE_DIR sending    it dies during its check, by SIGKILL, on a server that never answers
 */
#include "common.h"

#define RESTARTS 20

/* A worker that knows when the next check is due has looked at the state, and makes none now. */
static int has_planned(psc_checker *checker, struct log *journal)
{
    char *json;
    if (log_find(journal, 0, "sending:") != -1) fail(__FILE__, __LINE__, "no second check");
    CHECK_CODE(PSC_OK, psc_status(checker, &json));
    const char *next = strstr(json, "\"next_check\":");
    int planned = next != NULL && atoll(next + strlen("\"next_check\":")) > 300;
    psc_string_free(json);
    return planned;
}

static pid_t worker(const char *config, const char *state_dir, const char *last_words, int signal_number)
{
    pid_t child = fork();
    CHECK(child != -1);
    if (child != 0) return child;

    static struct log journal;
    struct rlimit none = { 0, 0 };
    setrlimit(RLIMIT_CORE, &none);
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"log_level\":7,\"state_dir\":\"%s\"}", state_dir));
    CHECK_CODE(PSC_OK, psc_start(checker));
    if (last_words == NULL) {
        WAIT_UNTIL(has_planned(checker, &journal));
    } else {
        EXPECT_LOG(&journal, 0, last_words);
    }
    signal(signal_number, SIG_DFL);
    kill(getpid(), signal_number);
    for (;;) pause();
}

static void expect_death(pid_t child, int signal_number)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFSIGNALED(status)) fprintf(stderr, "the worker left with code %d\n", WEXITSTATUS(status));
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal_number);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    int sending = strcmp(argv[3], "sending") == 0;
    int signal_number = sending ? SIGKILL : SIGSEGV;
    expect_death(worker(argv[1], argv[2], sending ? "sending:" : "no update found", signal_number), signal_number);
    for (int i = 0; i < RESTARTS; i++) {
        expect_death(worker(argv[1], argv[2], NULL, signal_number), signal_number);
    }
    return 0;
}
