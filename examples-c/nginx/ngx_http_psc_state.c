/*
 * The state directory. One that the configuration names has to be usable, and
 * "nginx -t" tells the line when it is not. The default must not keep a server
 * from starting: psc itself tells what is wrong with it, and goes on as if it
 * were off.
 */

#include "ngx_http_psc.h"


/* Beside nginx's temporary files: packagers have given it a place to write to. */

#define NGX_HTTP_PSC_NEIGHBOUR     NGX_HTTP_CLIENT_TEMP_PATH
#define NGX_HTTP_PSC_DEFAULT_NAME  "psc"


ngx_int_t
ngx_http_psc_default_state_path(ngx_conf_t *cf, ngx_str_t *path)
{
    u_char       *p;
    const char   *slash;
    ngx_str_t     parent;

    slash = strrchr(NGX_HTTP_PSC_NEIGHBOUR, '/');
    parent.data = (u_char *) NGX_HTTP_PSC_NEIGHBOUR;
    parent.len = slash ? slash + 1 - NGX_HTTP_PSC_NEIGHBOUR : 0;

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
 * nginx would make it as well, but not tell the line; and it would give a file
 * in its place to the workers.
 */

ngx_int_t
ngx_http_psc_make_named_state(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_err_t        err;
    ngx_str_t       *args;
    ngx_file_info_t  fi;

    args = cf->args->elts;

    if (ngx_create_dir(path->data, 0700) == 0) {
        return NGX_OK;
    }

    err = ngx_errno;

    if (ngx_file_info(path->data, &fi) == 0) {

        if (ngx_is_dir(&fi)) {
            return NGX_OK;
        }

        err = NGX_ENOTDIR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                       "\"%V\" directive: \"%V\" cannot be the state directory",
                       &args[0], path);

    return NGX_ERROR;
}


/* As root, for the user the workers run as; without privileges they make it. */

void
ngx_http_psc_make_default_state(ngx_cycle_t *cycle, ngx_str_t *path)
{
    ngx_fd_t          fd;
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return;
    }

    (void) ngx_create_dir(path->data, 0700);

    /* its parent may belong to a user who would like to own another one */

    fd = open((char *) path->data, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);
    if (fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_fd_info(fd, &fi) == 0
        && fi.st_uid != ccf->user
        && fchown(fd, ccf->user, -1) == -1)
    {
        ngx_log_error(NGX_LOG_INFO, cycle->log, ngx_errno,
                      "fchown() \"%V\" failed", path);
    }

    (void) close(fd);
}
