/*
 * Arguments that may not be: NULL, not UTF-8, not JSON. And what needs no handle: texts and versions.
 *
 *   codes
 */
#include "../harness.h"

#include <limits.h>

static void test_null_handle(void)
{
    char *json = (char *) &json;
    psc_result *result = (psc_result *) &json;

    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_configure(NULL, "{}"));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_run_once(NULL, &result));
    CHECK(result == NULL);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_run_once(NULL, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_preview_request(NULL, &json));
    CHECK(json == NULL);
    json = (char *) &json;
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_inspect_config(NULL, &json));
    CHECK(json == NULL);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_preview_request(NULL, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_inspect_config(NULL, NULL));
    CHECK(psc_last_error(NULL) != NULL && psc_last_error(NULL)[0] != 0);
    CHECK(psc_last_error(NULL) == psc_last_error(NULL));
    psc_free(NULL);
}

static void test_null_result(void)
{
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_result_code(NULL));
    CHECK(psc_result_message(NULL) == NULL);
    CHECK(psc_result_version(NULL) == NULL);
    CHECK(psc_result_notice(NULL) == NULL);
    CHECK(psc_result_next_check(NULL) <= 0);
    CHECK(psc_result_http_status(NULL) == 0);
    psc_result_free(NULL);
    psc_string_free(NULL);
}

static void test_bad_arguments(void)
{
    psc_checker *checker = psc_init(NULL, NULL);
    CHECK(checker != NULL);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_configure(checker, NULL));
    CHECK(psc_last_error(checker)[0] != 0);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_configure(checker, "{\"program_name\":\"\xff\xfe\"}"));
    CHECK(strstr(psc_last_error(checker), "UTF-8") != NULL);
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_preview_request(checker, NULL));
    CHECK_CODE(PSC_ERR_INVALID_ARGUMENT, psc_inspect_config(checker, NULL));
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, ""));
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "[]"));
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "{\"no_such_key\":1}"));
    CHECK(strstr(psc_last_error(checker), "no_such_key") != NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{}"));
    psc_free(checker);
}

static void test_wrong_moment(void)
{
    psc_checker *checker = psc_init(NULL, NULL);
    psc_result *result = (psc_result *) &checker;
    char *json = (char *) &checker;

    CHECK_CODE(PSC_ERR_STATE, psc_run_once(checker, &result));
    CHECK(result == NULL);
    CHECK_CODE(PSC_ERR_STATE, psc_preview_request(checker, &json));
    CHECK(json == NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, "{\"passenger_version\":\"6.0.10\"}"));
    CHECK_CODE(PSC_ERR_STATE, psc_run_once(checker, NULL));
    CHECK(strstr(psc_last_error(checker), "server_identifier") != NULL);
    psc_free(checker);
}

#define TEXT_OF(macro) #macro
#define TEXT(macro) TEXT_OF(macro)

/* A negative number stays one wherever its macro stands. */
static void test_macros(void)
{
    CHECK(strcmp(TEXT(PSC_ERR_INVALID_ARGUMENT), "(-1)") == 0);
    CHECK(strcmp(TEXT(PSC_ERR_TIMEOUT), "(-16)") == 0);
}

/* Every int has a text; the known ones each their own. */
static void test_strerror(void)
{
    static const int odd[] = { INT_MIN, INT_MIN + 1, -1000, -100, 3, 4, 100, 1000, INT_MAX };
    const char *unknown = psc_strerror(INT_MAX);
    size_t i;
    int code, other;

    CHECK(unknown != NULL && unknown[0] != 0);
    for (i = 0; i < sizeof odd / sizeof odd[0]; i++)
        CHECK(strcmp(psc_strerror(odd[i]), unknown) == 0);
    for (code = PSC_ERR_TIMEOUT; code <= PSC_DISABLED; code++) {
        CHECK(psc_strerror(code)[0] != 0);
        CHECK(strcmp(psc_strerror(code), unknown) != 0);
        CHECK(psc_strerror(code) == psc_strerror(code));
        for (other = PSC_ERR_TIMEOUT; other < code; other++)
            CHECK(strcmp(psc_strerror(code), psc_strerror(other)) != 0);
    }
}

/* The numbers of the contract; a host may have them compiled in. */
static void test_numbers(void)
{
    CHECK(PSC_OK == 0 && PSC_UPDATE_AVAILABLE == 1 && PSC_DISABLED == 2);
    CHECK(PSC_ERR_INVALID_ARGUMENT == -1 && PSC_ERR_CONFIG == -2 && PSC_ERR_STATE == -3);
    CHECK(PSC_ERR_REENTRANT == -4 && PSC_ERR_FORKED == -5 && PSC_ERR_CANCELLED == -6);
    CHECK(PSC_ERR_FILE == -7 && PSC_ERR_NETWORK == -8 && PSC_ERR_TLS == -9 && PSC_ERR_HTTP == -10);
    CHECK(PSC_ERR_RESPONSE == -11 && PSC_ERR_SIGNATURE == -12 && PSC_ERR_NONCE == -13);
    CHECK(PSC_ERR_SYSTEM == -14 && PSC_ERR_INTERNAL == -15 && PSC_ERR_TIMEOUT == -16);
}

static void test_version(void)
{
    unsigned major = 0, minor = 0, patch = 0;
    CHECK(strcmp(psc_version(), PSC_VERSION) == 0);
    CHECK(psc_version_number() == PSC_VERSION_NUMBER);
    CHECK(sscanf(psc_version(), "%u.%u.%u", &major, &minor, &patch) == 3);
    CHECK(psc_version_number() == (major << 16 | minor << 8 | patch));
    CHECK(psc_curl_is_static() == 0 || psc_curl_is_static() == 1);
}

int main(void)
{
    test_null_handle();
    test_null_result();
    test_bad_arguments();
    test_wrong_moment();
    test_macros();
    test_strerror();
    test_numbers();
    test_version();
    return 0;
}
