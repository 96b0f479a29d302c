/*
 * One check: what psc_configure returned, what psc_run_once returned, every field of the result.
 *
 *   check CONFIG...               each CONFIG is given to psc_configure in turn
 *   check --describe CONFIG...    what psc says about it, too: the request and the configuration before, the status after
 */
#include "../harness.h"

typedef int (*describe_fn)(psc_checker *checker, char **json);

static void print_description(const char *name, psc_checker *checker, describe_fn describe)
{
    char *json = NULL;
    int code = describe(checker, &json);
    json_begin();
    json_document(name, json);
    if (code != PSC_OK) json_text("error", psc_last_error(checker));
    json_end();
    psc_string_free(json);
}

static void print_result(const psc_result *result)
{
    char *json = NULL;
    CHECK_CODE(PSC_OK, psc_result_json(result, &json));
    json_begin();
    json_number("next_check", psc_result_next_check(result));
    json_number("http_status", psc_result_http_status(result));
    json_text("message", psc_result_message(result));
    json_text("version", psc_result_version(result));
    json_text("notice", psc_result_notice(result));
    json_document("result", json);
    json_end();
    psc_string_free(json);
}

static int configure_all(psc_checker *checker, char **configs)
{
    int code = PSC_OK;
    for (; *configs != NULL && code == PSC_OK; configs++) code = psc_configure(checker, *configs);
    json_begin();
    json_number("configured", code);
    if (code != PSC_OK) json_text("error", psc_last_error(checker));
    json_end();
    return code;
}

static void run_once(psc_checker *checker)
{
    psc_result *result = (psc_result *) checker; /* not NULL: psc must set it */
    int code = psc_run_once(checker, &result);
    json_begin();
    json_number("code", code);
    json_text("error", psc_last_error(checker));
    json_end();
    if (result != NULL) {
        CHECK_CODE(code, psc_result_code(result));
        print_result(result);
    }
    psc_result_free(result);
}

int main(int argc, char **argv)
{
    int describe = argc > 1 && strcmp(argv[1], "--describe") == 0;
    psc_checker *checker = psc_init(print_log_line, NULL);

    CHECK(argc > 1 + describe);
    CHECK(checker != NULL);
    if (configure_all(checker, argv + 1 + describe) == PSC_OK) {
        if (describe) {
            print_description("preview", checker, psc_preview_request);
            print_description("inspect", checker, psc_inspect_config);
        }
        run_once(checker);
    }
    if (describe) print_description("status", checker, psc_status);
    psc_free(checker);
    return 0;
}
