/*
 * One check, told in full: the code, every field of the result, every log record, a line each.
 *
 *   check CONFIG...      each CONFIG is given to psc_configure in turn
 */
#include "../harness.h"

static void print_records(const struct records *records)
{
    int i;
    for (i = 0; i < records->count; i++) {
        char name[16];
        snprintf(name, sizeof name, "log %d", records->list[i].level);
        print_field(name, records->list[i].message);
    }
}

static void print_result(const psc_result *result)
{
    printf("result_code %d\n", psc_result_code(result));
    printf("next_check %lld\n", psc_result_next_check(result));
    printf("http_status %d\n", psc_result_http_status(result));
    print_field("message", psc_result_message(result));
    print_field("version", psc_result_version(result));
    print_field("notice", psc_result_notice(result));
}

static int configure_all(psc_checker *checker, char **configs)
{
    int code = PSC_OK;
    for (; *configs != NULL && code == PSC_OK; configs++)
        code = psc_configure(checker, *configs);
    printf("configured %d\n", code);
    if (code != PSC_OK)
        print_field("error", psc_last_error(checker));
    return code;
}

int main(int argc, char **argv)
{
    static struct records records;
    psc_result *result = (psc_result *) &records; /* not NULL: psc must set it */
    psc_checker *checker = psc_init(keep_record, &records);

    CHECK(argc > 1);
    CHECK(checker != NULL);
    if (configure_all(checker, argv + 1) == PSC_OK) {
        int code = psc_run_once(checker, &result);
        printf("code %d\n", code);
        print_field("error", psc_last_error(checker));
        if (result != NULL) {
            CHECK_CODE(code, psc_result_code(result));
            print_result(result);
        }
        psc_result_free(result);
    }
    print_records(&records);
    psc_free(checker);
    forget_records(&records);
    return 0;
}
