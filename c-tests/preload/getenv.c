/*
 * For LD_PRELOAD: counts who asks for environment variables while getenv_watch(1) is in force, and names them on stderr.
 * What glibc does inside itself (LOCALDOMAIN and RES_OPTIONS in a look-up) does not come by here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int getenv_watch(int on);

extern char **environ;

static atomic_int watched, calls;

static char *value_of(const char *name, const char *function)
{
    size_t length = strlen(name);
    char **entry;
    if (watched) {
        calls++;
        fprintf(stderr, "%s(%s)\n", function, name);
    }
    for (entry = environ; entry != NULL && *entry != NULL; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

char *getenv(const char *name)
{
    return value_of(name, "getenv");
}

char *secure_getenv(const char *name)
{
    return value_of(name, "secure_getenv");
}

/* Returns how many calls there were since it was switched on. */
int getenv_watch(int on)
{
    if (on)
        calls = 0;
    watched = on;
    return calls;
}
