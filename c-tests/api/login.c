/*
 * Everything that psc says about a check through a proxy, for one after the other, each ended by {"end":1}. Lines of standard
 * input, their texts in hexadecimal:
 *
 *   env NAME VALUE     BASE with that variable set
 *   json KEY CONFIG    BASE, and then CONFIG, which is about that key
 *
 *   login BASE STATE_FILE
 */
#include "../harness.h"

static const char *const variables[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

/* As text: what is escaped in psc's JSON is to be seen as it is. */
static void say_json(const char *name, int code, char *json)
{
    CHECK(code == PSC_OK || json == NULL);
    json_begin();
    json_text(name, json);
    json_end();
    psc_string_free(json);
}

static void say_file(const char *path)
{
    char text[65536];
    size_t length;
    FILE *file = fopen(path, "r");
    if (file == NULL) return; /* nothing was accepted yet */
    length = fread(text, 1, sizeof text - 1, file);
    CHECK(length < sizeof text - 1);
    text[length] = '\0';
    fclose(file);
    json_begin();
    json_text("state", text);
    json_end();
}

static void say_code(const char *name, int code, psc_checker *checker)
{
    json_begin();
    json_number(name, code);
    json_text("error", psc_last_error(checker));
    json_end();
}

static void say_all(psc_checker *checker, const char *state)
{
    psc_result *result = NULL;
    char *json = NULL;
    say_code("code", psc_run_once(checker, &result), checker);
    if (result != NULL) {
        int code = psc_result_json(result, &json);
        say_json("result", code, json);
        json_begin();
        json_text("message", psc_result_message(result));
        json_end();
    }
    psc_result_free(result);
    int status = psc_status(checker, &json);
    say_json("status", status, json);
    int inspected = psc_inspect_config(checker, &json);
    say_json("inspect", inspected, json);
    int preview = psc_preview_request(checker, &json);
    say_json("preview", preview, json);
    say_file(state);
}

static void decode(char *text)
{
    unsigned byte;
    size_t length = 0;
    for (; sscanf(text + 2 * length, "%2x", &byte) == 1; length++) text[length] = (char) byte;
    text[length] = '\0';
}

int main(int argc, char **argv)
{
    static char line[262144], kind[8], name[16], text[262144];
    CHECK(argc == 3);
    while (fgets(line, sizeof line, stdin) != NULL) {
        psc_checker *checker = psc_init(print_log_line, NULL);
        CHECK(checker != NULL);
        CHECK(sscanf(line, "%7s %15s %262143s", kind, name, text) == 3);
        decode(text);
        for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
        if (strcmp(kind, "env") == 0) CHECK(setenv(name, text, 1) == 0);
        CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
        if (strcmp(kind, "json") == 0) say_code("configured", psc_configure(checker, text), checker);
        say_all(checker, argv[2]);
        psc_free(checker);
        print_number("end", 1);
    }
    return 0;
}
