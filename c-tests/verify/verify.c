/* The verdict on an answer out of a file.
 *
 *     verify CONFIG ANSWER_FILE NONCE
 */

#include <stdio.h>
#include <stdlib.h>

#include "psc.h"

static void print_log(void *user_data, int level, const char *message)
{
    (void) user_data;
    printf("== log\n%d %s\n", level, message);
}

/* The whole file in a block of just its length, so that valgrind sees a byte too many being read. */
static char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        return NULL;
    }
    rewind(file);
    *length = (size_t) size;
    bytes = malloc(*length > 0 ? *length : 1);
    if (bytes != NULL && fread(bytes, 1, *length, file) != *length) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(print_log, NULL);
    psc_result *result = NULL;
    size_t length = 0;
    char *json = NULL;
    char *answer;
    int code;

    if (argc != 4 || checker == NULL) {
        return 2;
    }
    answer = read_file(argv[2], &length);
    if (answer == NULL || psc_configure(checker, argv[1]) != PSC_OK) {
        fprintf(stderr, "%s\n", psc_last_error(checker));
        return 2;
    }
    code = psc_verify(checker, answer, length, argv[3], &result);
    free(answer); /* the result must not need it */
    printf("== code\n%d\n", code);
    if (code < 0) {
        printf("== error\n%s\n", psc_last_error(checker));
    }
    if (result == NULL || psc_result_code(result) != code || psc_result_json(result, &json) != PSC_OK) {
        return 1;
    }
    printf("== result\n%s\n", json);
    psc_string_free(json);
    if (psc_result_notice(result) != NULL) {
        printf("== notice\n%s\n", psc_result_notice(result));
    }
    if (psc_status(checker, &json) != PSC_OK) {
        return 1;
    }
    printf("== status\n%s\n", json);
    psc_string_free(json);
    psc_result_free(result);
    psc_free(checker);
    return 0;
}
