/*
 * mod_psc: the security update check inside Apache httpd.
 *
 * The parent reads configuration, keys and certificates as root and never starts a thread: it forks
 * at any time, and a stray thread in it would take the whole server down. Each child starts the
 * handle that it inherited; with a state directory psc itself elects the one that checks.
 */
#include "mod_psc.h"

#include "http_main.h"
#include "mpm_common.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

static psc_checker *checker;
static pid_t parent;       /* the process that made the checker, and alone frees it */
static int has_state_dir;

psc_checker *mp_checker(void)
{
    return checker;
}

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
    }
    return APR_SUCCESS;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    mp_config *config = ap_get_module_config(server->module_config, &psc_module);
    const char *state_dir;

    (void)plog;
    /* httpd reads its configuration twice at start; this is the rehearsal. */
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (config->disabled) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, "the security update check is disabled");
    }

    state_dir = config->disabled ? NULL : mp_prepare_state_dir(config, server, ptemp);
    has_state_dir = state_dir != NULL;
    if (!config->disabled && !has_state_dir && !mp_prepare_election(server)) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    checker = psc_init(write_log, NULL);
    if (checker == NULL) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "no resources for a psc handle");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    parent = getpid();
    apr_pool_cleanup_register(pconf, NULL, free_checker, apr_pool_cleanup_null);
    if (mp_configure(checker, config, state_dir, server, ptemp) < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, server, "%s", psc_last_error(checker));
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

static apr_status_t stop_here(void *unused)
{
    (void)unused;
    psc_stop(checker);
    return APR_SUCCESS;
}

static apr_status_t stop_elsewhere(void *unused)
{
    (void)unused;
    mp_stopper_run();
    return APR_SUCCESS;
}

/* Without a state directory nobody remembers the last check. The first child of a server's life
 * checks at once; the one that follows it, after a crash or a graceful restart, waits at least an
 * hour, so that a crash loop never becomes a check loop. */
static int wait_as_successor(void)
{
    return psc_configure(checker, "{\"start_delay\":3600,\"start_jitter\":43200}");
}

static void child_init(apr_pool_t *pchild, server_rec *server)
{
    const mp_config *config = ap_get_module_config(server->module_config, &psc_module);
    int threaded = 0;
    apr_status_t status;

    if (checker == NULL || config->disabled) {
        return;
    }
    if (!has_state_dir) {
        if (!mp_elected()) {
            return;
        }
        if (!mp_first_in_server_life()) {
            wait_as_successor();
        }
    }

    /* prefork destroys pchild inside its SIGTERM handler. */
    ap_mpm_query(AP_MPMQ_IS_THREADED, &threaded);
    if (!threaded) {
        status = mp_stopper_start(checker);
        if (status != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, status, server,
                         "no thread for the security update check: this process makes none");
            return;
        }
    }
    apr_pool_cleanup_register(pchild, NULL, threaded ? stop_here : stop_elsewhere,
                              apr_pool_cleanup_null);
    if (psc_start(checker) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, "the security update check does not start: %s",
                     psc_last_error(checker));
    }
}

/* The start of a drain that may take hours: another child takes over meanwhile. Under prefork this
 * too runs inside the signal handler; psc_request_stop is made for that. */
static void child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    (void)graceful;
    if (checker != NULL) {
        psc_request_stop(checker);
    }
}

static void register_hooks(apr_pool_t *pool)
{
    ap_hook_check_config(mp_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(mp_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    mp_register_status(pool);
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
