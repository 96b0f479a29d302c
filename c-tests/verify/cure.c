/* Checks with one configuration, and a shell command after each.
 *
 *     cure CONFIG [COMMAND]...
 */

#include <stdio.h>
#include <stdlib.h>

#include "psc.h"

static void print_log(void *user_data, int level, const char *message)
{
    (void) user_data;
    printf("log %d %s\n", level, message);
}

static void print(const char *name, psc_checker *checker, int (*describe)(psc_checker *, char **))
{
    char *json = NULL;
    int code = describe(checker, &json);

    printf("%s %d %s\n", name, code, json != NULL ? json : psc_last_error(checker));
    psc_string_free(json);
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(print_log, NULL);
    int code;
    int i;

    if (argc < 2 || checker == NULL) {
        return 2;
    }
    code = psc_configure(checker, argv[1]);
    printf("configure %d %s\n", code, code < 0 ? psc_last_error(checker) : "");
    /* Nothing new to say. */
    printf("again %d\n", psc_configure(checker, "{\"timeout\":20}"));
    for (i = 2; code == PSC_OK; i++) {
        printf("check %d\n", psc_run_once(checker, NULL));
        print("inspect", checker, psc_inspect_config);
        print("preview", checker, psc_preview_request);
        print("status", checker, psc_status);
        fflush(stdout);
        if (i >= argc) {
            break;
        }
        if (system(argv[i]) != 0) {
            return 3;
        }
    }
    psc_free(checker);
    return 0;
}
