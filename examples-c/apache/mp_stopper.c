/*
 * prefork ends a child inside the SIGTERM handler, which may have interrupted malloc or anything
 * else. There psc_stop cannot be called, only write and poll. So a thread that was made in time
 * waits for a byte, calls psc_stop and closes its end of a second pipe.
 */
#include "mod_psc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define LONGEST_WAIT_MS 1000
#define STACK_SIZE (256 * 1024)

static psc_checker *to_stop;
static int wish[2];   /* written by the handler */
static int done[2];   /* closed by the thread */

static void *wait_and_stop(void *unused)
{
    char byte;

    (void)unused;
    while (read(wish[0], &byte, 1) < 0 && errno == EINTR) {
    }
    psc_stop(to_stop);
    close(done[1]);
    return NULL;
}

/* Signals are the main thread's. */
static int create_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, wait_and_stop, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

apr_status_t mp_stopper_start(psc_checker *checker)
{
    int error;

    to_stop = checker;
    if (pipe2(wish, O_CLOEXEC) < 0) {
        return errno;
    }
    if (pipe2(done, O_CLOEXEC) < 0) {
        error = errno;
        close(wish[0]);
        close(wish[1]);
        return error;
    }
    error = create_thread();
    if (error != 0) {
        close(wish[0]);
        close(wish[1]);
        close(done[0]);
        close(done[1]);
    }
    return error;
}

/* Async-signal-safe. The process exits next, so the descriptors stay open. */
void mp_stopper_run(void)
{
    struct pollfd end = {done[0], POLLIN, 0};

    if (write(wish[1], "", 1) == 1) {
        poll(&end, 1, LONGEST_WAIT_MS);
    }
}
