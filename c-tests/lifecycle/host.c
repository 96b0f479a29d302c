/*
 * A host that does what its standard input says, one command per line, and writes down what comes of it.
 *
 *   configure JSON   start   stop   run   status   inspect   quit
 *
 * Each is answered with what the function returned; results of the schedule come as {"result":...}.
 */
#include "common.h"

static void answer_code(int code)
{
    print_number("returned", code);
}

static void write_result(void *user_data, const psc_result *result)
{
    char *json = NULL;
    (void) user_data;
    CHECK_CODE(PSC_OK, psc_result_json(result, &json));
    CHECK(psc_result_age(result) >= 0);
    json_begin();
    json_document("result", json);
    json_end();
    psc_string_free(json);
}

static void answer_json(int code, char *json)
{
    json_begin();
    json_number("returned", code);
    json_document("json", json);
    json_end();
    psc_string_free(json);
}

static void obey(psc_checker *checker, const char *command)
{
    char *json = NULL;
    if (strncmp(command, "configure ", 10) == 0) {
        int code = psc_configure(checker, command + 10);
        if (code != PSC_OK) fprintf(stderr, "%s\n", psc_last_error(checker));
        answer_code(code);
    } else if (strcmp(command, "start") == 0) {
        answer_code(start_schedule(checker));
    } else if (strcmp(command, "stop") == 0) {
        answer_code(psc_stop(checker));
    } else if (strcmp(command, "run") == 0) {
        answer_code(psc_run_once(checker, NULL));
    } else if (strcmp(command, "status") == 0) {
        int code = psc_status(checker, &json);
        answer_json(code, json);
    } else if (strcmp(command, "inspect") == 0) {
        int code = psc_inspect_config(checker, &json);
        answer_json(code, json);
    } else {
        fail(__FILE__, __LINE__, command);
    }
}

int main(void)
{
    char line[8192];
    psc_checker *checker = psc_init(print_log_line, NULL);
    CHECK(checker != NULL);
    CHECK_CODE(PSC_OK, psc_on_result(checker, write_result, NULL));
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0) break;
        obey(checker, line);
    }
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
    return 0;
}
