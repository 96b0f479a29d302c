/*
 * The verdict on an answer out of a file, without a network.
 *
 *   verify CONFIG ANSWER_FILE NONCE
 */
#include "../harness.h"

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(print_log_line, NULL);
    psc_result *result = (psc_result *) checker; /* not NULL: psc must set it */
    char *json = NULL, *status = NULL;
    size_t length = 0;
    char *answer;
    int code;

    CHECK(argc == 4);
    CHECK(checker != NULL);
    answer = read_file(argv[2], &length);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    code = psc_verify(checker, answer, length, argv[3], &result);
    free(answer); /* the result must not need it */
    CHECK(result != NULL);
    CHECK_CODE(code, psc_result_code(result));
    json_begin();
    json_number("code", code);
    if (code < 0) json_text("error", psc_last_error(checker));
    json_text("version", psc_result_version(result));
    json_text("notice", psc_result_notice(result));
    CHECK_CODE(PSC_OK, psc_result_json(result, &json));
    json_document("result", json);
    CHECK_CODE(PSC_OK, psc_status(checker, &status));
    json_document("status", status);
    json_end();
    psc_string_free(json);
    psc_string_free(status);
    psc_result_free(result);
    psc_free(checker);
    return 0;
}
