/* One check, and everything psc says about it, in sections that a test can take apart.
 *
 *     check CONFIG
 */

#include <stdio.h>
#include <stdlib.h>

#include "psc.h"

typedef int (*describe_fn)(psc_checker *checker, char **json);

static void print_log(void *user_data, int level, const char *message)
{
    (void) user_data;
    printf("== log\n%d %s\n", level, message);
}

static void print(const char *section, char *text)
{
    printf("== %s\n%s\n", section, text != NULL ? text : "");
    psc_string_free(text);
}

static void print_description(const char *section, psc_checker *checker, describe_fn describe)
{
    char *json = NULL;
    if (describe(checker, &json) < 0) {
        printf("== error\n%s: %s\n", section, psc_last_error(checker));
    }
    print(section, json);
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(print_log, NULL);
    psc_result *result = NULL;
    char *json = NULL;
    int code;

    if (argc != 2 || checker == NULL) {
        return 2;
    }
    code = psc_configure(checker, argv[1]);
    if (code == PSC_OK) {
        print_description("preview", checker, psc_preview_request);
        print_description("inspect", checker, psc_inspect_config);
        code = psc_run_once(checker, &result);
    } else {
        printf("== error\n%s\n", psc_last_error(checker));
    }
    printf("== code\n%d\n", code);
    if (result != NULL) {
        if (psc_result_code(result) != code || psc_result_json(result, &json) != PSC_OK) {
            return 1;
        }
        print("result", json);
        if (psc_result_notice(result) != NULL) {
            printf("== notice\n%s\n", psc_result_notice(result));
        }
    }
    print_description("status", checker, psc_status);
    psc_result_free(result);
    psc_free(checker);
    return 0;
}
