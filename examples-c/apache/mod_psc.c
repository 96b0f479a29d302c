/*
 * mod_psc: the security update check inside Apache httpd.
 *
 * The parent reads configuration, keys and certificates as root and never starts a thread: it forks
 * at any time, and a stray thread in it would take the whole server down. It makes one process more
 * (mp_process.c), which starts the handle that all of them inherit.
 *
 * Nothing that changes by itself, a certificate's dates, a directory, a file that has vanished, keeps
 * httpd from running: httpd leaves altogether when a module's post_config fails in a graceful restart.
 */
#include "mod_psc.h"

#include "http_main.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

static psc_checker *checker;
static pid_t parent;       /* the process that made the checker, and alone frees it */

/* "no update" is psc's notice. httpd writes every notice whatever LogLevel says, and a line a day
 * that nothing happened is not worth that: it becomes info. */
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

/* Also runs in a child whose exit tears down the parent's pools. */
static apr_status_t free_checker(void *unused)
{
    (void)unused;
    if (getpid() == parent) {
        psc_free(checker);
        checker = NULL;
        mp_use_for_status(NULL);
    }
    return APR_SUCCESS;
}

/* False: the reason is logged. */
static int make_checker(const mp_config *config, apr_pool_t *pconf, apr_pool_t *ptemp, server_rec *server)
{
    checker = psc_init(write_log, NULL);
    if (checker == NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "no resources for a psc handle: no security update checks are made");
        return 0;
    }
    parent = getpid();
    mp_use_for_status(checker);
    apr_pool_cleanup_register(pconf, NULL, free_checker, apr_pool_cleanup_null);
    if (mp_configure(checker, config, server, ptemp) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "%s. No security update checks are made until this is mended and httpd restarted, graceful or not",
                     psc_last_error(checker));
        return 0;
    }
    return 1;
}

/* Only a start comes here while httpd reads its configuration for the first of two times: neither
 * `-k stop` and its like, nor a running server that is told to restart. Said where the console still
 * hears it. */
static int open_logs(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    (void)pconf;
    (void)plog;
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG ? mp_check_files(server, ptemp) : OK;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    const mp_config *config = ap_get_module_config(server->module_config, &psc_module);

    (void)plog;
    /* httpd reads its configuration twice at start; this is the rehearsal. */
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
        mp_make_state_dir(config, server, ptemp);
    }
    if (make_checker(config, pconf, ptemp, server) && !config->disabled && mp_prepare_memory(config, server, ptemp)) {
        mp_start_process(checker, server, pconf);
    }
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    /* as the MPMs do, whose words would not reach the console either once core has opened the error log */
    static const char *const before_core[] = {"core.c", NULL};

    (void)pool;
    ap_hook_check_config(mp_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_open_logs(open_logs, NULL, before_core, APR_HOOK_REALLY_FIRST);
    /* Last: what another module refuses has begun no check. */
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_REALLY_LAST);
    mp_register_status();
}

module AP_MODULE_DECLARE_DATA psc_module = {
    STANDARD20_MODULE_STUFF,
    mp_create_dir_config,
    mp_merge_dir_config,
    mp_create_config,
    NULL,              /* virtual hosts: nothing to merge, directives are refused there */
    mp_directives,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
