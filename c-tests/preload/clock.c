/*
 * For LD_PRELOAD: time passes when a test says so, also for programs that run.
 *
 *   CLOCK_FILE=FILE   two 64-bit integers, seconds to add to the time since boot and to the calendar
 *
 * The monotonic clock, which timeouts are measured with, is left alone: to the program it looks as if the machine
 * had been suspended (both numbers move), set by its administrator or by NTP (the second one does).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A sleep is made to end this soon, so that the sleeper looks at the clock again. */
#define LOOK_AGAIN_NS 50000000L

static volatile struct { int64_t boot, wall; } *offsets;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static long (*real_syscall)(long, ...);

static void *must(void *pointer)
{
    if (pointer == NULL || pointer == MAP_FAILED) abort();
    return pointer;
}

__attribute__((constructor))
static void set_up(void)
{
    const char *path = must(getenv("CLOCK_FILE"));
    void *symbol = must(dlsym(RTLD_NEXT, "clock_gettime"));
    memcpy(&real_clock_gettime, &symbol, sizeof symbol);
    symbol = must(dlsym(RTLD_NEXT, "syscall"));
    memcpy(&real_syscall, &symbol, sizeof symbol);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    offsets = must(mmap(NULL, sizeof *offsets, PROT_READ, MAP_SHARED, file, 0));
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (real_clock_gettime == NULL) set_up();
    int result = real_clock_gettime(clock, now);
    if (clock == CLOCK_BOOTTIME) now->tv_sec += offsets->boot;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now->tv_sec += offsets->wall;
    return result;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL) *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

/* The thread sleeps by futex(2); so do locks, which have no limit, and waits that may end early. */
long syscall(long number, ...)
{
    static const struct timespec soon = { 0, LOOK_AGAIN_NS };
    const struct timespec *limit;
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) arguments[i] = va_arg(list, long);
    va_end(list);
    if (real_syscall == NULL) set_up();
    if (number == SYS_futex && ((int) arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT && arguments[3] != 0) {
        memcpy(&limit, &arguments[3], sizeof limit);
        if (limit->tv_sec > 0 || limit->tv_nsec > LOOK_AGAIN_NS) limit = &soon;
        memcpy(&arguments[3], &limit, sizeof limit);
    }
    return real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}
