/*
 * What the programs of this directory share: CHECK, and a log callback that keeps what it gets
 * and itself refuses a message that the contract forbids.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "psc.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

#define CHECK_CODE(expected, call) \
    do { \
        int check_code = (call); \
        if (check_code != (expected)) { \
            fprintf(stderr, "%s:%d: %s is %d, not %d\n", __FILE__, __LINE__, #call, check_code, (expected)); \
            exit(1); \
        } \
    } while (0)

#define RECORDS 4096

struct record {
    int level;
    char *message;
};

struct records {
    int count;
    struct record list[RECORDS];
};

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

static inline void keep_record(void *user_data, int level, const char *message)
{
    struct records *records = user_data;
    CHECK(message != NULL);
    CHECK(level >= 0 && level <= 7);
    CHECK(is_one_printable_line(message));
    CHECK(records->count < RECORDS);
    records->list[records->count].level = level;
    records->list[records->count].message = strdup(message);
    records->count++;
}

static inline void forget_records(struct records *records)
{
    int i;
    for (i = 0; i < records->count; i++)
        free(records->list[i].message);
    records->count = 0;
}

static inline int logged(const struct records *records, const char *text)
{
    int i, found = 0;
    for (i = 0; i < records->count; i++)
        found += strstr(records->list[i].message, text) != NULL;
    return found;
}

/* A field of the output that the Rust side reads: what would break a line is escaped. */
static inline void print_field(const char *name, const char *value)
{
    const unsigned char *at = (const unsigned char *) value;
    if (value == NULL)
        return;
    printf("%s ", name);
    for (; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7f || *at == '\\')
            printf("\\x%02x", *at);
        else
            putchar(*at);
    }
    putchar('\n');
}

#endif
