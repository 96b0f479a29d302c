/*
 * The directives. Each becomes a key of psc's JSON configuration, and psc itself judges it while
 * httpd reads the line, so that the message names the file and the line, also with `apache2 -t`.
 * Only a wrong value is refused there: `-k stop` and a running server read these lines as well, and
 * a file may have vanished since the start. Files are looked at by `-t` and by a start.
 * Nothing here contacts anybody.
 */
#include "mod_psc.h"

#include "apr_lib.h"
#include "apr_strings.h"

APLOG_USE_MODULE(psc);

enum kind { TEXT, PATH, NUMBER };

struct directive {
    const char *key;
    enum kind kind;
};

static const struct directive proxy = {"proxy_url", TEXT};
static const struct directive url = {"url", TEXT};
static const struct directive certificate_path = {"certificate_path", PATH};
static const struct directive interval = {"interval", NUMBER};
static const struct directive timeout = {"timeout", NUMBER};
static const struct directive resources_dir = {"resources_dir", PATH};
static const struct directive version = {"passenger_version", TEXT};

void *mp_create_config(apr_pool_t *pool, server_rec *server)
{
    mp_config *config = apr_pcalloc(pool, sizeof(*config));

    (void)server;
    config->settings = apr_array_make(pool, 8, sizeof(mp_setting));
    return config;
}

void *mp_create_dir_config(apr_pool_t *pool, char *dir)
{
    mp_dir_config *config = apr_palloc(pool, sizeof(*config));

    (void)dir;
    config->status = -1;
    return config;
}

void *mp_merge_dir_config(apr_pool_t *pool, void *outer, void *inner)
{
    (void)pool;
    return ((mp_dir_config *)inner)->status < 0 ? outer : inner;
}

/* psc refuses control characters, but the JSON around them has to be JSON. */
const char *mp_json_string(apr_pool_t *pool, const char *text)
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

/* NULL unless the text is a whole number; psc knows the range. */
static const char *json_number(apr_pool_t *pool, const char *text)
{
    char *end;
    apr_int64_t number;

    if (!apr_isdigit(*text)) {
        return NULL;
    }
    errno = 0;
    number = apr_strtoi64(text, &end, 10);
    return errno == 0 && *end == '\0' ? apr_psprintf(pool, "%" APR_INT64_T_FMT, number) : NULL;
}

/* One value by itself: psc's code, and its words unless that is PSC_OK. Whether the files of the resources directory must
 * be there is not known yet. What this machine lacks now is no fault of the line. */
static int judge(apr_pool_t *pool, const char *key, const char *value, const char **words)
{
    psc_checker *trial = psc_init(NULL, NULL);
    int code;

    if (trial == NULL) {
        return PSC_OK;
    }
    code = psc_configure(trial, apr_psprintf(pool, "{\"disabled\":true,\"%s\":%s}", key, value));
    if (code < 0) {
        *words = apr_pstrdup(pool, psc_last_error(trial));
    }
    psc_free(trial);
    return code;
}

/* The problem of a value that is wrong whatever the machine; NULL when it is not. */
static const char *wrong_value(cmd_parms *cmd, const char *key, const char *value)
{
    const char *words = NULL;
    int code = judge(cmd->pool, key, value, &words);

    return code == PSC_ERR_CONFIG || code == PSC_ERR_INVALID_ARGUMENT
        ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", words, NULL) : NULL;
}

static mp_config *main_config(cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config, &psc_module);
}

/* A problem when the directive stands where it must not. */
static const char *misplaced(cmd_parms *cmd)
{
    mp_config *config = main_config(cmd);

    if (config->first == NULL) {
        mp_setting *first = apr_pcalloc(cmd->pool, sizeof(*first));

        first->file = cmd->directive->filename;
        first->line = cmd->directive->line_num;
        config->first = first;
    }
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static void remember(cmd_parms *cmd, const char *key, const char *value)
{
    mp_setting *setting = apr_array_push(main_config(cmd)->settings);

    setting->key = key;
    setting->value = value;
    setting->name = cmd->cmd->name;
    setting->file = cmd->directive->filename;
    setting->line = cmd->directive->line_num;
}

static const char *add(cmd_parms *cmd, const char *key, const char *value)
{
    const char *problem = wrong_value(cmd, key, value);

    if (problem == NULL) {
        remember(cmd, key, value);
    }
    return problem;
}

static const char *add_number(cmd_parms *cmd, const char *key, const char *text)
{
    const char *number = json_number(cmd->pool, text);

    if (number == NULL) {
        return apr_psprintf(cmd->pool, "%s: '%s' is not a whole number of seconds", cmd->cmd->name, text);
    }
    return add(cmd, key, number);
}

static const char *set(cmd_parms *cmd, void *unused, const char *argument)
{
    const struct directive *directive = cmd->info;
    const char *problem = misplaced(cmd);

    (void)unused;
    if (problem != NULL) {
        return problem;
    }
    switch (directive->kind) {
    case NUMBER:
        return add_number(cmd, directive->key, argument);
    case PATH:
        argument = ap_server_root_relative(cmd->pool, argument);
        if (argument == NULL) {
            return apr_pstrcat(cmd->pool, cmd->cmd->name, ": not a valid path", NULL);
        }
        break;
    case TEXT:
        break;
    }
    return add(cmd, directive->key, mp_json_string(cmd->pool, argument));
}

static const char *set_start_delay(cmd_parms *cmd, void *unused, const char *delay, const char *jitter)
{
    const char *problem = misplaced(cmd);

    (void)unused;
    if (problem == NULL) {
        problem = add_number(cmd, "start_delay", delay);
    }
    if (problem == NULL && jitter != NULL) {
        problem = add_number(cmd, "start_jitter", jitter);
    }
    return problem;
}

static const char *set_state_path(cmd_parms *cmd, void *unused, const char *argument)
{
    const char *problem = misplaced(cmd);
    const char *path;

    (void)unused;
    if (problem != NULL) {
        return problem;
    }
    main_config(cmd)->state_off = ap_cstr_casecmp(argument, "off") == 0;
    if (main_config(cmd)->state_off) {
        return NULL;
    }
    path = ap_server_root_relative(cmd->pool, argument);
    if (path == NULL) {
        return apr_pstrcat(cmd->pool, cmd->cmd->name, ": not a valid path", NULL);
    }
    problem = wrong_value(cmd, "state_dir", mp_json_string(cmd->pool, path));
    if (problem == NULL) {
        main_config(cmd)->state_path = path;
    }
    return problem;
}

static const char *set_disabled(cmd_parms *cmd, void *unused, int on)
{
    const char *problem = misplaced(cmd);

    (void)unused;
    if (problem == NULL) {
        main_config(cmd)->disabled = on;
    }
    return problem;
}

/* Not in .htaccess, whose authors may set handlers. */
static const char *set_status(cmd_parms *cmd, void *dir_config, int on)
{
    (void)cmd;
    ((mp_dir_config *)dir_config)->status = on;
    return NULL;
}

const command_rec mp_directives[] = {
    AP_INIT_FLAG("PscDisableSecurityUpdateCheck", set_disabled, NULL, RSRC_CONF,
                 "On: make no security update checks"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckVersion", set, (void *)&version, RSRC_CONF,
                  "the version of the product that is checked"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckUrl", set, (void *)&url, RSRC_CONF,
                  "the https URL of the check server"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckProxy", set, (void *)&proxy, RSRC_CONF,
                  "scheme://[user[:password]@]host[:port][?tunnel], or none"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckCertificatePath", set, (void *)&certificate_path, RSRC_CONF,
                  "file of the CA certificates to trust instead of the system's"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckResourcesDir", set, (void *)&resources_dir, RSRC_CONF,
                  "directory of the client certificate and the server's public key"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckInterval", set, (void *)&interval, RSRC_CONF,
                  "seconds between checks, 43200 to 604800"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckTimeout", set, (void *)&timeout, RSRC_CONF,
                  "seconds for one whole check, 1 to 180"),
    AP_INIT_TAKE12("PscSecurityUpdateCheckStartDelay", set_start_delay, NULL, RSRC_CONF,
                   "seconds before the first check, and at most how many more by chance"),
    AP_INIT_TAKE1("PscSecurityUpdateCheckStatePath", set_state_path, NULL, RSRC_CONF,
                  "directory that remembers the schedule, or off"),
    AP_INIT_FLAG("PscStatus", set_status, NULL, RSRC_CONF | ACCESS_CONF,
                 "On: here the handler psc-status and mod_status may tell what is known of security updates"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}
};

static const mp_setting *find(const mp_config *config, const char *key)
{
    const mp_setting *settings = (const mp_setting *)config->settings->elts;
    int i;

    for (i = config->settings->nelts - 1; i >= 0; i--) {
        if (strcmp(settings[i].key, key) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

/* The module may be loaded before anybody has configured it. */
int mp_checks_are_wanted(const mp_config *config)
{
    return config->first != NULL && !config->disabled;
}

/* The running server's, not the one that the module was compiled for. */
static const char *web_server_version(apr_pool_t *pool)
{
    ap_version_t running;

    ap_get_server_revision(&running);
    return apr_psprintf(pool, "%d.%d.%d", running.major, running.minor, running.patch);
}

/* What httpd would not write anyway need not be made. */
static int psc_log_level(const server_rec *server)
{
    int level = ap_get_server_module_loglevel(server, APLOG_MODULE_INDEX);

    return level >= APLOG_DEBUG ? 7 : level >= APLOG_INFO ? 4 : 3;
}

int mp_configure(psc_checker *checker, const mp_config *config, server_rec *server, apr_pool_t *pool)
{
    const mp_setting *settings = (const mp_setting *)config->settings->elts;
    const char *state_path = mp_state_path(config);
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
        json = apr_pstrcat(pool, json, ",\"state_dir\":", mp_json_string(pool, state_path), NULL);
    }
    return psc_configure(checker, apr_pstrcat(pool, json, "}", NULL));
}

static int refuse(const mp_setting *where, server_rec *server, const char *problem)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, server, "mod_psc: on line %d of %s: %s",
                 where->line, where->file, problem);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* What no single line decides. */
int mp_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    const mp_config *config = ap_get_module_config(server->module_config, &psc_module);

    (void)pconf;
    (void)plog;
    if (!mp_checks_are_wanted(config)) {
        return OK;
    }
    if (find(config, version.key) == NULL) {
        return refuse(config->first, server, "PscSecurityUpdateCheckVersion is missing "
                      "(or switch the check off: PscDisableSecurityUpdateCheck On)");
    }
    return ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST ? mp_check_files(server, ptemp) : OK;
}

/* The line whose file psc refuses; the one that names the directory when all is well with each by itself. */
static int refuse_file(const mp_config *config, server_rec *server, apr_pool_t *pool, const char *words)
{
    const mp_setting *settings = (const mp_setting *)config->settings->elts;
    const mp_setting *where = find(config, resources_dir.key);
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        const char *reason = NULL;

        if (judge(pool, settings[i].key, settings[i].value, &reason) == PSC_ERR_FILE) {
            return refuse(&settings[i], server, apr_pstrcat(pool, settings[i].name, ": ", reason, NULL));
        }
    }
    return refuse(where != NULL ? where : find(config, version.key), server, words);
}

/* For `-t` and a start: whether the files that the configuration names will do. */
int mp_check_files(server_rec *server, apr_pool_t *pool)
{
    const mp_config *config = ap_get_module_config(server->module_config, &psc_module);
    psc_checker *trial = mp_checks_are_wanted(config) ? psc_init(NULL, NULL) : NULL;
    int code, status = OK;

    if (trial == NULL) {
        return OK;
    }
    code = mp_configure(trial, config, server, pool);
    if (code == PSC_ERR_FILE || code == PSC_ERR_CONFIG) {
        status = refuse_file(config, server, pool, psc_last_error(trial));
    }
    psc_free(trial);
    return status;
}
