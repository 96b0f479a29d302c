/*
 * What the source files of the module share.
 */

#ifndef NGX_HTTP_PSC_H
#define NGX_HTTP_PSC_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <psc.h>


/* One per directive: the index into ngx_http_psc_conf_t.settings. */

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


/* A directive's value, and where it was given, for error messages. */

typedef struct {
    ngx_str_t      name;
    ngx_str_t      json;          /* empty: not given */
    ngx_str_t      file;
    ngx_uint_t     line;
} ngx_http_psc_setting_t;


typedef struct {
    psc_checker             *checker;     /* freed with the cycle's pool;
                                             NULL: no memory for it, or this
                                             is "nginx -s" */
    ngx_http_psc_setting_t   settings[NGX_HTTP_PSC_SETTINGS];
    ngx_shm_zone_t          *shm_zone;
    unsigned                 disabled:1;
    unsigned                 failed:1;    /* nginx starts, but checks nothing */
    unsigned                 complete:1;  /* psc has all that it needs */
} ngx_http_psc_conf_t;


extern ngx_module_t  ngx_http_psc_module;

/* ngx_http_psc_conf.c: the directives, as psc's configuration */

char *ngx_http_psc_set_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_psc_init_main_conf(ngx_conf_t *cf, void *data);
void ngx_http_psc_set_log_level(ngx_http_psc_conf_t *conf,
    ngx_cycle_t *cycle);
ngx_int_t ngx_http_psc_reconfigure(ngx_http_psc_conf_t *conf,
    psc_checker *checker, ngx_cycle_t *cycle);

/* ngx_http_psc_state_dir.c */

ngx_int_t ngx_http_psc_default_state_path(ngx_conf_t *cf, ngx_str_t *path);
void ngx_http_psc_make_state_dir(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle);

/* ngx_http_psc_shm.c: the schedule, for a worker that replaces another */

ngx_int_t ngx_http_psc_add_shm_zone(ngx_conf_t *cf, ngx_http_psc_conf_t *conf);
time_t ngx_http_psc_seconds_until_start(ngx_http_psc_conf_t *conf);
time_t ngx_http_psc_save_first_check(ngx_http_psc_conf_t *conf);
void ngx_http_psc_save_next_check(ngx_http_psc_conf_t *conf);

/* ngx_http_psc_worker.c: the one process that makes the checks */

void ngx_http_psc_log(void *data, int level, const char *message);
ngx_int_t ngx_http_psc_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_http_psc_init_process(ngx_cycle_t *cycle);
void ngx_http_psc_exit_process(ngx_cycle_t *cycle);

/* ngx_http_psc_status.c: the directive psc_status */

char *ngx_http_psc_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* NGX_HTTP_PSC_H */
