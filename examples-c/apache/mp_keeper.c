/*
 * A small thread in each child. It waits until its child is elected, starts psc then, and stops it
 * when the child leaves. The child itself only writes and polls for that: prefork ends a child inside
 * the SIGTERM handler, which may have interrupted malloc or anything else, and psc_stop cannot be
 * called there.
 */
#include "mod_psc.h"

#include "apr_lib.h"
#include "http_main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

APLOG_USE_MODULE(psc);

#define LONGEST_WAIT_MS 1000

static psc_checker *checker;
static int interval;
static int wish[2] = {-1, -1};   /* written by the child when it leaves */
static int done[2] = {-1, -1};   /* closed by the thread */
static volatile int running;

/* True when the child leaves; false after the time, or when there may be no owner. */
static int told_to_leave(int candidate, int milliseconds)
{
    struct pollfd events[] = {{wish[0], POLLIN, 0}, {mp_vacancy(), POLLIN, 0}};

    while (poll(events, candidate ? 2 : 1, milliseconds) < 0 && errno == EINTR) {
    }
    return events[0].revents != 0;
}

/* What psc remembers, in the state directory if it can be read. */
struct known {
    int planned;               /* the next check is in the future */
    apr_int64_t last_check;    /* how many seconds ago; negative: none is known */
};

/* Quotes inside of JSON's strings are escaped, so that a name with its own is found only where it is one. */
static const char *after(const char *json, const char *name)
{
    const char *found = json == NULL ? NULL : strstr(json, name);

    return found == NULL ? NULL : found + strlen(name);
}

static apr_int64_t number(const char *text, apr_int64_t otherwise)
{
    return text != NULL && apr_isdigit(*text) ? strtoll(text, NULL, 10) : otherwise;
}

static struct known ask_psc(void)
{
    struct known known;
    char *json = NULL;

    psc_status(checker, &json);
    known.planned = number(after(json, "\"next_check\":"), 0) > 0;
    known.last_check = number(after(after(json, "\"last_check\":{"), "\"age\":"), -1);
    psc_string_free(json);
    return known;
}

/* Where psc does not know of the last check it would begin one soon: a crash loop must not become a check loop. */
static int seconds_to_hold_back(void)
{
    int seconds = mp_seconds_left(interval);

    if (seconds > 0) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
                     "no state directory remembers this server's last security update check: "
                     "the next one waits for %d seconds", seconds);
    }
    return seconds;
}

static int start_psc(void)
{
    running = 1;
    if (psc_start(checker) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, "the security update check does not start: %s",
                     psc_last_error(checker));
        return 0;
    }
    return 1;
}

/* When the last check was begun: as psc knows it, or else as was known before. */
static void note_last_check(const struct known *known, apr_uint32_t before)
{
    mp_set_begun(known->last_check < 0 ? before : mp_seconds_ago(known->last_check));
}

static void run_psc_until_told_to_leave(void)
{
    apr_uint32_t before = mp_begun();
    struct known known = ask_psc();

    if (known.planned) {
        note_last_check(&known, before);
    } else if (told_to_leave(0, seconds_to_hold_back() * 1000)) {
        return;
    } else {
        mp_set_begun(mp_seconds_ago(0));
    }
    if (start_psc()) {
        told_to_leave(0, -1);
    }
    known = ask_psc();
    note_last_check(&known, before);
    psc_stop(checker);
}

static void *keep(void *unused)
{
    (void)unused;
    while (!mp_elected()) {
        if (told_to_leave(mp_may_be_elected(), -1)) {
            close(done[1]);
            return NULL;
        }
        mp_clear_vacancy();
    }
    run_psc_until_told_to_leave();
    mp_resign();
    close(done[1]);
    return NULL;
}

/* Signals are the main thread's. The stack is of the system's size, of which only what is touched costs memory: in a smaller
 * one the thread-local storage of all that is loaded into httpd might leave too little. */
static int create_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, keep, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

apr_status_t mp_keeper_start(psc_checker *inherited, int seconds)
{
    checker = inherited;
    interval = seconds;
    /* A child that fails here goes on without, and what is open is its own. */
    if (pipe2(wish, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) {
        return errno;
    }
    return create_thread();
}

/* Async-signal-safe. */
void mp_keeper_tell(void)
{
    ssize_t written = write(wish[1], "", 1);

    (void)written;   /* there is none, or it was told before */
}

/* Async-signal-safe. The process exits next, so the descriptors stay open. */
void mp_keeper_end(void)
{
    struct pollfd end = {done[0], POLLIN, 0};

    mp_keeper_tell();
    /* The parent may send SIGTERM meanwhile, to be sure. */
    while (poll(&end, 1, LONGEST_WAIT_MS) < 0 && errno == EINTR) {
    }
}

/* psc has logged what a check came to. */
void mp_keeper_note_check(void)
{
    if (running) {
        mp_set_begun(mp_seconds_ago(0));
    }
}
