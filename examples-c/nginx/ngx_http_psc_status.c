/*
 * psc_status; in a location: what is known about the checks, as JSON.
 */

#include "ngx_http_psc.h"


static ngx_int_t ngx_http_psc_status_handler(ngx_http_request_t *r);
static ngx_buf_t *ngx_http_psc_status_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_psc_no_store(ngx_http_request_t *r);


char *
ngx_http_psc_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    (void) cmd;
    (void) conf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_psc_status_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_psc_status_handler(ngx_http_request_t *r)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_http_psc_status_body(r);
    if (b == NULL || ngx_http_psc_no_store(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/*
 * Only one worker does the checks; the others ask the handle that they
 * inherited, which reads what the first one wrote into the state directory.
 */

static ngx_buf_t *
ngx_http_psc_status_body(ngx_http_request_t *r)
{
    int                   code;
    char                 *json;
    size_t                len;
    ngx_buf_t            *b;
    ngx_http_psc_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_psc_module);

    code = psc_status(conf->checker, &json);
    if (code != PSC_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "psc_status: %s", psc_last_error(conf->checker));
        return NULL;
    }

    len = ngx_strlen(json);

    b = ngx_create_temp_buf(r->pool, len + 1);
    if (b != NULL) {
        b->last = ngx_cpymem(b->last, json, len);
        *b->last++ = '\n';
    }

    psc_string_free(json);

    return b;
}


static ngx_int_t
ngx_http_psc_no_store(ngx_http_request_t *r)
{
    ngx_table_elt_t  *header;

    header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(header, sizeof(ngx_table_elt_t));
    header->hash = 1;
    ngx_str_set(&header->key, "Cache-Control");
    ngx_str_set(&header->value, "no-store");

    return NGX_OK;
}
