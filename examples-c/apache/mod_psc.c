/*
 * mod_psc: the security update check inside Apache httpd.
 *
 * The parent reads configuration, keys and certificates as root and never starts a thread: it forks
 * at any time, and a stray thread in it would take the whole server down. One child starts the
 * handle that all of them inherit.
 */
#include "mod_psc.h"

#include "http_main.h"
#include "mpm_common.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

enum { VERDICT_UPDATE_OR_FAILURE = 1, VERDICT_NO_UPDATE = 3 };   /* psc's levels for what checks came to */

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
    if (level == VERDICT_UPDATE_OR_FAILURE || level == VERDICT_NO_UPDATE) {
        mp_keeper_note_check();
    }
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

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    mp_config *config = ap_get_module_config(server->module_config, &psc_module);
    const char *state_dir = NULL;

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
        if (!mp_prepare_election(config, server, ptemp)) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        state_dir = mp_prepare_state_dir(config, server, ptemp);
    }

    checker = psc_init(write_log, NULL);
    if (checker == NULL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "no resources for a psc handle");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    parent = getpid();
    mp_use_for_status(checker);
    apr_pool_cleanup_register(pconf, NULL, free_checker, apr_pool_cleanup_null);
    if (mp_configure(checker, config, state_dir, server, ptemp) < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "%s", psc_last_error(checker));
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static apr_status_t end_keeper(void *unused)
{
    (void)unused;
    mp_keeper_end();
    return APR_SUCCESS;
}

static void child_init(apr_pool_t *pchild, server_rec *server)
{
    const mp_config *config = ap_get_module_config(server->module_config, &psc_module);
    apr_status_t status;

    if (checker == NULL || !mp_checks_are_wanted(config)) {
        return;
    }
    status = mp_keeper_start(checker, mp_interval(config));
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, server,
                     "no thread for the security update check: this process makes none");
        return;
    }
    /* prefork destroys pchild inside its SIGTERM handler. */
    apr_pool_cleanup_register(pchild, NULL, end_keeper, apr_pool_cleanup_null);
}

/* The start of a drain that may take hours: another child takes over meanwhile. Under prefork this
 * too runs inside the signal handler. */
static void child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    (void)graceful;
    mp_keeper_tell();
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_config(mp_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(mp_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    mp_register_status();
}

module AP_MODULE_DECLARE_DATA psc_module = {
    STANDARD20_MODULE_STUFF,
    NULL,              /* per-directory configuration: none */
    NULL,
    mp_create_config,
    NULL,              /* virtual hosts: nothing to merge, directives are refused there */
    mp_directives,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
