/*
 * The checks run in a thread of psc's, in one process only: worker 0, or the
 * single process. psc queues its log lines and makes a descriptor readable; the
 * event loop writes them to error.log, because nginx's logging is not thread
 * safe, and its clock stands still between events.
 */

#include "ngx_http_psc.h"


/* Only in the process that makes the checks. */

static struct {
    ngx_http_psc_conf_t  *conf;           /* NULL: not this process */
    ngx_connection_t     *log;            /* readable: psc has log lines */
    ngx_event_t           timer;          /* for the start, then for the first
                                             check */
} ngx_http_psc_owner;


static ngx_uint_t ngx_http_psc_is_owner(void);
static ngx_int_t ngx_http_psc_watch_log(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
static void ngx_http_psc_unwatch_log(void);
static void ngx_http_psc_schedule_start(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
static void ngx_http_psc_start_handler(ngx_event_t *ev);
static void ngx_http_psc_first_check_handler(ngx_event_t *ev);
static void ngx_http_psc_log_handler(ngx_event_t *rev);
static void ngx_http_psc_reload(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);


/*
 * Called for every configuration that was accepted. The master starts nothing:
 * it is root, and it may still daemonise, which no thread survives.
 */

ngx_int_t
ngx_http_psc_init_module(ngx_cycle_t *cycle)
{
    ngx_http_psc_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_psc_module);

    if (ngx_test_config) {
        return NGX_OK;
    }

    if (conf == NULL) {
        /* "master_process off", reloaded without "http" */
        ngx_http_psc_exit_process(cycle);
        return NGX_OK;
    }

    if (conf->complete && !conf->disabled) {
        ngx_http_psc_make_state_dir(conf, cycle);
    }

    if (ngx_http_psc_owner.conf) {
        ngx_http_psc_reload(conf, cycle);
        return NGX_OK;
    }

    if (conf->complete) {
        ngx_http_psc_set_log_level(conf, cycle);
    }

    if (ngx_process == NGX_PROCESS_SINGLE
        && !ngx_is_init_cycle(cycle->old_cycle))
    {
        /* a reload, from a configuration that did not check */
        return ngx_http_psc_init_process(cycle);
    }

    return NGX_OK;
}


/*
 * A reload with "master_process off" calls no process hooks: the thread goes on
 * with the new configuration, and the new cycle gets the running handle.
 */

static void
ngx_http_psc_reload(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    psc_checker       *running;
    ngx_connection_t  *c;

    running = ngx_http_psc_owner.conf->checker;

    if (ngx_http_psc_reconfigure(conf, running, cycle) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "psc goes on with the previous configuration: %s",
                      psc_last_error(running));
    }

    ngx_http_psc_owner.conf->checker = conf->checker;
    conf->checker = running;
    ngx_http_psc_owner.conf = conf;

    /* the old cycle's log is closed now */

    c = ngx_http_psc_owner.log;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    /* not started yet: the new configuration decides when */

    if (ngx_http_psc_owner.timer.timer_set
        && ngx_http_psc_owner.timer.handler == ngx_http_psc_start_handler)
    {
        ngx_del_timer(&ngx_http_psc_owner.timer);
        ngx_http_psc_schedule_start(conf, cycle);
    }
}


ngx_int_t
ngx_http_psc_init_process(ngx_cycle_t *cycle)
{
    ngx_http_psc_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_psc_module);

    if (conf == NULL || !conf->complete || !ngx_http_psc_is_owner()) {
        return NGX_OK;
    }

    /*
     * Disabled: no thread, only psc's message that says so. But the next
     * reload of a single process may enable the checks.
     */

    if (conf->disabled && ngx_process != NGX_PROCESS_SINGLE) {
        (void) psc_run_once(conf->checker, NULL);
        return NGX_OK;
    }

    /* a web server without the check is better than none */

    if (ngx_http_psc_watch_log(conf, cycle) != NGX_OK) {
        return NGX_OK;
    }

    ngx_http_psc_schedule_start(conf, cycle);

    return NGX_OK;
}


/* Starts psc, or waits when a check is not due yet. */

static void
ngx_http_psc_schedule_start(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    time_t        seconds;
    const char   *json;
    ngx_event_t  *ev;

    ev = &ngx_http_psc_owner.timer;

    ev->handler = ngx_http_psc_start_handler;
    ev->data = ngx_http_psc_owner.log;
    ev->log = cycle->log;
    ev->cancelable = 1;

    seconds = ngx_http_psc_seconds_until_start(conf);

    if (seconds > 0) {
        ngx_log_error(NGX_LOG_INFO, cycle->log, 0,
                      "no state directory remembers this server's last security"
                      " update check: the next one waits for %T seconds",
                      seconds);

        ngx_add_timer(ev, (ngx_msec_t) seconds * 1000);
        return;
    }

    /*
     * Even an empty configuration is given: it makes psc look at the
     * environment again, which nginx has cleared since.
     */

    json = seconds ? "{\"start_delay\":0,\"start_jitter\":0}" : "{}";

    if (psc_configure(conf->checker, json) != PSC_OK
        || psc_start(conf->checker) != PSC_OK)
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "the security update check does not start: %s",
                      psc_last_error(conf->checker));
        ngx_http_psc_unwatch_log();
        return;
    }

    /* by then psc has decided when its first check is due */

    ev->handler = ngx_http_psc_first_check_handler;
    ngx_add_timer(ev, 1000);
}


static void
ngx_http_psc_start_handler(ngx_event_t *ev)
{
    (void) ev;

    ngx_http_psc_schedule_start(ngx_http_psc_owner.conf,
                               (ngx_cycle_t *) ngx_cycle);
}


static void
ngx_http_psc_first_check_handler(ngx_event_t *ev)
{
    time_t  seconds;

    seconds = ngx_http_psc_save_first_check(ngx_http_psc_owner.conf);

    if (seconds) {
        ngx_add_timer(ev, (ngx_msec_t) seconds * 1000);
    }
}


/* ngx_worker alone is not enough: the cache manager and loader have 0 too. */

static ngx_uint_t
ngx_http_psc_is_owner(void)
{
    return ngx_process == NGX_PROCESS_SINGLE
           || (ngx_process == NGX_PROCESS_WORKER && ngx_worker == 0);
}


static ngx_int_t
ngx_http_psc_watch_log(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    int                fd;
    ngx_connection_t  *c;

    fd = psc_log_fd(conf->checker);
    if (fd < 0) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "psc_log_fd() failed: %s", psc_last_error(conf->checker));
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    /* idle: the handler is told when the worker begins to leave */

    c->idle = 1;
    c->read->handler = ngx_http_psc_log_handler;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NGX_ERROR;
    }

    ngx_http_psc_owner.conf = conf;
    ngx_http_psc_owner.log = c;

    return NGX_OK;
}


/* Not ngx_close_connection(), which would close the descriptor: it is psc's. */

static void
ngx_http_psc_unwatch_log(void)
{
    ngx_connection_t  *c;

    if (ngx_http_psc_owner.timer.timer_set) {
        ngx_del_timer(&ngx_http_psc_owner.timer);
    }

    c = ngx_http_psc_owner.log;

    if (c->read->active || c->read->disabled) {
        ngx_del_event(c->read, NGX_READ_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_http_psc_owner.conf = NULL;
    ngx_http_psc_owner.log = NULL;
}


/*
 * psc has log lines; or, with c->close, the worker has begun to shut down. That
 * can take hours while a client stays connected, so the checks end now and the
 * new worker 0 can continue them.
 */

static void
ngx_http_psc_log_handler(ngx_event_t *rev)
{
    psc_checker       *checker;
    ngx_connection_t  *c;

    c = rev->data;
    checker = ngx_http_psc_owner.conf->checker;

    if (c->close) {

        if (ngx_http_psc_owner.timer.timer_set) {
            ngx_del_timer(&ngx_http_psc_owner.timer);
        }

        psc_request_stop(checker);
    }

    rev->ready = 0;
    psc_log_drain(checker);
    ngx_http_psc_save_next_check(ngx_http_psc_owner.conf);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_psc_unwatch_log();
    }
}


void
ngx_http_psc_exit_process(ngx_cycle_t *cycle)
{
    psc_checker  *checker;

    if (ngx_http_psc_owner.conf == NULL) {
        return;
    }

    checker = ngx_http_psc_owner.conf->checker;

    if (psc_stop(checker) != PSC_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "psc_stop() failed: %s", psc_last_error(checker));
    }

    psc_log_drain(checker);
    ngx_http_psc_save_next_check(ngx_http_psc_owner.conf);
    ngx_http_psc_unwatch_log();
}


/*
 * psc's levels 0 (critical) to 7 (debug) are nginx's, shifted by three. Always
 * writes to the log of the current cycle: a reload closes the previous one.
 */

void
ngx_http_psc_log(void *data, int level, const char *message)
{
    ngx_uint_t  nginx_level;

    (void) data;

    nginx_level = ngx_min(NGX_LOG_CRIT + level, NGX_LOG_DEBUG);

    ngx_log_error(nginx_level, ngx_cycle->log, 0, "%s", message);
}
