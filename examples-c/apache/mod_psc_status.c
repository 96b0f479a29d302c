/*
 * psc_status for people and monitoring: the handler psc-status, and a line in mod_status, both only
 * where the server's configuration has PscStatus On. A handler alone would not be enough: whoever may
 * write a .htaccess may set one, and the page says which vulnerability the server has.
 */
#include "mod_psc.h"

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "mod_status.h"

#include <pthread.h>
#include <signal.h>

static psc_checker *checker;

void mod_psc_status_set_checker(psc_checker *current)
{
    checker = current;
}

/* With all signals blocked: a child of prefork exits from inside its SIGTERM handler, where psc_free must not find that
 * this very thread is in the middle of psc_status. */
static int status_with_signals_blocked(char **json)
{
    sigset_t all, before;
    int code;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    code = psc_status(checker, json);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* In the pool, or NULL: what the process that makes the checks has saved, or else what the state directory holds. */
static const char *status_json(apr_pool_t *pool)
{
    const char *saved = checker == NULL ? NULL : mod_psc_shm_status(pool);
    char *json = NULL;

    if (saved != NULL || checker == NULL || status_with_signals_blocked(&json) < 0) {
        return saved;
    }
    saved = apr_pstrdup(pool, json);
    psc_string_free(json);
    return saved;
}

static int status_is_on(const request_rec *r)
{
    const mod_psc_dir_config_t *config = ap_get_module_config(r->per_dir_config, &psc_module);

    return config->status == 1;
}

static int status_handler(request_rec *r)
{
    const char *json;

    if (r->handler == NULL || strcmp(r->handler, "psc-status") != 0 || !status_is_on(r)) {
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
    const char *json = status_is_on(r) ? status_json(r->pool) : NULL;

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

void mod_psc_status_register(void)
{
    ap_hook_handler(status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, status_line, NULL, NULL, APR_HOOK_MIDDLE);
}
