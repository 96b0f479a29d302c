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
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* A timer is made to expire this soon, so that its owner looks at the clock again. */
#define LOOK_AGAIN_NS 50000000L

static volatile struct { int64_t boot, wall; } *offsets;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_timerfd_settime)(int, int, const struct itimerspec *, struct itimerspec *);

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
    symbol = must(dlsym(RTLD_NEXT, "timerfd_settime"));
    memcpy(&real_timerfd_settime, &symbol, sizeof symbol);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    offsets = must(mmap(NULL, sizeof *offsets, PROT_READ, MAP_SHARED, file, 0));
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (offsets == NULL) set_up();
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

int timerfd_settime(int timer, int flags, const struct itimerspec *wanted, struct itimerspec *before)
{
    struct itimerspec sooner = *wanted;
    int is_relative = (flags & TFD_TIMER_ABSTIME) == 0;
    if (!is_relative) abort(); /* the library does not use it */
    if (sooner.it_value.tv_sec > 0 || sooner.it_value.tv_nsec > LOOK_AGAIN_NS) {
        sooner.it_value = (struct timespec) { 0, LOOK_AGAIN_NS };
    }
    return real_timerfd_settime(timer, flags, &sooner, before);
}
