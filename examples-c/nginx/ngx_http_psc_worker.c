/*
 * The checks run in a thread of psc's, in one process only: worker 0, or the
 * single process. psc queues its records and makes a descriptor readable; they
 * are written to error.log from the event loop, because nginx's logging is not
 * made for threads and would put the time of the last request on the line.
 */

#include "ngx_http_psc.h"


/* The process that does the checks: what it started, and where it reads. */

static struct {
    ngx_http_psc_conf_t  *conf;           /* NULL: not this process */
    ngx_connection_t     *records;
    ngx_event_t           timer;          /* the start, then the first check */
} ngx_http_psc_owner;


static ngx_uint_t ngx_http_psc_checks_here(void);
static ngx_int_t ngx_http_psc_watch(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
static void ngx_http_psc_unwatch(void);
static void ngx_http_psc_start_in_time(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
static void ngx_http_psc_start_later(ngx_event_t *ev);
static void ngx_http_psc_look_ahead(ngx_event_t *ev);
static void ngx_http_psc_read_records(ngx_event_t *rev);
static void ngx_http_psc_take_over(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);


/*
 * Called with every configuration that was accepted. The master does nothing:
 * it is root, and a thread of its own would not survive daemonising.
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
        /* a reload without "http", with "master_process off" */
        ngx_http_psc_exit_process(cycle);
        return NGX_OK;
    }

    if (conf->complete && !conf->disabled) {
        ngx_http_psc_make_state(conf, cycle);
    }

    if (ngx_http_psc_owner.conf) {
        ngx_http_psc_take_over(conf, cycle);
        return NGX_OK;
    }

    if (conf->complete) {
        ngx_http_psc_follow_log_level(conf, cycle);
    }

    if (ngx_process == NGX_PROCESS_SINGLE
        && !ngx_is_init_cycle(cycle->old_cycle))
    {
        /* a reload that brings a configuration to check with */
        return ngx_http_psc_init_process(cycle);
    }

    return NGX_OK;
}


/*
 * A reload with "master_process off" calls no process hook: the thread goes on
 * under the new configuration, and the new cycle becomes the handle's keeper.
 */

static void
ngx_http_psc_take_over(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    psc_checker       *running;
    ngx_connection_t  *c;

    running = ngx_http_psc_owner.conf->checker;

    if (ngx_http_psc_apply_all(conf, running, cycle) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "psc goes on with the previous configuration: %s",
                      psc_last_error(running));
    }

    ngx_http_psc_owner.conf->checker = conf->checker;
    conf->checker = running;
    ngx_http_psc_owner.conf = conf;

    /* the old cycle's log is closed now */

    c = ngx_http_psc_owner.records;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    /* not started yet: by the new plan */

    if (ngx_http_psc_owner.timer.timer_set
        && ngx_http_psc_owner.timer.handler == ngx_http_psc_start_later)
    {
        ngx_del_timer(&ngx_http_psc_owner.timer);
        ngx_http_psc_start_in_time(conf, cycle);
    }
}


ngx_int_t
ngx_http_psc_init_process(ngx_cycle_t *cycle)
{
    ngx_http_psc_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_psc_module);

    if (conf == NULL || !conf->complete || !ngx_http_psc_checks_here()) {
        return NGX_OK;
    }

    /*
     * Off is off: no thread. psc just says so, where the log tells such
     * things. A single process may be told otherwise by its next reload.
     */

    if (conf->disabled && ngx_process != NGX_PROCESS_SINGLE) {
        (void) psc_run_once(conf->checker, NULL);
        return NGX_OK;
    }

    /* a web server without the check is better than none */

    if (ngx_http_psc_watch(conf, cycle) != NGX_OK) {
        return NGX_OK;
    }

    ngx_http_psc_start_in_time(conf, cycle);

    return NGX_OK;
}


static void
ngx_http_psc_start_in_time(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    time_t        seconds;
    const char   *json;
    ngx_event_t  *ev;

    ev = &ngx_http_psc_owner.timer;

    ev->handler = ngx_http_psc_start_later;
    ev->data = ngx_http_psc_owner.records;
    ev->log = cycle->log;
    ev->cancelable = 1;

    seconds = ngx_http_psc_hold_back(conf);

    if (seconds > 0) {
        ngx_log_error(NGX_LOG_INFO, cycle->log, 0,
                      "no state directory remembers this server's last security"
                      " update check: the next one waits for %T seconds",
                      seconds);

        ngx_add_timer(ev, (ngx_msec_t) seconds * 1000);
        return;
    }

    /*
     * Even with nothing in it: psc knows the environment of the master, and
     * nginx has cleared it since.
     */

    json = seconds ? "{\"start_delay\":0,\"start_jitter\":0}" : "{}";

    if (psc_configure(conf->checker, json) != PSC_OK
        || psc_start(conf->checker) != PSC_OK)
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "the security update check does not start: %s",
                      psc_last_error(conf->checker));
        ngx_http_psc_unwatch();
        return;
    }

    /* psc has drawn the time of its first check by then */

    ev->handler = ngx_http_psc_look_ahead;
    ngx_add_timer(ev, 1000);
}


static void
ngx_http_psc_start_later(ngx_event_t *ev)
{
    (void) ev;

    ngx_http_psc_start_in_time(ngx_http_psc_owner.conf,
                               (ngx_cycle_t *) ngx_cycle);
}


static void
ngx_http_psc_look_ahead(ngx_event_t *ev)
{
    time_t  seconds;

    seconds = ngx_http_psc_expect(ngx_http_psc_owner.conf);

    if (seconds) {
        ngx_add_timer(ev, (ngx_msec_t) seconds * 1000);
    }
}


/* The cache manager and the cache loader have ngx_worker 0 as well. */

static ngx_uint_t
ngx_http_psc_checks_here(void)
{
    return ngx_process == NGX_PROCESS_SINGLE
           || (ngx_process == NGX_PROCESS_WORKER && ngx_worker == 0);
}


static ngx_int_t
ngx_http_psc_watch(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
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
    c->read->handler = ngx_http_psc_read_records;
    c->read->log = cycle->log;
    c->write->log = cycle->log;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NGX_ERROR;
    }

    ngx_http_psc_owner.conf = conf;
    ngx_http_psc_owner.records = c;

    return NGX_OK;
}


/* Not ngx_close_connection(): the descriptor is psc's. */

static void
ngx_http_psc_unwatch(void)
{
    ngx_connection_t  *c;

    if (ngx_http_psc_owner.timer.timer_set) {
        ngx_del_timer(&ngx_http_psc_owner.timer);
    }

    c = ngx_http_psc_owner.records;

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
    ngx_http_psc_owner.records = NULL;
}


/*
 * Records are waiting; or, with c->close, the worker has begun to leave, which
 * can take hours when a client stays connected: the checks end now, so that
 * the new worker 0 can take them over.
 */

static void
ngx_http_psc_read_records(ngx_event_t *rev)
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
    ngx_http_psc_remember(ngx_http_psc_owner.conf);

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_psc_unwatch();
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
    ngx_http_psc_remember(ngx_http_psc_owner.conf);
    ngx_http_psc_unwatch();
}


/*
 * psc's levels 0 (critical) to 7 (debug) are nginx's, three further on. Always
 * the log of the current cycle: a reload closes the one before.
 */

void
ngx_http_psc_log(void *data, int level, const char *message)
{
    ngx_uint_t  nginx_level;

    (void) data;

    nginx_level = ngx_min(NGX_LOG_CRIT + level, NGX_LOG_DEBUG);

    ngx_log_error(nginx_level, ngx_cycle->log, 0, "%s", message);
}
