/*
 * No call waits behind the file access of another: of psc_configure, whose file does not come (preload-open.c), and of
 * psc_run_once, whose state directory does not answer (preload-rename.c), with psc_start beside it.
 *
 *   slow-files CONFIG MARK configure SLOW_FILE
 *   slow-files CONFIG MARK state STATE_DIR
 */
#include "common.h"

static psc_checker *checker;
static const char *slow;
static atomic_int is_over;

static void *configure(void *unused)
{
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"certificate_path\":\"%s\"}", slow));
    atomic_store(&is_over, 1);
    return unused;
}

static void *run_once(void *unused)
{
    CHECK(psc_run_once(checker, NULL) <= PSC_UPDATE_AVAILABLE);
    atomic_store(&is_over, 1);
    return unused;
}

static void *start(void *unused)
{
    CHECK_CODE(PSC_OK, psc_start(checker));
    return unused;
}

#define IN_TIME(call) \
    do { \
        long long start_ = now_ms(); \
        call; \
        CHECK(now_ms() - start_ < bound_ms()); \
    } while (0)

static void everything(int stopped)
{
    char *json = NULL;
    IN_TIME(CHECK_CODE(PSC_OK, psc_status(checker, &json)));
    psc_string_free(json);
    IN_TIME(CHECK_CODE(PSC_OK, psc_inspect_config(checker, &json)));
    psc_string_free(json);
    IN_TIME(CHECK_CODE(PSC_OK, psc_preview_request(checker, &json)));
    psc_string_free(json);
    IN_TIME(CHECK_CODE(PSC_OK, psc_configure(checker, "{\"timeout\":7}")));
    IN_TIME(CHECK(strlen(psc_last_error(checker)) > 0));
    IN_TIME(CHECK(psc_log_fd(checker) >= 0));
    IN_TIME(CHECK_CODE(PSC_OK, psc_log_drain(checker)));
    IN_TIME(psc_request_stop(checker));
    IN_TIME(CHECK_CODE(stopped, psc_stop(checker)));
    IN_TIME(CHECK_CODE(PSC_OK, psc_status(checker, &json)));
    psc_string_free(json);
    CHECK(!atomic_load(&is_over)); /* it still waits */
}

int main(int argc, char **argv)
{
    pthread_t slow_call, starting;
    CHECK(argc == 5);
    checker = checker_new(NULL, NULL, argv[1]);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"start_delay\":3600}"));
    slow = argv[4];
    if (strcmp(argv[3], "configure") == 0) {
        CHECK(pthread_create(&slow_call, NULL, configure, NULL) == 0);
        WAIT_UNTIL(access(argv[2], F_OK) == 0);
        IN_TIME(CHECK_CODE(PSC_OK, psc_start(checker)));
        everything(PSC_OK);
        CHECK(pthread_join(slow_call, NULL) == 0);
        /* What the faster one set is kept, what the slower one set has come to it. */
        CHECK(json_has(checker, psc_inspect_config, "\"timeout\":7") && json_has(checker, psc_inspect_config, slow));
    } else {
        CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", slow));
        CHECK(pthread_create(&slow_call, NULL, run_once, NULL) == 0);
        WAIT_UNTIL(access(argv[2], F_OK) == 0);
        CHECK(pthread_create(&starting, NULL, start, NULL) == 0);
        IN_TIME(CHECK(pthread_join(starting, NULL) == 0));
        everything(PSC_ERR_TIMEOUT);
        CHECK(pthread_join(slow_call, NULL) == 0);
    }
    psc_free(checker);
    return 0;
}
