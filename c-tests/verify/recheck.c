/*
 * Checks with one configuration, and a shell command after each.
 *
 *   recheck CONFIG [COMMAND]...
 */
#include "../harness.h"

static void print(const char *name, psc_checker *checker, int (*describe)(psc_checker *, char **))
{
    char *json = NULL;
    CHECK_CODE(PSC_OK, describe(checker, &json)); /* works whatever is missing */
    json_begin();
    json_document(name, json);
    json_end();
    psc_string_free(json);
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(print_log_line, NULL);
    int code, i;

    CHECK(argc >= 2);
    CHECK(checker != NULL);
    code = psc_configure(checker, argv[1]);
    json_begin();
    json_number("configured", code);
    json_text("error", code < 0 ? psc_last_error(checker) : "");
    json_end();
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"timeout\":20}")); /* nothing new to say */
    for (i = 2; code == PSC_OK; i++) {
        print_number("code", psc_run_once(checker, NULL));
        print("inspect", checker, psc_inspect_config);
        print("preview", checker, psc_preview_request);
        print("status", checker, psc_status);
        if (i >= argc)
            break;
        CHECK(system(argv[i]) == 0);
    }
    psc_free(checker);
    return 0;
}
