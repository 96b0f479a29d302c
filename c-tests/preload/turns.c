/*
 * For LD_PRELOAD: how long nginx's event loop is away from epoll_wait. $PSC_TEST_TURNS/PID gets a line per turn: the
 * microseconds of it in which the thread worked or waited for something, not those in which it waited for a processor.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static long long clock_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The kernel's account: nanoseconds on a processor, nanoseconds in the queue for one. */
static long long queued(void)
{
    char text[128];
    long long on_processor, in_queue = 0;
    ssize_t length;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return 0;
    }
    length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length > 0) {
        text[length] = '\0';
        sscanf(text, "%lld %lld", &on_processor, &in_queue);
    }
    return in_queue;
}

static void tell(long long nanoseconds)
{
    const char *directory = getenv("PSC_TEST_TURNS");
    char file[4096];
    int fd;

    if (directory == NULL) {
        return;
    }
    snprintf(file, sizeof(file), "%s/%d", directory, (int)getpid());
    fd = open(file, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (fd >= 0) {
        dprintf(fd, "%lld\n", nanoseconds / 1000);
        close(fd);
    }
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);
    static __thread long long began, queued_before;
    long long in_queue;
    int number;

    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
    }
    if (began != 0) {
        in_queue = queued() - queued_before;
        tell(clock_now() - began - in_queue);
    }
    number = real(epfd, events, maxevents, timeout);
    began = clock_now();
    queued_before = queued();
    return number;
}
