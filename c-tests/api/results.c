/*
 * Who owns what: results and strings outlive their handle, out-parameters are set on every path,
 * a failure gives a complete result, nothing leaks (valgrind looks on).
 *
 *   results CONFIG        a configuration whose check succeeds
 */
#include "../harness.h"

static void check_complete(const psc_result *result, int code)
{
    CHECK(result != NULL);
    CHECK_CODE(code, psc_result_code(result));
    CHECK(psc_result_message(result) != NULL && psc_result_message(result)[0] != 0);
    CHECK(is_one_printable_line(psc_result_message(result)));
    CHECK((psc_result_version(result) != NULL) == (code == PSC_UPDATE_AVAILABLE));
}

static psc_result *check_once(psc_checker *checker, int expected)
{
    psc_result *result = (psc_result *) checker;
    CHECK_CODE(expected, psc_run_once(checker, &result));
    check_complete(result, expected);
    return result;
}

static void test_strings_are_the_callers(psc_checker *checker)
{
    char *inspected = NULL, *again = NULL, *preview = NULL;
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &inspected));
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &again));
    CHECK_CODE(PSC_OK, psc_preview_request(checker, &preview));
    CHECK(inspected != again && strcmp(inspected, again) == 0);
    CHECK(strstr(preview, "passenger_version") != NULL);
    CHECK(strstr(preview, "\"Accept: */*\"") != NULL);
    psc_string_free(inspected);
    psc_string_free(preview);
    CHECK(again[0] == '{');
    psc_string_free(again);
}

static void test_last_error(psc_checker *checker)
{
    char first[4096];
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "{\"interval\":1,\"timeout\":0}"));
    snprintf(first, sizeof first, "%s", psc_last_error(checker));
    CHECK(strstr(first, "interval") != NULL && strstr(first, "timeout") != NULL);
    CHECK(strcmp(first, psc_last_error(checker)) == 0); /* asking does not change the answer */
    CHECK_CODE(PSC_OK, psc_configure(checker, "{}"));
    CHECK(strcmp(first, psc_last_error(checker)) != 0);
}

int main(int argc, char **argv)
{
    static struct log log;
    psc_checker *checker = psc_init(log_keep, &log);
    psc_result *good, *failed, *disabled;
    char *config;

    CHECK(argc == 2);
    config = strdup(argv[1]);
    CHECK_CODE(PSC_OK, psc_configure(checker, config));
    memset(config, 'x', strlen(config)); /* psc has copied it */
    free(config);

    test_strings_are_the_callers(checker);
    test_last_error(checker);

    good = check_once(checker, PSC_UPDATE_AVAILABLE);
    CHECK(psc_result_http_status(good) == 200);
    CHECK_CODE(PSC_UPDATE_AVAILABLE, psc_run_once(checker, NULL));

    /* Port 1 of loopback: nobody listens. */
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"url\":\"https://127.0.0.1:1/\"}"));
    failed = check_once(checker, PSC_ERR_NETWORK);
    CHECK(psc_result_http_status(failed) == 0);
    CHECK(psc_result_notice(failed) == NULL);
    CHECK_CODE(PSC_ERR_NETWORK, psc_run_once(checker, NULL));

    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"disabled\":true}"));
    disabled = check_once(checker, PSC_DISABLED);

    psc_free(checker);
    check_complete(good, PSC_UPDATE_AVAILABLE);
    check_complete(failed, PSC_ERR_NETWORK);
    CHECK(log_matches(&log, psc_result_message(good)) >= 1); /* the main line */
    CHECK(log_matches(&log, psc_result_message(failed)) >= 1);
    CHECK(log_matches(&log, "security update is available") == 2);
    psc_result_free(good);
    psc_result_free(failed);
    psc_result_free(disabled);
    log_clear(&log);
    return 0;
}
