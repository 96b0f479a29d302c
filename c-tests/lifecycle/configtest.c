/*
 * Host event "configuration test" (nginx -t, apachectl configtest): a configuration is checked, and nothing else is done.
 *
 *   configtest CONFIG STATE_DIR
 */
#include "common.h"

int main(int argc, char **argv)
{
    static struct log journal;
    char *json;
    CHECK(argc == 3);
    log_init(&journal);
    int descriptors = count_descriptors();

    psc_checker *checker = psc_init(log_keep, &journal);
    CHECK(checker != NULL);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    CHECK_CODE(PSC_OK, configure_format(checker, "{\"state_dir\":\"%s\"}", argv[2]));

    /* What is wrong is said, and nothing of it is applied. */
    CHECK_CODE(PSC_ERR_CONFIG, psc_configure(checker, "{\"interval\":1,\"url\":\"http://localhost/\"}"));
    CHECK(strstr(psc_last_error(checker), "interval") != NULL);
    CHECK(strstr(psc_last_error(checker), "url") != NULL);
    CHECK_CODE(PSC_ERR_FILE, psc_configure(checker, "{\"certificate_path\":\"/nonexistent/ca.pem\"}"));
    CHECK(strstr(psc_last_error(checker), "/nonexistent/ca.pem") != NULL);

    CHECK_CODE(PSC_OK, psc_inspect_config(checker, &json));
    CHECK(strstr(json, "86400") != NULL);
    psc_string_free(json);
    CHECK_CODE(PSC_OK, psc_preview_request(checker, &json));
    psc_string_free(json);

    CHECK_SOON(count_threads() == 1);
    CHECK(count_descriptors() == descriptors);
    CHECK(count_entries(argv[2]) == 0);
    psc_free(checker);
    CHECK(count_descriptors() == descriptors);
    CHECK(count_entries(argv[2]) == 0);
    CHECK(log_count(&journal) == 0);
    return 0;
}
