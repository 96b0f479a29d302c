/*
 * The module: asks once a day whether a security update exists, and writes the
 * answer to error.log. README.md lists the directives.
 */

#include "ngx_http_psc.h"


static void *ngx_http_psc_create_main_conf(ngx_conf_t *cf);
static void ngx_http_psc_free(void *data);


#define ngx_http_psc_directive(name, setting)                                 \
    { ngx_string(name),                                                       \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_http_psc_set_slot,                                                  \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      setting,                                                                \
      NULL }


static ngx_command_t  ngx_http_psc_commands[] = {

    ngx_http_psc_directive("psc_disable_security_update_check",
                           NGX_HTTP_PSC_DISABLED),
    ngx_http_psc_directive("psc_security_update_check_version",
                           NGX_HTTP_PSC_VERSION),
    ngx_http_psc_directive("psc_security_update_check_url",
                           NGX_HTTP_PSC_URL),
    ngx_http_psc_directive("psc_security_update_check_proxy",
                           NGX_HTTP_PSC_PROXY),
    ngx_http_psc_directive("psc_security_update_check_certificate_path",
                           NGX_HTTP_PSC_CERTIFICATE_PATH),
    ngx_http_psc_directive("psc_security_update_check_resources_dir",
                           NGX_HTTP_PSC_RESOURCES_DIR),
    ngx_http_psc_directive("psc_security_update_check_state_path",
                           NGX_HTTP_PSC_STATE_PATH),
    ngx_http_psc_directive("psc_security_update_check_interval",
                           NGX_HTTP_PSC_INTERVAL),
    ngx_http_psc_directive("psc_security_update_check_timeout",
                           NGX_HTTP_PSC_TIMEOUT),
    ngx_http_psc_directive("psc_security_update_check_start_delay",
                           NGX_HTTP_PSC_START_DELAY),
    ngx_http_psc_directive("psc_security_update_check_start_jitter",
                           NGX_HTTP_PSC_START_JITTER),

    { ngx_string("psc_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_psc_status,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_psc_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_psc_create_main_conf,         /* create main configuration */
    ngx_http_psc_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_psc_module = {
    NGX_MODULE_V1,
    &ngx_http_psc_module_ctx,              /* module context */
    ngx_http_psc_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_psc_init_module,              /* init module */
    ngx_http_psc_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_psc_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * How many cycles have a configuration of this module. The module stays mapped
 * when nginx unloads it (see the file "config"), and would still have its old
 * index when it is loaded again, while another module may have that index by
 * then. So the last cycle to go resets it, as unmapping would have done.
 */

static ngx_uint_t  ngx_http_psc_cycles;


/*
 * Every cycle, which is every configuration that nginx reads, has a psc handle
 * of its own. It is made here, in the master or in "nginx -t", which never
 * start it; workers inherit it by fork, and one of them starts it.
 */

static void *
ngx_http_psc_create_main_conf(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t   *cleanup;
    ngx_http_psc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_psc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == NULL) {
        return NULL;
    }

    /*
     * "nginx -s" needs only the pid file's name. An error in our directives is
     * no reason not to stop a server, so psc does not see them then.
     */

    if (ngx_process != NGX_PROCESS_SIGNALLER) {
        conf->checker = psc_init(ngx_http_psc_log, NULL);

        if (conf->checker == NULL) {
            ngx_log_error(NGX_LOG_ERR, cf->log, 0,
                          "psc_init() failed: no security update checks");
        }
    }

    /* not the handle: a reload of a single process exchanges it */

    cleanup->handler = ngx_http_psc_free;
    cleanup->data = conf;
    ngx_http_psc_cycles++;

    return conf;
}


static void
ngx_http_psc_free(void *data)
{
    ngx_http_psc_conf_t  *conf = data;

    psc_free(conf->checker);

    if (--ngx_http_psc_cycles == 0) {
        ngx_http_psc_module.ctx_index = NGX_MODULE_UNSET_INDEX;
        ngx_http_psc_module.index = NGX_MODULE_UNSET_INDEX;
    }
}
