/*
 * One check, for a run in which a system call fails: says on stderr where psc's part begins, then prints the code of each call.
 *
 *   system-calls CONFIG
 */
#include "../harness.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    static const char begun[] = "begun\n";
    psc_checker *checker;
    int code;

    CHECK(argc == 2);
    if (write(STDERR_FILENO, begun, sizeof begun - 1) < 0)
        return 1;
    checker = psc_init(NULL, NULL);
    if (checker == NULL) {
        print_number("code", PSC_ERR_SYSTEM);
        return 0;
    }
    code = psc_configure(checker, argv[1]);
    if (code == PSC_OK)
        code = psc_run_once(checker, NULL);
    json_begin();
    json_number("code", code);
    json_text("error", psc_last_error(checker));
    json_end();
    psc_free(checker);
    return 0;
}
