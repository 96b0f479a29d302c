/*
 * The main server's configuration, as psc's JSON; and what no single directive decides: whether the
 * version is there, and the files. psc itself looks at the files, for `apache2 -t` and before a start.
 * Nothing here contacts anybody.
 */
#include "mod_psc.h"

#include "apr_general.h"
#include "apr_strings.h"

APLOG_USE_MODULE(psc);

/* Distributions give httpd a directory of its own there, named after its program: it belongs to root and survives a
 * reboot. build.sh defines the name. */
#ifndef MOD_PSC_HTTPD
#define MOD_PSC_HTTPD httpd
#endif
#define DEFAULT_STATE_PATH "/var/lib/" APR_STRINGIFY(MOD_PSC_HTTPD) "/psc"

void *mod_psc_create_server_config(apr_pool_t *pool, server_rec *server)
{
    mod_psc_config_t *config = apr_pcalloc(pool, sizeof(*config));

    (void)server;
    config->settings = apr_array_make(pool, 8, sizeof(mod_psc_setting_t));
    return config;
}

void *mod_psc_create_dir_config(apr_pool_t *pool, char *dir)
{
    mod_psc_dir_config_t *config = apr_palloc(pool, sizeof(*config));

    (void)dir;
    config->status = -1;
    return config;
}

void *mod_psc_merge_dir_config(apr_pool_t *pool, void *outer, void *inner)
{
    (void)pool;
    return ((mod_psc_dir_config_t *)inner)->status < 0 ? outer : inner;
}

/* A JSON string literal. psc refuses control characters in it, but must be able to parse it to say so. */
const char *mod_psc_json_string(apr_pool_t *pool, const char *text)
{
    size_t size = strlen(text) * 6 + 3;
    char *quoted = apr_palloc(pool, size), *out = quoted;

    *out++ = '"';
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20) {
            out += apr_snprintf(out, size - (size_t)(out - quoted), "\\u%04x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            *out++ = '\\';
        }
        *out++ = (char)byte;
    }
    *out++ = '"';
    *out = '\0';
    return quoted;
}

/* What psc says of one value by itself: its code, and for an error its message. "disabled", because whether the files of
 * the resources directory are needed is not known yet. Without memory for a handle: PSC_OK, the value is not at fault. */
int mod_psc_try_value(apr_pool_t *pool, const char *key, const char *value, const char **message)
{
    psc_checker *trial = psc_init(NULL, NULL);
    int code;

    if (trial == NULL) {
        return PSC_OK;
    }
    code = psc_configure(trial, apr_psprintf(pool, "{\"disabled\":true,\"%s\":%s}", key, value));
    if (code < 0) {
        *message = apr_pstrdup(pool, psc_last_error(trial));
    }
    psc_free(trial);
    return code;
}

/* The setting that counts, which is the last one of its key; or NULL. */
static const mod_psc_setting_t *find(const mod_psc_config_t *config, const char *key)
{
    const mod_psc_setting_t *settings = (const mod_psc_setting_t *)config->settings->elts;
    int i;

    for (i = config->settings->nelts - 1; i >= 0; i--) {
        if (strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

/* As the process that makes the checks will see it; NULL: off. */
const char *mod_psc_state_path(const mod_psc_config_t *config)
{
    if (config->state_off) {
        return NULL;
    }
    return config->state_path != NULL ? config->state_path : DEFAULT_STATE_PATH;
}

/* Distributions load modules that nobody has configured yet. */
int mod_psc_checks_enabled(const mod_psc_config_t *config)
{
    return config->first != NULL && !config->disabled;
}

/* Of the running server, not of the one that the module was compiled for. */
static const char *web_server_version(apr_pool_t *pool)
{
    ap_version_t running;

    ap_get_server_revision(&running);
    return apr_psprintf(pool, "%d.%d.%d", running.major, running.minor, running.patch);
}

/* psc need not compose what httpd would drop. */
static int psc_log_level(const server_rec *server)
{
    int level = ap_get_server_module_loglevel(server, APLOG_MODULE_INDEX);

    return level >= APLOG_DEBUG ? 7 : level >= APLOG_INFO ? 4 : 3;
}

int mod_psc_configure(psc_checker *checker, const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool)
{
    const mod_psc_setting_t *settings = (const mod_psc_setting_t *)config->settings->elts;
    const char *state_path = mod_psc_state_path(config);
    const char *json = apr_psprintf(pool,
        "{\"server_identifier\":\"apache\",\"web_server_version\":\"%s\",\"log_level\":%d,\"disabled\":%s",
        web_server_version(pool), psc_log_level(server), config->disabled ? "true" : "false");
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        if (find(config, settings[i].key) == &settings[i]) {
            json = apr_pstrcat(pool, json, ",\"", settings[i].key, "\":", settings[i].value, NULL);
        }
    }
    if (state_path != NULL) {
        json = apr_pstrcat(pool, json, ",\"state_dir\":", mod_psc_json_string(pool, state_path), NULL);
    }
    return psc_configure(checker, apr_pstrcat(pool, json, "}", NULL));
}

static int config_error(const mod_psc_setting_t *where, server_rec *server, const char *problem)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, server, "mod_psc: on line %d of %s: %s",
                 where->line, where->file, problem);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* httpd's hook check_config. */
int mod_psc_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    const mod_psc_config_t *config = ap_get_module_config(server->module_config, &psc_module);

    (void)pconf;
    (void)plog;
    if (!mod_psc_checks_enabled(config)) {
        return OK;
    }
    if (find(config, "passenger_version") == NULL) {
        return config_error(config->first, server, "PscSecurityUpdateCheckVersion is missing "
                            "(or switch the check off: PscDisableSecurityUpdateCheck On)");
    }
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST ? mod_psc_check_files(server, ptemp) : OK;
}

/* Points at the line whose file psc refuses; or, when every value is good by itself, at the line of the resources directory
 * (of the version, when that directory is the default one). */
static int file_error(const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool,
                      const char *message)
{
    const mod_psc_setting_t *settings = (const mod_psc_setting_t *)config->settings->elts;
    const mod_psc_setting_t *where = find(config, "resources_dir");
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        const char *reason = NULL;

        if (mod_psc_try_value(pool, settings[i].key, settings[i].value, &reason) == PSC_ERR_FILE) {
            return config_error(&settings[i], server, apr_pstrcat(pool, settings[i].name, ": ", reason, NULL));
        }
    }
    return config_error(where != NULL ? where : find(config, "passenger_version"), server, message);
}

/* For `-t` and a start: whether psc can use the files that the configuration names. */
int mod_psc_check_files(server_rec *server, apr_pool_t *pool)
{
    const mod_psc_config_t *config = ap_get_module_config(server->module_config, &psc_module);
    psc_checker *trial = mod_psc_checks_enabled(config) ? psc_init(NULL, NULL) : NULL;
    int code, status = OK;

    if (trial == NULL) {
        return OK;
    }
    code = mod_psc_configure(trial, config, server, pool);
    if (code == PSC_ERR_FILE || code == PSC_ERR_CONFIG) {
        status = file_error(config, server, pool, psc_last_error(trial));
    }
    psc_free(trial);
    return status;
}
