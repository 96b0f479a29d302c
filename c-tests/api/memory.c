/*
 * Fails the allocations of a host that uses psc.
 *
 *     memory CONFIG PART one|all|none FIRST STEP RESPONSE NONCE
 *
 * one: the n-th allocation fails, whoever makes it; all: that one and all after it; none: and mmap(2), with which psc reserves
 * memory, as well. For n = FIRST, FIRST + STEP, ... until no n-th allocation is made, each in a process of its own. CONFIG's
 * server answers with an update; RESPONSE is a file with a signed answer to NONCE that tells of one. A line for each n that
 * goes wrong, then "PART HOW: TRIED tried, WORKED worked, REFUSED refused, WRONG wrong".
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "psc.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define CHILD_SECONDS 60

enum ending { NOT_REACHED, WORKED, REFUSED, WRONG };

static atomic_long left;
static atomic_int armed, reached;
static int all, maps_too;
static char response[1 << 16], *config;
static const char *nonce;
static size_t response_length;

static int fails(void)
{
    long now;

    if (!armed)
        return 0;
    now = atomic_fetch_sub(&left, 1);
    if (now != 1 && !(all && now < 1))
        return 0;
    reached = 1;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    return fails() ? NULL : __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    void *got = fails() ? NULL : __libc_memalign(alignment, size);

    if (got == NULL)
        return ENOMEM;
    *block = got;
    return 0;
}

void *mmap(void *place, size_t size, int protection, int flags, int file, off_t offset)
{
    if (maps_too && fails())
        return MAP_FAILED;
    return (void *) syscall(SYS_mmap, place, size, protection, flags, file, offset);
}

/* What was said first at a level that administrators see. */
static char said[1000];
/* Why a configuration was refused. */
static char unusable[1000];
static atomic_int is_said;

/* The handle that is in psc_run, which ends by what is said. */
static psc_checker *runs;
/* The code of the result that was handed over; -100: none was. */
static int handed = -100;

static void note(void *user_data, int level, const char *text)
{
    (void) user_data;
    if (level > 3 || is_said)
        return;
    snprintf(said, sizeof said, "%s", text);
    is_said = 1;
    psc_request_stop(runs);
}

static void note_result(void *user_data, const psc_result *result)
{
    char *json = NULL;

    (void) user_data;
    handed = psc_result_code(result);
    if (psc_result_message(result) == NULL)
        handed = -99;
    psc_result_json(result, &json);
    psc_string_free(json);
    psc_request_stop(runs);
}

static int says_broken(const char *text)
{
    return strstr(text, "OpenSSL") != NULL && strstr(text, "in this process") != NULL;
}

static enum ending wrong(const char *what, int code, const char *text)
{
    armed = 0;
    printf("  %s: code %d, %s; said: %s\n", what, code, text, said);
    return WRONG;
}

/* It is memory's fault, or OpenSSL's in this process. */
static int is_clean(int code, const char *text)
{
    return code == PSC_ERR_SYSTEM && (strstr(text, "out of memory") != NULL || says_broken(text));
}

/* How the call that returned `code` went, where `right` is what it returns else. */
static enum ending judged(const char *what, psc_checker *checker, int code, int right)
{
    const char *text = psc_last_error(checker);

    if (code == right)
        return WORKED;
    if (is_clean(code, text))
        return REFUSED;
    return wrong(what, code, text);
}

static enum ending worse(enum ending one, enum ending other)
{
    return one > other ? one : other;
}

static psc_checker *made(void)
{
    psc_checker *checker = psc_init(note, NULL);
    int code = psc_configure(checker, config);

    snprintf(unusable, sizeof unusable, "%s", psc_last_error(checker));

    if (code != PSC_OK && !says_broken(psc_last_error(checker)))
        wrong("before", code, psc_last_error(checker));
    return checker;
}

static enum ending configure(long n)
{
    enum ending ending;
    psc_checker *checker;

    left = n;
    armed = 1;
    checker = psc_init(note, NULL);
    if (checker == NULL) {
        armed = 0;
        return REFUSED;
    }
    ending = judged("psc_configure", checker, psc_configure(checker, config), PSC_OK);
    psc_free(checker);
    armed = 0;
    return ending;
}

static enum ending once(long n)
{
    psc_checker *checker = made();
    psc_result *result = NULL;
    enum ending ending;
    char *json = NULL;
    int code;

    left = n;
    armed = 1;
    code = psc_run_once(checker, &result);
    ending = judged("psc_run_once", checker, code, PSC_UPDATE_AVAILABLE);
    if (result != NULL) {
        if (psc_result_code(result) != code || psc_result_message(result) == NULL)
            ending = wrong("psc_result_code", psc_result_code(result), psc_result_message(result));
        psc_result_version(result);
        psc_result_notice(result);
        psc_result_next_check(result);
        psc_result_http_status(result);
        psc_result_age(result);
        code = psc_result_json(result, &json);
        if (code != PSC_OK && code != PSC_ERR_SYSTEM)
            ending = wrong("psc_result_json", code, "");
        psc_string_free(json);
        psc_result_free(result);
    }
    if (ending == REFUSED && is_said && !is_clean(PSC_ERR_SYSTEM, said))
        ending = wrong("the record of psc_run_once", PSC_ERR_SYSTEM, "");
    psc_free(checker);
    armed = 0;
    return ending;
}

/* What was prepared comes into force, and its warning is logged, whatever memory there is. */
static enum ending commit(long n)
{
    psc_checker *checker = made();
    psc_config *prepared = NULL;
    enum ending ending = WORKED;
    int code = psc_prepare(checker, "{\"interval\": 50000, \"server_public_key_path\": null, \"resources_dir\": \"/none\"}", 0,
                           &prepared);
    char *json = NULL;

    if (code != PSC_OK)
        return wrong("psc_prepare", code, psc_last_error(checker));
    left = n;
    armed = 1;
    code = psc_commit(checker, prepared);
    armed = 0;
    if (code != PSC_OK)
        ending = wrong("psc_commit", code, psc_last_error(checker));
    code = psc_inspect_config(checker, &json);
    if (code != PSC_OK || strstr(json, "50000") == NULL)
        ending = wrong("psc_commit has not", code, psc_last_error(checker));
    if (!is_said || strstr(said, "each check will fail") == NULL)
        ending = wrong("the warning of psc_commit", code, "");
    psc_string_free(json);
    psc_free(checker);
    return ending;
}

static enum ending others(long n)
{
    psc_checker *checker = made();
    psc_result *result = NULL;
    psc_config *prepared = NULL;
    enum ending ending = WORKED;
    long long next;
    char *json[4] = {NULL, NULL, NULL, NULL};
    int file;

    left = n;
    armed = 1;
    psc_version();
    psc_strerror(PSC_ERR_SYSTEM);
    ending = worse(ending, judged("psc_preview_request", checker, psc_preview_request(checker, &json[0]), PSC_OK));
    ending = worse(ending, judged("psc_inspect_config", checker, psc_inspect_config(checker, &json[1]), PSC_OK));
    ending = worse(ending, judged("psc_status", checker, psc_status(checker, &json[2]), PSC_OK));
    ending = worse(ending, judged("psc_on_result", checker, psc_on_result(checker, note_result, NULL), PSC_OK));
    next = psc_next_check(checker);
    if (next != -1) /* none has been made */
        ending = wrong("psc_next_check", (int) next, "");
    if (psc_last_check_age(checker) != -1)
        ending = wrong("psc_last_check_age", 0, "");
    ending = worse(ending, judged("psc_prepare", checker, psc_prepare(checker, config, PSC_REPLACE, &prepared), PSC_OK));
    psc_config_free(prepared);
    ending = worse(ending, judged("psc_config_errors", checker, psc_config_errors(checker, &json[3]), PSC_OK));
    ending = worse(ending, judged("psc_make_state_dir", checker, psc_make_state_dir(checker, getuid(), getgid()), PSC_OK));
    ending = worse(ending, judged("psc_verify", checker,
                                  psc_verify(checker, response, response_length, nonce, &result), PSC_UPDATE_AVAILABLE));
    psc_result_free(result);
    for (file = 0; file < 4; file++)
        psc_string_free(json[file]);
    file = psc_log_fd(checker);
    if (file < 0)
        ending = worse(ending, judged("psc_log_fd", checker, file, 0));
    ending = worse(ending, judged("psc_log_drain", checker, psc_log_drain(checker), PSC_OK));
    psc_request_stop(checker);
    psc_free(checker);
    armed = 0;
    return ending;
}

static enum ending thread(long n)
{
    psc_checker *checker = made();
    enum ending ending;
    int code, turns;

    left = n;
    armed = 1;
    code = psc_start(checker);
    ending = judged("psc_start", checker, code, PSC_OK);
    for (turns = 0; code == PSC_OK && !is_said && turns < 1500; turns++)
        poll(NULL, 0, 10);
    if (code == PSC_OK && !is_said)
        ending = wrong("the thread", code, "nothing is said");
    if (is_said && is_clean(PSC_ERR_SYSTEM, said))
        ending = worse(ending, REFUSED);
    else if (is_said && strstr(said, "update") == NULL)
        ending = wrong("the thread", code, "another is blamed");
    code = psc_stop(checker);
    ending = worse(ending, judged("psc_stop", checker, code, PSC_OK));
    psc_free(checker);
    armed = 0;
    return ending;
}

static enum ending run(long n)
{
    enum ending ending;
    int code;

    runs = made();
    left = n;
    armed = 1;
    ending = judged("psc_on_result", runs, psc_on_result(runs, note_result, NULL), PSC_OK);
    code = psc_run(runs);
    ending = worse(ending, judged("psc_run", runs, code, PSC_OK));
    if (is_said && is_clean(PSC_ERR_SYSTEM, said))
        ending = worse(ending, REFUSED);
    else if (is_said && strstr(said, "update") == NULL)
        ending = wrong("psc_run", code, "another is blamed");
    else if (ending == WORKED && handed != PSC_UPDATE_AVAILABLE)
        ending = wrong("the result of psc_run", handed, "");
    psc_free(runs);
    runs = NULL;
    armed = 0;
    return ending;
}

/* Memory is back. */
static enum ending check_afterwards(void)
{
    psc_checker *checker;
    const char *text;
    int code;

    maps_too = 0;
    checker = made();
    code = psc_run_once(checker, NULL);
    text = psc_last_error(checker);
    if (code == PSC_ERR_STATE && says_broken(unusable))
        code = PSC_UPDATE_AVAILABLE;
    if (code != PSC_UPDATE_AVAILABLE && !(code == PSC_ERR_SYSTEM && says_broken(text)))
        return wrong("the next check", code, text);
    psc_free(checker);
    return WORKED;
}

static enum ending tried(enum ending (*part)(long n), long n)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        enum ending ending;

        alarm(CHILD_SECONDS);
        ending = part(n);
        if (ending != WRONG && reached && check_afterwards() == WRONG)
            ending = WRONG;
        fflush(stdout);
        _exit(!reached ? NOT_REACHED : (int) ending);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return WRONG;
    if (WIFSIGNALED(status)) {
        printf("  signal %d\n", WTERMSIG(status));
        return WRONG;
    }
    return (enum ending) WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum ending (*part)(long n);
    } parts[] = {{"configure", configure}, {"once", once}, {"commit", commit}, {"thread", thread}, {"run", run}, {"others", others}};
    long counts[WRONG + 1] = {0, 0, 0, 0}, n;
    size_t part;
    FILE *file;

    if (argc != 8)
        return 2;
    config = argv[1];
    all = strcmp(argv[3], "one") != 0;
    maps_too = strcmp(argv[3], "none") == 0;
    nonce = argv[7];
    file = fopen(argv[6], "rb");
    if (file == NULL)
        return 2;
    response_length = fread(response, 1, sizeof response, file);
    fclose(file);
    for (part = 0; part < sizeof parts / sizeof *parts && strcmp(parts[part].name, argv[2]) != 0; part++)
        continue;
    if (part == sizeof parts / sizeof *parts)
        return 2;
    for (n = atol(argv[4]); counts[NOT_REACHED] == 0 && counts[WRONG] < 500; n += atol(argv[5])) {
        enum ending ending = tried(parts[part].part, n);

        if (ending == WRONG)
            printf("%s %s %ld\n", argv[2], argv[3], n);
        counts[ending]++;
    }
    printf("%s %s: %ld tried, %ld worked, %ld refused, %ld wrong\n", argv[2], argv[3],
           counts[WORKED] + counts[REFUSED] + counts[WRONG], counts[WORKED], counts[REFUSED], counts[WRONG]);
    return 0;
}
