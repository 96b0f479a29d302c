/*
 * psc_status for people and monitoring: SetHandler psc-status, and a line in mod_status, both only
 * where the server's configuration says PscStatus On. Handlers can be set by whoever writes a
 * .htaccess, and the page tells which version has which hole.
 */
#include "mod_psc.h"

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "mod_status.h"

#include <pthread.h>
#include <signal.h>

static psc_checker *checker;

void mp_use_for_status(psc_checker *present)
{
    checker = present;
}

/* prefork leaves from inside its SIGTERM handler. Caught in here, it would hold what psc_stop waits for. */
static int uninterrupted_status(char **json)
{
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = psc_status(checker, json);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* In the pool, or NULL: what the process that checks has told last, or else what the state directory tells. */
static const char *status_json(apr_pool_t *pool)
{
    const char *told = checker == NULL ? NULL : mp_remembered_status(pool);
    char *json = NULL;

    if (told != NULL || checker == NULL || uninterrupted_status(&json) < 0) {
        return told;
    }
    told = apr_pstrdup(pool, json);
    psc_string_free(json);
    return told;
}

static int is_wanted(const request_rec *r)
{
    const mp_dir_config *config = ap_get_module_config(r->per_dir_config, &psc_module);

    return config->status == 1;
}

static int status_handler(request_rec *r)
{
    const char *json;

    if (r->handler == NULL || strcmp(r->handler, "psc-status") != 0 || !is_wanted(r)) {
        return DECLINED;
    }
    r->allowed |= AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    json = status_json(r->pool);
    if (json == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    ap_set_content_type(r, "application/json");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    if (!r->header_only) {
        ap_rvputs(r, json, "\n", NULL);
    }
    return OK;
}

static int status_line(request_rec *r, int flags)
{
    const char *json = is_wanted(r) ? status_json(r->pool) : NULL;

    if (json == NULL) {
        return DECLINED;
    }
    if (flags & AP_STATUS_SHORT) {
        ap_rvputs(r, "PscSecurityUpdateCheck: ", json, "\n", NULL);
    } else {
        ap_rvputs(r, "<hr>\n<dl><dt>Security update check: <code>", ap_escape_html(r->pool, json),
                  "</code></dt></dl>\n", NULL);
    }
    return OK;
}

void mp_register_status(void)
{
    ap_hook_handler(status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, status_line, NULL, NULL, APR_HOOK_MIDDLE);
}
