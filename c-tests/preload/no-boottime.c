/*
 * For LD_PRELOAD: a system without CLOCK_BOOTTIME, as gVisor and other sandboxes are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

static void find(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    memcpy(function, &found, sizeof found);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) find("clock_gettime", &real);
    if (clock == CLOCK_BOOTTIME) {
        errno = EINVAL;
        return -1;
    }
    return real(clock, now);
}

int timerfd_create(int clock, int flags)
{
    static int (*real)(int, int);
    if (real == NULL) find("timerfd_create", &real);
    if (clock == CLOCK_BOOTTIME) {
        errno = EINVAL;
        return -1;
    }
    return real(clock, flags);
}
