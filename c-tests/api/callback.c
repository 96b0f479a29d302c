/*
 * The log callback: messages are data, calls come from the checking thread, and psc can be called from it.
 *
 *   callback CONFIG       a configuration whose check finds an update
 */
#include "../harness.h"

#include <pthread.h>
#include <unistd.h>

struct host {
    psc_checker *checker;
    struct log log;
    pthread_t thread;
    int calls;
    int freed;
};

static void record(struct host *host, int level, const char *message)
{
    CHECK(pthread_equal(host->thread, pthread_self()));
    log_keep(&host->log, level, message);
}

/* What works inside the callback, and what is refused there. */
static void call_back_in(void *user_data, int level, const char *message)
{
    struct host *host = user_data;
    psc_result *result = (psc_result *) host;
    char *json = NULL;

    record(host, level, message);
    CHECK_CODE(PSC_ERR_REENTRANT, psc_run_once(host->checker, &result));
    CHECK(result == NULL);
    CHECK(psc_last_error(host->checker)[0] != 0);
    CHECK_CODE(PSC_OK, psc_configure(host->checker, "{\"log_level\":4}"));
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(host->checker, "{\"log_level\":8}"));
    CHECK_CODE(PSC_OK, psc_inspect_config(host->checker, &json));
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_preview_request(host->checker, &json));
    psc_string_free(json);
    host->calls++;
}

/* psc_free inside the callback ends the handle; nothing more is logged. */
static void free_inside(void *user_data, int level, const char *message)
{
    struct host *host = user_data;
    CHECK(!host->freed);
    record(host, level, message);
    host->freed = 1;
    psc_free(host->checker);
}

static void start_host(struct host *host, psc_log_fn log, const char *config)
{
    memset(host, 0, sizeof *host);
    host->thread = pthread_self();
    host->checker = psc_init(log, host);
    CHECK(host->checker != NULL);
    CHECK_CODE(PSC_OK, psc_configure(host->checker, config));
}

static void keep_in_host(void *user_data, int level, const char *message)
{
    record(user_data, level, message);
}

/* Format characters arrive as they are. */
static void test_format_characters(struct host *host, const char *config)
{
    start_host(host, keep_in_host, config);
    CHECK_CODE(PSC_OK, psc_configure(host->checker, "{\"program_name\":\"%n%s%5000d%%\"}"));
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(host->checker, NULL));
    CHECK(log_matches(&host->log, "%n%s%5000d%%") >= 1);
    psc_free(host->checker);
    log_clear(&host->log);
}

static void test_calls_inside(struct host *host, const char *config)
{
    start_host(host, call_back_in, config);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(host->checker, NULL));
    CHECK(host->calls >= 1);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(host->checker, NULL)); /* the refusals have left no trace */
    psc_free(host->checker);
    log_clear(&host->log);
}

static void test_free_inside(struct host *host, const char *config)
{
    start_host(host, free_inside, config);
    psc_run_once(host->checker, NULL);
    CHECK(host->freed);
    CHECK(host->log.count == 1);
    log_clear(&host->log);
}

/* Level by level: nothing that is less important than log_level arrives. */
static void test_levels(struct host *host, const char *config)
{
    int limit, i, before = 0;
    for (limit = 0; limit <= 7; limit++) {
        char change[64];
        start_host(host, keep_in_host, config);
        snprintf(change, sizeof change, "{\"log_level\":%d}", limit);
        CHECK_CODE(PSC_OK, psc_configure(host->checker, change));
        CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(host->checker, NULL));
        for (i = 0; i < host->log.count; i++)
            CHECK(host->log.lines[i].level <= limit);
        CHECK(host->log.count >= before);
        CHECK((limit == 0) == (host->log.count == 0));
        CHECK((limit == 7) == (log_matches(&host->log, "sending:") > 0));
        CHECK((limit == 7) == (log_matches(&host->log, "received:") > 0));
        before = host->log.count;
        psc_free(host->checker);
        log_clear(&host->log);
    }
}

/* A host without a log. */
static void test_no_callback(const char *config)
{
    psc_checker *checker = psc_init(NULL, NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));
    psc_free(checker);
}

int main(int argc, char **argv)
{
    static struct host host;
    CHECK(argc == 2);
    test_format_characters(&host, argv[1]);
    test_calls_inside(&host, argv[1]);
    test_free_inside(&host, argv[1]);
    test_levels(&host, argv[1]);
    test_no_callback(argv[1]);
    return 0;
}
