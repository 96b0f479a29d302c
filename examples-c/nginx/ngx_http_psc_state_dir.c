/*
 * The state directory. psc makes it and gives it to the user of the workers,
 * when its own rules about owners allow that. A directory that cannot be used
 * does not keep a server from starting: psc goes on as if it were off.
 */

#include "ngx_http_psc.h"


/* Beside nginx's temporary files: packages provide a directory for these. */

#define NGX_HTTP_PSC_DEFAULT_SIBLING     NGX_HTTP_CLIENT_TEMP_PATH
#define NGX_HTTP_PSC_DEFAULT_NAME  "psc"


ngx_int_t
ngx_http_psc_default_state_path(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char       *p;
    const char   *slash;
    ngx_str_t     parent;

    slash = strrchr(NGX_HTTP_PSC_DEFAULT_SIBLING, '/');
    parent.data = (u_char *) NGX_HTTP_PSC_DEFAULT_SIBLING;
    parent.len = slash ? slash + 1 - NGX_HTTP_PSC_DEFAULT_SIBLING : 0;

    p = ngx_pnalloc(cf->pool, parent.len + sizeof(NGX_HTTP_PSC_DEFAULT_NAME));
    if (p == NULL) {
        return NGX_ERROR;
    }

    path->data = p;
    path->len = ngx_sprintf(p, "%V%s%Z", &parent, NGX_HTTP_PSC_DEFAULT_NAME)
                - p - 1;

    return ngx_conf_full_name(cf->cycle, path, 0);
}


/*
 * Called in the master, at a start and at each reload, which may change the
 * user. Not through cycle->paths: with those nginx changes the owner of
 * whatever it finds there.
 */

void
ngx_http_psc_make_state_dir(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    unsigned          uid, gid;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (geteuid() == 0 && ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        uid = ccf->user;
        gid = ccf->group;

    } else {
        uid = geteuid();
        gid = getegid();
    }

    if (psc_make_state_dir(conf->checker, uid, gid) != PSC_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "psc: %s. Until then the schedule of the security update"
                      " check is kept in memory only",
                      psc_last_error(conf->checker));
    }
}
