/*
 * Host event "reload", both kinds. Workers that are replaced (nginx, Apache): the new generation starts before the old one
 * stops, no check is made twice, and the new one goes on when the old one has gone. A process that stays (the agent, nginx
 * without a master): the new configuration is given to the running handle.
 *
 *   reload CONFIG STATE_DIR
 */
#include "common.h"

static long long next_check(psc_checker *checker)
{
    char *json = NULL;
    CHECK_CODE(PSC_OK, psc_status(checker, &json));
    const char *field = strstr(json, "\"next_check\":");
    CHECK(field != NULL);
    long long seconds = atoll(field + strlen("\"next_check\":")); /* 0 for null */
    psc_string_free(json);
    return seconds;
}

/* One worker: starts, says so, and obeys: 'w' waits for the check, '?' for its turn as the owner, 'q' leaves. */
static pid_t worker(const char *config, const char *state_dir, int *told, int *tell)
{
    int up[2], down[2];
    CHECK(pipe2(up, O_CLOEXEC) == 0 && pipe2(down, O_CLOEXEC) == 0);
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0) {
        static struct log journal;
        char order;
        close(up[0]);
        close(down[1]);
        log_init(&journal);
        psc_checker *checker = checker_new(log_keep, &journal, config);
        CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", state_dir));
        CHECK_CODE(PSC_OK, psc_start(checker));
        CHECK(write(up[1], "s", 1) == 1);
        while (read(down[0], &order, 1) == 1 && order != 'q') {
            if (order == 'w') EXPECT_LOG(&journal, 0, "no update found");
            if (order == '?') WAIT_UNTIL(json_has(checker, psc_status, "\"owner\":true"));
            CHECK(write(up[1], "w", 1) == 1);
        }
        CHECK_CODE(PSC_OK, psc_stop(checker));
        psc_free(checker);
        _exit(0);
    }
    close(up[1]);
    close(down[0]);
    *told = up[0];
    *tell = down[1];
    return child;
}

static void await(int told)
{
    char byte;
    CHECK(read(told, &byte, 1) == 1);
}

static void stays(const char *config)
{
    static struct log journal;
    log_init(&journal);
    psc_checker *checker = checker_new(log_keep, &journal, config);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"log_level\":4}"));
    CHECK_CODE(PSC_OK, psc_start(checker));
    EXPECT_LOG(&journal, 0, "no update found");
    CHECK(next_check(checker) > 47520);

    /* A configuration that will not do leaves the running one as it was. */
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "{\"disabled\":true,\"interval\":-1}"));
    CHECK(log_find(&journal, 0, "disabled") == -1);

    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true}"));
    EXPECT_LOG(&journal, 0, "disabled");
    CHECK(next_check(checker) == 0);
    /* The shorter interval plans the next check anew; none is made for it. */
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":false,\"interval\":43200}"));
    WAIT_UNTIL(next_check(checker) > 0 && next_check(checker) <= 47520);
    CHECK_CODE(PSC_OK, psc_stop(checker));
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
}

int main(int argc, char **argv)
{
    int old_told, old_tell, new_told, new_tell;
    CHECK(argc == 3);
    pid_t old = worker(argv[1], argv[2], &old_told, &old_tell);
    await(old_told);
    CHECK(write(old_tell, "w", 1) == 1);
    await(old_told); /* it has checked */
    pid_t new = worker(argv[1], argv[2], &new_told, &new_tell);
    await(new_told);
    CHECK(write(old_tell, "q", 1) == 1);
    CHECK(wait_for(old) == 0);
    CHECK(write(new_tell, "?", 1) == 1);
    await(new_told); /* still there */
    CHECK(write(new_tell, "q", 1) == 1);
    CHECK(wait_for(new) == 0);

    stays(argv[1]);
    return 0;
}
