/*
 * The directives, as psc's configuration. nginx hands over each directive when
 * it is parsed, and psc checks it and reads the file it names at once, still as
 * root. So a bad value or file is reported with its line. Every other error
 * costs the checks, but nginx starts.
 */

#include "ngx_http_psc.h"


/* psc's names for the settings, in the order of ngx_http_psc_setting_e */

static const char  *ngx_http_psc_keys[NGX_HTTP_PSC_SETTINGS] = {
    "disabled",
    "passenger_version",
    "url",
    "proxy_url",
    "certificate_path",
    "resources_dir",
    "state_dir",
    "interval",
    "timeout",
    "start_delay",
    "start_jitter"
};


static char *ngx_http_psc_json_value(ngx_conf_t *cf, ngx_http_psc_conf_t *conf,
    ngx_uint_t index, ngx_str_t *value, ngx_str_t *json);
static char *ngx_http_psc_json_flag(ngx_http_psc_conf_t *conf, ngx_str_t *value,
    ngx_str_t *json);
static char *ngx_http_psc_json_path(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t conf_prefix, ngx_str_t *json);
static char *ngx_http_psc_json_state_path(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *json);
static char *ngx_http_psc_json_seconds(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *json);
static ngx_int_t ngx_http_psc_json_string(ngx_pool_t *pool, ngx_str_t *value,
    ngx_str_t *json);
static int ngx_http_psc_apply(ngx_pool_t *pool, psc_checker *checker,
    const char *key, ngx_str_t *json);
static char *ngx_http_psc_conf_result(ngx_conf_t *cf, ngx_http_psc_conf_t *conf,
    ngx_http_psc_setting_t *setting, int code);
static char *ngx_http_psc_add_state_path(ngx_conf_t *cf,
    ngx_http_psc_conf_t *conf);
static u_char *ngx_http_psc_host_json(u_char *p);
static ngx_int_t ngx_http_psc_log_level(ngx_cycle_t *cycle);
static ngx_http_psc_setting_t *ngx_http_psc_first_setting(
    ngx_http_psc_conf_t *conf);
static char *ngx_http_psc_conf_error(ngx_conf_t *cf,
    ngx_http_psc_setting_t *setting, const char *reason);


char *
ngx_http_psc_set_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    char                    *rv;
    ngx_str_t               *args;
    ngx_http_psc_conf_t     *conf = data;
    ngx_http_psc_setting_t  *setting;

    setting = &conf->settings[cmd->offset];
    if (setting->json.len) {
        return "is duplicate";
    }

    args = cf->args->elts;

    if (args[1].len == 0) {
        return "must not be empty";
    }

    rv = ngx_http_psc_json_value(cf, conf, cmd->offset, &args[1],
                                 &setting->json);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    setting->name = cmd->name;
    setting->file = cf->conf_file->file.name;
    setting->line = cf->conf_file->line;

    if (conf->checker == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_http_psc_conf_result(cf, conf, setting,
                              ngx_http_psc_apply(cf->pool, conf->checker,
                                                 ngx_http_psc_keys[cmd->offset],
                                                 &setting->json));
}


/*
 * What psc has said of a setting. A wrong value or file is an error in its
 * line; anything else, such as an OpenSSL that fails, costs the checks only.
 */

static char *
ngx_http_psc_conf_result(ngx_conf_t *cf, ngx_http_psc_conf_t *conf,
    ngx_http_psc_setting_t *setting, int code)
{
    const char  *reason;

    if (code == PSC_OK) {
        return NGX_CONF_OK;
    }

    reason = psc_last_error(conf->checker);

    if (code == PSC_ERR_CONFIG || code == PSC_ERR_INVALID_ARGUMENT
        || code == PSC_ERR_FILE)
    {
        return ngx_http_psc_conf_error(cf, setting, reason);
    }

    ngx_log_error(NGX_LOG_ERR, cf->log, 0,
                  "no security update checks are made: %s", reason);

    conf->failed = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_psc_json_value(ngx_conf_t *cf, ngx_http_psc_conf_t *conf,
    ngx_uint_t index, ngx_str_t *value, ngx_str_t *json)
{
    switch (index) {

    case NGX_HTTP_PSC_DISABLED:
        return ngx_http_psc_json_flag(conf, value, json);

    case NGX_HTTP_PSC_CERTIFICATE_PATH:
    case NGX_HTTP_PSC_RESOURCES_DIR:
        return ngx_http_psc_json_path(cf, value, 1, json);

    case NGX_HTTP_PSC_STATE_PATH:
        return ngx_http_psc_json_state_path(cf, value, json);

    case NGX_HTTP_PSC_INTERVAL:
    case NGX_HTTP_PSC_TIMEOUT:
    case NGX_HTTP_PSC_START_DELAY:
    case NGX_HTTP_PSC_START_JITTER:
        return ngx_http_psc_json_seconds(cf, value, json);

    default:
        return ngx_http_psc_json_string(cf->pool, value, json) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }
}


static char *
ngx_http_psc_json_flag(ngx_http_psc_conf_t *conf, ngx_str_t *value,
    ngx_str_t *json)
{
    if (ngx_strcasecmp(value->data, (u_char *) "on") == 0) {
        ngx_str_set(json, "true");
        conf->disabled = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcasecmp(value->data, (u_char *) "off") == 0) {
        ngx_str_set(json, "false");
        return NGX_CONF_OK;
    }

    return "must be \"on\" or \"off\"";
}


static char *
ngx_http_psc_json_path(ngx_conf_t *cf, ngx_str_t *value, ngx_uint_t conf_prefix,
    ngx_str_t *json)
{
    if (ngx_conf_full_name(cf->cycle, value, conf_prefix) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_psc_json_string(cf->pool, value, json) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_psc_json_state_path(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *json)
{
    if (ngx_strcmp(value->data, "off") == 0) {
        ngx_str_set(json, "null");
        return NGX_CONF_OK;
    }

    return ngx_http_psc_json_path(cf, value, 0, json);
}


/* In nginx's units: 90, 90s, 12h, 1d. psc checks the range. */

static char *
ngx_http_psc_json_seconds(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *json)
{
    time_t  seconds;

    seconds = ngx_parse_time(value, 1);
    if (seconds == (time_t) NGX_ERROR) {
        return "is not a time";
    }

    json->data = ngx_pnalloc(cf->pool, NGX_TIME_T_LEN);
    if (json->data == NULL) {
        return NGX_CONF_ERROR;
    }

    json->len = ngx_sprintf(json->data, "%T", seconds) - json->data;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_psc_json_string(ngx_pool_t *pool, ngx_str_t *value, ngx_str_t *json)
{
    u_char  *p;

    p = ngx_pnalloc(pool, value->len
                          + ngx_escape_json(NULL, value->data, value->len)
                          + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    json->data = p;
    *p++ = '"';
    p = (u_char *) ngx_escape_json(p, value->data, value->len);
    *p++ = '"';
    json->len = p - json->data;

    return NGX_OK;
}


static int
ngx_http_psc_apply(ngx_pool_t *pool, psc_checker *checker, const char *key,
    ngx_str_t *json)
{
    u_char  *p;
    size_t   size;

    size = ngx_strlen(key) + json->len + sizeof("{\"\":}");

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return PSC_ERR_SYSTEM;
    }

    ngx_snprintf(p, size, "{\"%s\":%V}%Z", key, json);

    return psc_configure(checker, (char *) p);
}


/*
 * At the end of the http block: adds what no directive said. Then psc's
 * configuration is complete, and psc reads the files of the resources
 * directory.
 */

char *
ngx_http_psc_init_main_conf(ngx_conf_t *cf, void *data)
{
    char                    *rv;
    u_char                   host[128];
    ngx_http_psc_conf_t     *conf = data;
    ngx_http_psc_setting_t  *setting;

    if (ngx_http_psc_first_setting(conf) == NULL || conf->checker == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_psc_add_shm_zone(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->settings[NGX_HTTP_PSC_VERSION].json.len == 0) {

        if (conf->disabled) {
            return NGX_CONF_OK;
        }

        return ngx_http_psc_conf_error(cf, ngx_http_psc_first_setting(conf),
                         "needs \"psc_security_update_check_version\" as well");
    }

    if (ngx_http_psc_add_state_path(cf, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    *ngx_http_psc_host_json(host) = '\0';

    setting = &conf->settings[NGX_HTTP_PSC_RESOURCES_DIR];
    if (setting->json.len == 0) {
        setting = &conf->settings[NGX_HTTP_PSC_VERSION];
    }

    rv = ngx_http_psc_conf_result(cf, conf, setting,
                            psc_configure(conf->checker, (char *) host));

    conf->complete = (rv == NGX_CONF_OK && !conf->failed);

    return rv;
}


static char *
ngx_http_psc_add_state_path(ngx_conf_t *cf, ngx_http_psc_conf_t *conf)
{
    ngx_str_t                path;
    ngx_http_psc_setting_t  *setting;

    setting = &conf->settings[NGX_HTTP_PSC_STATE_PATH];

    if (setting->json.len || conf->disabled) {
        return NGX_CONF_OK;
    }

    if (ngx_http_psc_default_state_path(cf, &path) != NGX_OK
        || ngx_http_psc_json_string(cf->pool, &path, &setting->json) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_psc_conf_result(cf, conf,
                              &conf->settings[NGX_HTTP_PSC_VERSION],
                              ngx_http_psc_apply(cf->pool, conf->checker,
                                                 "state_dir", &setting->json));
}


/*
 * ngx_core_module.version is the version of the running program, not of the
 * headers that the module was built with.
 */

static u_char *
ngx_http_psc_host_json(u_char *p)
{
    ngx_uint_t  version;

    version = ngx_core_module.version;

    return ngx_sprintf(p, "{\"server_identifier\":\"nginx\","
                          "\"web_server_version\":\"%ui.%ui.%ui\"}",
                       version / 1000000, version / 1000 % 1000,
                       version % 1000);
}


/*
 * psc need not compose what error_log would drop, except for the notice "no
 * update found": it tells ngx_http_psc_log_handler() that a check has ended.
 */

void
ngx_http_psc_set_log_level(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    u_char  json[32];

    ngx_sprintf(json, "{\"log_level\":%i}%Z", ngx_http_psc_log_level(cycle));

    if (psc_configure(conf->checker, (char *) json) != PSC_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "psc: %s",
                      psc_last_error(conf->checker));
    }
}


static ngx_int_t
ngx_http_psc_log_level(ngx_cycle_t *cycle)
{
    ngx_uint_t  level;

    level = cycle->log->log_level;

    if (level >= NGX_LOG_DEBUG) {
        return 7;
    }

    return ngx_max(level, NGX_LOG_NOTICE) - NGX_LOG_CRIT;
}


/*
 * A whole new configuration for a handle that is running: null restores the
 * default of what is no longer given. With nothing left to check, the handle is
 * disabled.
 */

ngx_int_t
ngx_http_psc_reconfigure(ngx_http_psc_conf_t *conf, psc_checker *checker,
    ngx_cycle_t *cycle)
{
    u_char      *json, *p;
    size_t       size;
    ngx_str_t   *value, null = ngx_string("null");
    ngx_uint_t   i;

    if (!conf->complete) {
        return psc_configure(checker, "{\"disabled\":true}") == PSC_OK
               ? NGX_OK : NGX_ERROR;
    }

    size = 256;

    for (i = 0; i < NGX_HTTP_PSC_SETTINGS; i++) {
        size += ngx_strlen(ngx_http_psc_keys[i])
                + conf->settings[i].json.len + sizeof("\"\":null,");
    }

    json = ngx_pnalloc(cycle->pool, size);
    if (json == NULL) {
        return NGX_ERROR;
    }

    /* over the closing brace of the first part */

    p = ngx_http_psc_host_json(json) - 1;

    for (i = 0; i < NGX_HTTP_PSC_SETTINGS; i++) {
        value = &conf->settings[i].json;
        p = ngx_sprintf(p, ",\"%s\":%V", ngx_http_psc_keys[i],
                        value->len ? value : &null);
    }

    ngx_sprintf(p, ",\"log_level\":%i}%Z", ngx_http_psc_log_level(cycle));

    return psc_configure(checker, (char *) json) == PSC_OK ? NGX_OK : NGX_ERROR;
}


static ngx_http_psc_setting_t *
ngx_http_psc_first_setting(ngx_http_psc_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_PSC_SETTINGS; i++) {
        if (conf->settings[i].name.len) {
            return &conf->settings[i];
        }
    }

    return NULL;
}


/* ngx_conf_log_error(), for a line that nginx has already left behind. */

static char *
ngx_http_psc_conf_error(ngx_conf_t *cf, ngx_http_psc_setting_t *setting,
    const char *reason)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%V\" directive: %s in %V:%ui",
                  &setting->name, reason, &setting->file, setting->line);

    return NGX_CONF_ERROR;
}
