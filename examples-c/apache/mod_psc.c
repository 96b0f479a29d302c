/*
 * mod_psc: the security update check inside Apache httpd.
 *
 * The parent reads configuration, keys and certificates as root. It never starts a thread, because it
 * forks at any time, and a crash in a thread would end the whole server. It forks one process more
 * (mod_psc_process.c), which inherits the psc handle and starts it.
 *
 * post_config never fails: that would end httpd in a graceful restart. So an expired certificate, an
 * unusable directory or a file that has vanished since costs the checks only.
 */
#include "mod_psc.h"

#include "http_main.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

static psc_checker *checker;
static pid_t parent;       /* the process that made the checker, and the only one that frees it */

/* psc's notice is "no update found". httpd writes notices whatever LogLevel says, and nobody wants to read once a day
 * that nothing has happened: it becomes info. */
static int httpd_level(int level)
{
    static const int levels[] = {APLOG_CRIT, APLOG_ERR, APLOG_WARNING, APLOG_INFO, APLOG_INFO};

    return level >= 0 && level <= 4 ? levels[level] : APLOG_DEBUG;
}

static void write_log(void *unused, int level, const char *message)
{
    (void)unused;
    ap_log_error(APLOG_MARK, httpd_level(level), 0, ap_server_conf, "%s", message);
}

/* Also called in a child that destroys the parent's pools when it exits. */
static apr_status_t free_checker(void *unused)
{
    (void)unused;
    if (getpid() == parent) {
        psc_free(checker);
        checker = NULL;
        mod_psc_status_set_checker(NULL);
    }
    return APR_SUCCESS;
}

/* False: the reason is logged. */
static int make_checker(const mod_psc_config_t *config, apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *server)
{
    checker = psc_init(write_log, NULL);
    if (checker == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "no resources for a psc handle: no security update checks are made");
        return 0;
    }
    parent = getpid();
    mod_psc_status_set_checker(checker);
    apr_pool_cleanup_register(pconf, NULL, free_checker, apr_pool_cleanup_null);
    if (mod_psc_configure(checker, config, server, ptemp) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "%s. No security update checks are made until this is mended and httpd restarted, graceful or not",
                     psc_last_error(checker));
        return 0;
    }
    return 1;
}

/* The hook open_logs. httpd reads its configuration twice at a start; only in the first pass of a start is the state
 * CREATE_PRE_CONFIG here, never for `-k stop` and the like or in a restart. An error still reaches the console. */
static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    (void)pconf;
    (void)plog;
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ? mod_psc_check_files(server, ptemp) : OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    const mod_psc_config_t *config = ap_get_module_config(server->module_config, &psc_module);

    (void)plog;
    /* the first of the two passes at a start */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (config->first == NULL) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                     "no directive of mod_psc is used: no security update checks are made");
        return OK;
    }
    if (config->disabled) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, "the security update check is disabled");
    } else {
        mod_psc_make_state_dir(config, server, ptemp);
    }
    if (make_checker(config, pconf, ptemp, server) && !config->disabled && mod_psc_shm_init(config, server, ptemp)) {
        mod_psc_process_start(checker, server, pconf);
    }
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    /* as the MPMs do: once core has opened the error log, messages no longer reach the console */
    static const char *const before_core[] = {"core.c", NULL};

    (void)pool;
    ap_hook_check_config(mod_psc_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_open_logs(open_logs, NULL, before_core, APR_HOOK_REALLY_FIRST);
    /* Last, so that no check has begun when another module refuses the configuration. */
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_LAST);
    mod_psc_status_register();
}

module AP_MODULE_DECLARE_DATA psc_module = {
    STANDARD20_MODULE_STUFF,
    mod_psc_create_dir_config,
    mod_psc_merge_dir_config,
    mod_psc_create_server_config,
    NULL,              /* nothing to merge: directives are refused in virtual hosts */
    mod_psc_cmds,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
