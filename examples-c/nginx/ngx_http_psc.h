/*
 * The nginx module around psc: what its source files share.
 */

#ifndef NGX_HTTP_PSC_H
#define NGX_HTTP_PSC_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <psc.h>


/* One per directive of the http block: the index into ngx_http_psc_conf_t.settings. */

typedef enum {
    NGX_HTTP_PSC_DISABLED,
    NGX_HTTP_PSC_VERSION,
    NGX_HTTP_PSC_URL,
    NGX_HTTP_PSC_PROXY,
    NGX_HTTP_PSC_CERTIFICATE_PATH,
    NGX_HTTP_PSC_RESOURCES_DIR,
    NGX_HTTP_PSC_STATE_PATH,
    NGX_HTTP_PSC_INTERVAL,
    NGX_HTTP_PSC_TIMEOUT,
    NGX_HTTP_PSC_START_DELAY,
    NGX_HTTP_PSC_START_JITTER,
    NGX_HTTP_PSC_SETTINGS
} ngx_http_psc_setting_e;


/* A directive that was given, and where, so that a later complaint can point there. */

typedef struct {
    ngx_str_t      name;
    ngx_str_t      json;          /* the value as JSON; empty: not given */
    ngx_str_t      file;
    ngx_uint_t     line;
} ngx_http_psc_setting_t;


typedef struct {
    psc_checker             *checker;     /* freed with the cycle's pool;
                                             NULL: without resources, or
                                             where nginx only sends a signal */
    ngx_http_psc_setting_t   settings[NGX_HTTP_PSC_SETTINGS];
    ngx_shm_zone_t          *memory;
    unsigned                 disabled:1;
    unsigned                 failed:1;    /* no check with this, but a server */
    unsigned                 complete:1;  /* there is something to check */
} ngx_http_psc_conf_t;


extern ngx_module_t  ngx_http_psc_module;

/* ngx_http_psc_settings.c: from directives to psc's configuration */

char *ngx_http_psc_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_psc_complete(ngx_conf_t *cf, ngx_http_psc_conf_t *conf);
void ngx_http_psc_follow_log_level(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
ngx_int_t ngx_http_psc_apply_all(ngx_http_psc_conf_t *conf,
    psc_checker *checker, ngx_cycle_t *cycle);

/* ngx_http_psc_state.c: the state directory */

ngx_int_t ngx_http_psc_default_state_path(ngx_conf_t *cf, ngx_str_t *path);
void ngx_http_psc_make_state(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle);

/* ngx_http_psc_memory.c: the schedule, for the next worker */

ngx_int_t ngx_http_psc_add_memory(ngx_conf_t *cf, ngx_http_psc_conf_t *conf);
time_t ngx_http_psc_hold_back(ngx_http_psc_conf_t *conf);
time_t ngx_http_psc_expect(ngx_http_psc_conf_t *conf);
void ngx_http_psc_remember(ngx_http_psc_conf_t *conf);

/* ngx_http_psc_worker.c: the checks, in the one process that does them */

void ngx_http_psc_log(void *data, int level, const char *message);
ngx_int_t ngx_http_psc_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_psc_init_process(ngx_cycle_t *cycle);
void ngx_http_psc_exit_process(ngx_cycle_t *cycle);

/* ngx_http_psc_status.c: the status page */

char *ngx_http_psc_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_PSC_H */
