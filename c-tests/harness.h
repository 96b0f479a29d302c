/*
 * What the programs of c-tests share: assertions, a log callback that keeps what it gets and can be waited for, and the JSON
 * that the tests read (testkit/src/printed.rs).
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "psc.h"

/* --- assertions -------------------------------------------------------------------------------- */

/* _exit: in a forked child, or in psc's thread, handlers of atexit are not to run. */
static inline void fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s (process %d)\n", file, line, what, (int) getpid());
    fflush(NULL);
    _exit(1);
}

static inline void check_code(const char *file, int line, const char *call, int expected, int got)
{
    if (got != expected) {
        fprintf(stderr, "%s:%d: %s returned %d (%s), expected %d (process %d)\n", file, line, call, got,
                psc_strerror(got), expected, (int) getpid());
        fflush(NULL);
        _exit(1);
    }
}

#define CHECK(condition) \
    do { \
        if (!(condition)) fail(__FILE__, __LINE__, #condition); \
    } while (0)
#define CHECK_CODE(expected, call) check_code(__FILE__, __LINE__, #call, (expected), (call))

/* --- time --------------------------------------------------------------------------------------- */

static inline long long now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (long long) time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static inline long long now_ms(void)
{
    return now_us() / 1000;
}

static inline void sleep_ms(int ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L };
    while (nanosleep(&time, &time) == -1 && errno == EINTR) {
    }
}

/* --- the log callback -------------------------------------------------------------------------- */

#define LOG_LINES 4096
#define LOG_TEXT (4 << 20)

struct log_line {
    int level;
    pthread_t thread;
    pid_t thread_id;
    const char *message;
};

/* Zeros are a log without lines; log_wait wants log_init before. */
struct log {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count; /* all lines since log_init or log_clear; the first LOG_LINES of them are kept */
    atomic_int inside;
    struct log_line lines[LOG_LINES];
    size_t used;
    char text[LOG_TEXT]; /* no malloc: some programs measure the heap */
};

static inline void log_init(struct log *log)
{
    pthread_condattr_t monotonic;
    log->count = 0;
    log->used = 0;
    atomic_init(&log->inside, 0);
    pthread_mutex_init(&log->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&log->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Forgets what was kept. */
static inline void log_clear(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    log->count = 0;
    log->used = 0;
    pthread_mutex_unlock(&log->mutex);
}

/* One line of text: no control character of ASCII, and no C1 control (U+0080 to U+009F). */
static inline int is_one_printable_line(const char *message)
{
    const unsigned char *at = (const unsigned char *) message;
    for (; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7f)
            return 0;
        if (*at == 0xc2 && at[1] < 0xa0)
            return 0;
    }
    return 1;
}

/* The callback: psc promises one call at a time and one line of printable text. */
static inline void log_keep(void *user_data, int level, const char *message)
{
    struct log *log = user_data;
    CHECK(atomic_fetch_add(&log->inside, 1) == 0);
    CHECK(level >= 0 && level <= 7);
    CHECK(is_one_printable_line(message));
    pthread_mutex_lock(&log->mutex);
    if (log->count < LOG_LINES) {
        struct log_line *line = &log->lines[log->count];
        size_t size = strlen(message) + 1;
        CHECK(size <= LOG_TEXT - log->used);
        line->level = level;
        line->thread = pthread_self();
        line->thread_id = gettid();
        line->message = memcpy(log->text + log->used, message, size);
        log->used += size;
    }
    log->count++;
    pthread_cond_broadcast(&log->changed);
    pthread_mutex_unlock(&log->mutex);
    atomic_fetch_sub(&log->inside, 1);
}

static inline int log_count(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    int count = log->count;
    pthread_mutex_unlock(&log->mutex);
    return count;
}

static inline int log_find_locked(struct log *log, int from, const char *needle)
{
    for (int i = from; i < log->count && i < LOG_LINES; i++) {
        if (strstr(log->lines[i].message, needle) != NULL) return i;
    }
    return -1;
}

/* Index of the first line from `from` on that contains `needle`; -1 when there is none. */
static inline int log_find(struct log *log, int from, const char *needle)
{
    pthread_mutex_lock(&log->mutex);
    int found = log_find_locked(log, from, needle);
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* How many lines contain `needle`. */
static inline int log_matches(struct log *log, const char *needle)
{
    int found = 0;
    pthread_mutex_lock(&log->mutex);
    CHECK(log->count <= LOG_LINES);
    for (int i = 0; i < log->count; i++) found += strstr(log->lines[i].message, needle) != NULL;
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* Index of the next line from `from` on that contains `needle`, waiting for it; -1 when it has not come within `limit_ms`. */
static inline int log_wait(struct log *log, int from, const char *needle, int limit_ms)
{
    struct timespec deadline;
    int found, timed_out = 0;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += limit_ms / 1000;
    deadline.tv_nsec += (limit_ms % 1000) * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_nsec -= 1000000000L;
        deadline.tv_sec++;
    }
    pthread_mutex_lock(&log->mutex);
    while ((found = log_find_locked(log, from, needle)) == -1 && !timed_out) {
        timed_out = pthread_cond_timedwait(&log->changed, &log->mutex, &deadline) != 0;
    }
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* --- what the tests read: a JSON object a line ---------------------------------------------------- */

/* json_begin, members, json_end: one object. No call of psc in between: its log lines are objects, too. */
static int json_members;

static inline void json_string(const char *text)
{
    const unsigned char *at = (const unsigned char *) text;
    if (text == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (; *at != 0; at++) {
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    putchar('"');
}

static inline void json_begin(void)
{
    flockfile(stdout);
    json_members = 0;
    putchar('{');
}

static inline void json_name(const char *name)
{
    printf("%s\"%s\":", json_members++ > 0 ? "," : "", name);
}

static inline void json_number(const char *name, long long value)
{
    json_name(name);
    printf("%lld", value);
}

/* null where there is no text */
static inline void json_text(const char *name, const char *text)
{
    json_name(name);
    json_string(text);
}

/* A text of psc's that is JSON itself. */
static inline void json_document(const char *name, const char *json)
{
    json_name(name);
    fputs(json != NULL ? json : "null", stdout);
}

static inline void json_end(void)
{
    puts("}");
    fflush(stdout);
    funlockfile(stdout);
}

static inline void print_number(const char *name, long long value)
{
    json_begin();
    json_number(name, value);
    json_end();
}

/* A log callback that keeps nothing. */
static inline void print_log_line(void *user_data, int level, const char *message)
{
    (void) user_data;
    CHECK(level >= 0 && level <= 7);
    CHECK(is_one_printable_line(message));
    json_begin();
    json_number("level", level);
    json_text("message", message);
    json_end();
}

static inline void log_print(struct log *log)
{
    pthread_mutex_lock(&log->mutex);
    for (int i = 0; i < log->count && i < LOG_LINES; i++) print_log_line(NULL, log->lines[i].level, log->lines[i].message);
    pthread_mutex_unlock(&log->mutex);
}

/* --- files -------------------------------------------------------------------------------------- */

/* The whole file in a block of just its length, so that valgrind sees a byte too many being read. */
static inline char *read_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    long size;
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    CHECK(size >= 0);
    rewind(file);
    *length = (size_t) size;
    char *bytes = malloc(*length > 0 ? *length : 1);
    CHECK(bytes != NULL);
    CHECK(fread(bytes, 1, *length, file) == *length);
    CHECK(fclose(file) == 0);
    return bytes;
}

/* --- psc's JSON ----------------------------------------------------------------------------------- */

/* Whether what psc_status, psc_inspect_config or the like gives has that text. */
static inline int json_has(psc_checker *checker, int (*function)(psc_checker *, char **), const char *text)
{
    char *json = NULL;
    CHECK_CODE(PSC_OK, function(checker, &json));
    int found = strstr(json, text) != NULL;
    psc_string_free(json);
    return found;
}

#endif
