/*
 * A host that does what its standard input says, one command per line, and writes down what comes of it.
 *
 *   configure JSON   start   stop   run   status   inspect   quit
 *
 * Answers are `= CODE` or the JSON text; log records are `log LEVEL MESSAGE`, results `result JSON`.
 */
#include "common.h"

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&output);
    vprintf(format, arguments);
    fflush(stdout);
    pthread_mutex_unlock(&output);
    va_end(arguments);
}

static void write_record(void *user_data, int level, const char *message)
{
    (void) user_data;
    say("log %d %s\n", level, message);
}

static void write_result(void *user_data, const psc_result *result)
{
    char *json = NULL;
    (void) user_data;
    CHECK_CODE(PSC_OK, psc_result_json(result, &json));
    CHECK(psc_result_age(result) >= 0);
    say("result %s\n", json);
    psc_string_free(json);
}

static void answer_json(int code, char *json)
{
    if (code == PSC_OK) {
        say("%s\n", json);
    } else {
        say("= %d\n", code);
    }
    psc_string_free(json);
}

static void obey(psc_checker *checker, const char *command)
{
    char *json = NULL;
    if (strncmp(command, "configure ", 10) == 0) {
        int code = psc_configure(checker, command + 10);
        if (code != PSC_OK) fprintf(stderr, "%s\n", psc_last_error(checker));
        say("= %d\n", code);
    } else if (strcmp(command, "start") == 0) {
        say("= %d\n", start_schedule(checker));
    } else if (strcmp(command, "stop") == 0) {
        say("= %d\n", psc_stop(checker));
    } else if (strcmp(command, "run") == 0) {
        say("= %d\n", psc_run_once(checker, NULL));
    } else if (strcmp(command, "status") == 0) {
        int code = psc_status(checker, &json);
        answer_json(code, json);
    } else if (strcmp(command, "inspect") == 0) {
        int code = psc_inspect_config(checker, &json);
        answer_json(code, json);
    } else {
        fail(__FILE__, __LINE__, command);
    }
}

int main(void)
{
    char line[8192];
    psc_checker *checker = psc_init(write_record, NULL);
    CHECK(checker != NULL);
    CHECK_CODE(PSC_OK, psc_on_result(checker, write_result, NULL));
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "quit") == 0) break;
        obey(checker, line);
    }
    psc_free(checker);
    CHECK_SOON(count_threads() == 1);
    return 0;
}
