/*
 * What psc makes of configurations: the code, the error text and the effective configuration of each.
 *
 *   config FILE           FILE holds one configuration after the other, each ended by a NUL
 *   config --merge FILE   the same, all for one handle
 *
 * An effective configuration that a call rejected has changed is an error of its own.
 */
#include "../harness.h"

static void configure(psc_checker *checker, const char *json)
{
    char *before = NULL, *after = NULL;
    int code;
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &before));
    code = psc_configure(checker, json);
    json_begin();
    json_number("code", code);
    json_text("error", psc_last_error(checker));
    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &after));
    json_document("inspect", after);
    json_end();
    if (code != PSC_OK)
        CHECK(strcmp(before, after) == 0);
    psc_string_free(before);
    psc_string_free(after);
}

int main(int argc, char **argv)
{
    static struct log log;
    psc_checker *checker = NULL;
    size_t length = 0;
    char *bytes, *json;
    int i;
    int merge = argc == 3 && strcmp(argv[1], "--merge") == 0;

    CHECK(argc == 2 + merge);
    bytes = read_file(argv[1 + merge], &length);
    CHECK(length > 0 && bytes[length - 1] == 0);
    for (json = bytes; json < bytes + length; json += strlen(json) + 1) {
        if (checker == NULL)
            checker = psc_init(log_keep, &log);
        CHECK(checker != NULL);
        configure(checker, json);
        if (!merge) {
            psc_free(checker);
            checker = NULL;
        }
    }
    psc_free(checker);
    /* Errors of a configuration are for the caller, not for the log; what may be cured is one warning. */
    for (i = 0; i < log.count; i++) {
        CHECK(log.lines[i].level == 2);
        CHECK(strstr(log.lines[i].message, "until this is cured") != NULL);
    }
    log_clear(&log);
    free(bytes);
    return 0;
}
