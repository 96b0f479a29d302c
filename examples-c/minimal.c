/*
 * The shortest complete host: one check, its messages on stderr, its code on stdout.
 *
 *   minimal '{"passenger_version":"6.0.10","server_identifier":"nginx"}'
 */
#include <psc.h>
#include <stdio.h>

/* The message is data, never a format: it may hold what a server has sent. */
static void log_line(void *user_data, int level, const char *message)
{
    fprintf(user_data, "[psc %d] %s\n", level, message);
}

int main(int argc, char **argv)
{
    psc_checker *checker = psc_init(log_line, stderr);
    int code = psc_configure(checker, argc > 1 ? argv[1] : "{}");

    if (code != PSC_OK)
        fprintf(stderr, "configuration: %s\n", psc_last_error(checker));
    else
        code = psc_run_once(checker, NULL);
    psc_free(checker);

    printf("%d %s\n", code, psc_strerror(code));
    return code < 0;
}
