/*
 * The process that makes the checks. httpd's own children may live for less than a second, and a check
 * takes longer than that; so the parent forks one more process, as mod_cgid does. It drops root's
 * privileges like every child, serves no clients, and lives until the next (graceful) restart.
 * psc runs its own thread in it; the code here only waits: for psc's log lines, which it writes to the
 * error log, and for SIGTERM.
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

/* Seconds. A process that keeps dying is replaced after one second more each time, up to this. */
#define MAX_RESTART_DELAY 60
/* The exit code of a process that could not start; not one of those that httpd uses itself. */
#define EXIT_CANNOT_START 3
/* What `top` and `ps -o comm` show. */
#define PROCESS_NAME "httpd-psc"

/* One per configuration, allocated in pconf. */
struct check_child {
    apr_proc_t process;
    psc_checker *checker;
    server_rec *server;
    apr_pool_t *pconf;
    int deaths;
};

/* ---- in the process */

/* True once SIGTERM has arrived; false when the time is up (-1: waits for ever). */
static int terminated(int sigterm_fd, int milliseconds)
{
    struct pollfd event = {sigterm_fd, POLLIN, 0};

    while (poll(&event, 1, milliseconds) < 0 && errno == EINTR) {
    }
    return event.revents != 0;
}

static void log_until_terminated(psc_checker *checker, int sigterm_fd, int log_fd)
{
    struct pollfd events[] = {{sigterm_fd, POLLIN, 0}, {log_fd, POLLIN, 0}};
    int seconds = 1;   /* by then psc has decided when its first check is due */

    mod_psc_shm_save(checker);
    while (events[0].revents == 0) {
        if (poll(events, 2, seconds * 1000) < 0) {
            continue;
        }
        /* Before the line is written that reports a check, and again for what happened meanwhile. */
        mod_psc_shm_save(checker);
        psc_log_drain(checker);
        seconds = mod_psc_shm_save(checker);
    }
}

/* False: SIGTERM came first, or psc did not start, which is logged. */
static int start(const struct check_child *child, int sigterm_fd)
{
    int seconds = child->deaths < MAX_RESTART_DELAY ? child->deaths : MAX_RESTART_DELAY;
    const char *json;

    do {
        if (terminated(sigterm_fd, seconds * 1000)) {
            return 0;
        }
        seconds = mod_psc_shm_seconds_until_start(child->checker);
    } while (seconds > 0);
    json = seconds == 0 ? "{}" : "{\"start_delay\":0,\"start_jitter\":0}";
    if (psc_configure(child->checker, json) < 0 || psc_start(child->checker) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, child->server, "the security update check does not start: %s",
                     psc_last_error(child->checker));
        terminated(sigterm_fd, -1);
        return 0;
    }
    return 1;
}

static void check(const struct check_child *child, int sigterm_fd)
{
    int log_fd = psc_log_fd(child->checker);

    if (log_fd < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, child->server, "the security update check does not start: %s",
                     psc_last_error(child->checker));
        terminated(sigterm_fd, -1);
    } else if (start(child, sigterm_fd)) {
        log_until_terminated(child->checker, sigterm_fd, log_fd);
        psc_stop(child->checker);
        psc_log_drain(child->checker);
    }
}

/* All signals have been blocked since before the fork, because the handlers are still the parent's. Signals of a fault
 * are unblocked again, so that a crash ends the process. Returns a descriptor that is readable after SIGTERM. */
static int open_sigterm_fd(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t fatal, terminate;
    size_t i;

    sigemptyset(&fatal);
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        sigaddset(&fatal, faults[i]);
    }
    sigprocmask(SIG_UNBLOCK, &fatal, NULL);
    sigemptyset(&terminate);
    sigaddset(&terminate, SIGTERM);
    return signalfd(-1, &terminate, SFD_CLOEXEC);
}

/* Ends with _exit(): what the parent has registered for exit(), its pools for example, is not for this process to clean up. */
static __attribute__((noreturn)) void run(const struct check_child *child, pid_t parent)
{
    int sigterm_fd = open_sigterm_fd();

    prctl(PR_SET_NAME, PROCESS_NAME);
    ap_close_listeners();
    if (sigterm_fd < 0 || ap_run_drop_privileges(child->pconf, child->server) != OK) {
        _exit(EXIT_CANNOT_START);
    }
    /* So that it also ends when the parent is killed. After the change of user, which resets this. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent) {
        check(child, sigterm_fd);
    }
    _exit(0);
}

/* ---- in the parent */

static void on_child_event(int reason, void *data, apr_wait_t status);

/* A web server without the check is better than none. */
static void fork_process(struct check_child *child)
{
    sigset_t all, before;
    pid_t parent = getpid(), pid;
    int error;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    error = errno;
    if (pid == 0) {
        run(child, parent);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, error, child->server,
                     "no process for the security update check: none is made until the next restart");
        return;
    }
    child->process.pid = pid;
    apr_proc_other_child_register(&child->process, on_child_event, child, NULL, child->pconf);
}

static int httpd_is_stopping(void)
{
    int state;

    return ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state == AP_MPMQ_STOPPING;
}

/* httpd calls this after the process has ended; and while it is running, before a restart or stop. */
static void on_child_event(int reason, void *data, apr_wait_t status)
{
    struct check_child *child = data;

    switch (reason) {
    case APR_OC_REASON_DEATH:
    case APR_OC_REASON_LOST:
        apr_proc_other_child_unregister(child);
        if (httpd_is_stopping()) {
            return;
        }
        if (reason == APR_OC_REASON_DEATH && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANNOT_START) {
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, child->server,
                         "no security update checks are made: their process could not become the server's user");
            return;
        }
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, child->server,
                     "the process that makes the security update checks has ended; another one takes its place");
        child->deaths++;
        fork_process(child);
        return;
    case APR_OC_REASON_RESTART:
        /* Early, so that httpd need not wait for it later. */
        kill(child->process.pid, SIGTERM);
        return;
    default:
        return;
    }
}

/* Clearing pconf ends the process: by SIGTERM, and by SIGKILL when that takes more than three seconds. */
void mod_psc_process_start(psc_checker *checker, server_rec *server, apr_pool_t *pconf)
{
    struct check_child *child = apr_pcalloc(pconf, sizeof(*child));

    child->checker = checker;
    child->server = server;
    child->pconf = pconf;
    fork_process(child);
    if (child->process.pid > 0) {
        apr_pool_note_subprocess(pconf, &child->process, APR_KILL_AFTER_TIMEOUT);
    }
}
