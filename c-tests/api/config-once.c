/*
 * Files are read by the call that names them, and never again: they can be removed afterwards.
 *
 *   config-once CONFIG SECOND_CONFIG FILE...      the FILEs are those that CONFIG names; they are removed
 *
 * Prints the request that it would send then.
 */
#include "../harness.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(NULL, NULL);
    char *json = NULL;
    int i;

    CHECK(argc > 3);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    for (i = 3; i < argc; i++)
        CHECK(unlink(argv[i]) == 0);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[2]));
    CHECK_CODE(PSC_OK, psc_preview_request(checker, &json));
    puts(json);
    psc_string_free(json);
    CHECK_CODE(PSC_ERR_FILE, psc_configure(checker, argv[1])); /* named again: read again */
    psc_free(checker);
    return 0;
}
