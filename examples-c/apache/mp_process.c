/*
 * The process that checks. httpd's own children come and go, in a rush within a second, and a check
 * takes longer than that; so the parent makes one process more, as mod_cgid does. It has given up
 * root's rights like every child, serves nobody, and lives from one (graceful) restart to the next.
 * psc has a thread of its own in there; this file's code only waits: for psc's records, which it
 * writes, and for SIGTERM.
 */
#include "mod_psc.h"

#include "apr_thread_proc.h"
#include "ap_listen.h"
#include "http_main.h"
#include "mpm_common.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

APLOG_USE_MODULE(psc);

/* A process that dies again and again is replaced more and more slowly, in seconds. */
#define SLOWEST 60
/* The process's exit code when it could not begin: neither a signal nor one of httpd's own. */
#define CANNOT 3
/* What `top` and `ps -o comm` show. */
#define NAME "httpd-psc"

/* Of the present configuration, in pconf. */
struct keeper {
    apr_proc_t process;
    psc_checker *checker;
    server_rec *server;
    apr_pool_t *pconf;
    int deaths;
};

/* ---- in the process */

/* True when it is time to leave; false after the time. */
static int told_to_leave(int termination, int milliseconds)
{
    struct pollfd event = {termination, POLLIN, 0};

    while (poll(&event, 1, milliseconds) < 0 && errno == EINTR) {
    }
    return event.revents != 0;
}

static void write_records_until_told_to_leave(psc_checker *checker, int termination, int records)
{
    struct pollfd events[] = {{termination, POLLIN, 0}, {records, POLLIN, 0}};
    int seconds = 1;   /* by then psc has drawn the time of its first check */

    mp_remember(checker);
    while (events[0].revents == 0) {
        if (poll(events, 2, seconds * 1000) < 0) {
            continue;
        }
        /* Before the line that tells of it, and after what came meanwhile. */
        mp_remember(checker);
        psc_log_drain(checker);
        seconds = mp_remember(checker);
    }
}

/* False: it is time to leave, or psc says why not. */
static int start(const struct keeper *keeper, int termination)
{
    int seconds = keeper->deaths < SLOWEST ? keeper->deaths : SLOWEST;
    const char *json;

    do {
        if (told_to_leave(termination, seconds * 1000)) {
            return 0;
        }
        seconds = mp_seconds_to_hold_back(keeper->checker);
    } while (seconds > 0);
    json = seconds == 0 ? "{}" : "{\"start_delay\":0,\"start_jitter\":0}";
    if (psc_configure(keeper->checker, json) < 0 || psc_start(keeper->checker) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->server, "the security update check does not start: %s",
                     psc_last_error(keeper->checker));
        told_to_leave(termination, -1);
        return 0;
    }
    return 1;
}

static void check(const struct keeper *keeper, int termination)
{
    int records = psc_log_fd(keeper->checker);

    if (records < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->server, "the security update check does not start: %s",
                     psc_last_error(keeper->checker));
        told_to_leave(termination, -1);
    } else if (start(keeper, termination)) {
        write_records_until_told_to_leave(keeper->checker, termination, records);
        psc_stop(keeper->checker);
        psc_log_drain(keeper->checker);
    }
}

/* All signals are blocked since before the fork, because the parent's handlers are not this process's; those that tell of a
 * fault end it again. */
static int take_sigterm(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t fatal, termination;
    size_t i;

    sigemptyset(&fatal);
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigaddset(&fatal, faults[i]);
    }
    sigprocmask(SIG_UNBLOCK, &fatal, NULL);
    sigemptyset(&termination);
    sigaddset(&termination, SIGTERM);
    return signalfd(-1, &termination, SFD_CLOEXEC);
}

/* Without exit(): the parent's pools and whatever else is registered there are not this process's to clean up. */
static __attribute__((noreturn)) void run(const struct keeper *keeper, pid_t parent)
{
    int termination = take_sigterm();

    prctl(PR_SET_NAME, NAME);
    ap_close_listeners();
    if (termination < 0 || ap_run_drop_privileges(keeper->pconf, keeper->server) != OK) {
        _exit(CANNOT);
    }
    /* When the parent is killed, too. Asked for after the change of users, which takes it back. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) {
        check(keeper, termination);
    }
    _exit(0);
}

/* ---- in the parent */

static void maintain(int reason, void *data, apr_wait_t status);

/* A web server without the check is better than none. */
static void fork_process(struct keeper *keeper)
{
    sigset_t all, before;
    pid_t parent = getpid(), pid;
    int error;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    error = errno;
    if (pid == 0) {
        run(keeper, parent);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, error, keeper->server,
                     "no process for the security update check: none is made until the next restart");
        return;
    }
    keeper->process.pid = pid;
    apr_proc_other_child_register(&keeper->process, maintain, keeper, NULL, keeper->pconf);
}

static int httpd_is_stopping(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state == AP_MPMQ_STOPPING;
}

/* httpd calls this when the process has ended, and, to stop or restart, while it lives. */
static void maintain(int reason, void *data, apr_wait_t status)
{
    struct keeper *keeper = data;

    switch (reason) {
    case APR_OC_REASON_DEATH:
    case APR_OC_REASON_LOST:
        apr_proc_other_child_unregister(keeper);
        if (httpd_is_stopping()) {
            return;
        }
        if (reason == APR_OC_REASON_DEATH && WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, keeper->server,
                         "no security update checks are made: their process could not become the server's user");
            return;
        }
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, keeper->server,
                     "the process that makes the security update checks has ended; another one takes its place");
        keeper->deaths++;
        fork_process(keeper);
        return;
    case APR_OC_REASON_RESTART:
        /* Now already, so that nobody waits for it later. */
        kill(keeper->process.pid, SIGTERM);
        return;
    default:
        return;
    }
}

/* The process ends with the configuration: `pconf` takes it along, by SIGKILL if it does not leave in three seconds. */
void mp_start_process(psc_checker *checker, server_rec *server, apr_pool_t *pconf)
{
    struct keeper *keeper = apr_pcalloc(pconf, sizeof(*keeper));

    keeper->checker = checker;
    keeper->server = server;
    keeper->pconf = pconf;
    fork_process(keeper);
    if (keeper->process.pid > 0) {
        apr_pool_note_subprocess(pconf, &keeper->process, APR_KILL_AFTER_TIMEOUT);
    }
}
