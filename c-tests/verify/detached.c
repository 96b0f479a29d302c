/*
 * A stored answer, verified without a network.
 *
 *   verify CONFIG RESPONSE_FILE NONCE     prints the code, then the result's fields, a line each
 */
#include "../harness.h"

int main(int argc, char **argv)
{
    static struct records records;
    static char response[1 << 20];
    psc_result *result = (psc_result *) response;
    psc_checker *checker = psc_init(keep_record, &records);
    size_t length;
    FILE *file;
    int code;

    CHECK(argc == 4);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    file = fopen(argv[2], "rb");
    CHECK(file != NULL);
    length = fread(response, 1, sizeof response, file);
    CHECK(fclose(file) == 0);

    code = psc_verify(checker, response, length, argv[3], &result);
    printf("code %d\n", code);
    print_field("version", psc_result_version(result));
    print_field("notice", psc_result_notice(result));
    psc_result_free(result);
    psc_free(checker);
    forget_records(&records);
    return 0;
}
