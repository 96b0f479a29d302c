/* psc_verify and psc_result_json with arguments that no host should pass, but some will.
 *
 *     arguments CONFIG
 */

#include "../harness.h"

#include <stdint.h>

/* Anything but NULL: psc has to put NULL there. */
static psc_result *const GARBAGE = (psc_result *) 1;

static void refused_without_a_verdict(psc_checker *checker, const char *answer, size_t length, const char *nonce)
{
    psc_result *result = GARBAGE;
    CHECK(psc_verify(checker, answer, length, nonce, &result) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(result == NULL);
    CHECK(psc_verify(checker, answer, length, nonce, NULL) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(strlen(psc_last_error(checker)) > 0);
}

static void unusable(psc_checker *checker, const char *answer, size_t length)
{
    psc_result *result = GARBAGE;
    char *json = NULL;
    CHECK(psc_verify(checker, answer, length, "nonce", &result) == PSC_ERR_RESPONSE);
    CHECK(result != NULL && psc_result_code(result) == PSC_ERR_RESPONSE);
    CHECK(psc_result_json(result, &json) == PSC_OK);
    CHECK(strstr(json, "PSC_ERR_RESPONSE") != NULL);
    psc_string_free(json);
    psc_result_free(result);
    CHECK(psc_verify(checker, answer, length, "nonce", NULL) == PSC_ERR_RESPONSE);
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(NULL, NULL);
    psc_result *result = GARBAGE;
    char *json = (char *) GARBAGE;

    CHECK(argc == 2 && checker != NULL);

    /* Without a pinned key there is no verdict. */
    CHECK(psc_verify(checker, "{}", 2, "nonce", &result) == PSC_ERR_STATE);
    CHECK(result == NULL);

    CHECK(psc_configure(checker, argv[1]) == PSC_OK);
    refused_without_a_verdict(NULL, "{}", 2, "nonce");
    refused_without_a_verdict(checker, NULL, 0, "nonce");
    refused_without_a_verdict(checker, NULL, 2, "nonce");
    refused_without_a_verdict(checker, "{}", 2, NULL);
    refused_without_a_verdict(checker, "{}", 2, "\xff");
    refused_without_a_verdict(checker, "{}", SIZE_MAX, "nonce");

    unusable(checker, "", 0);
    unusable(checker, "{}", 2);
    unusable(checker, "{}", 1);
    unusable(checker, "\0\0\0", 3);
    unusable(checker, "\xff\xfe", 2);
    /* Too long: refused before a byte of it is read, so that none has to be there. */
    unusable(checker, "{}", 256 * 1024 + 1);
    unusable(checker, "{}", (size_t) PTRDIFF_MAX);

    CHECK(psc_result_json(NULL, &json) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(json == NULL);
    CHECK(psc_result_json(NULL, NULL) == PSC_ERR_INVALID_ARGUMENT);
    CHECK(psc_verify(checker, "{}", 2, "nonce", &result) == PSC_ERR_RESPONSE);
    CHECK(psc_result_json(result, NULL) == PSC_ERR_INVALID_ARGUMENT);
    psc_result_free(result);

    psc_free(checker);
    puts("arguments: ok");
    return 0;
}
