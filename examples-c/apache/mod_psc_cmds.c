/*
 * The directives. Each becomes a key of psc's JSON configuration, and psc itself checks the value while
 * httpd reads the line, so that the message names the file and the line, also with `apache2 -t`. Only a
 * wrong value is refused here: `-k stop` and a running server read these lines as well, and a file may
 * have vanished since the start.
 */
#include "mod_psc.h"

#include "apr_lib.h"
#include "apr_strings.h"

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

/* NULL unless the text is a whole number; psc checks the range. */
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

/* An error message for a value that is wrong on every machine; otherwise NULL. */
static const char *value_error(cmd_parms *cmd, const char *key, const char *value)
{
    const char *message = NULL;
    int code = mod_psc_try_value(cmd->pool, key, value, &message);

    return code == PSC_ERR_CONFIG || code == PSC_ERR_INVALID_ARGUMENT
        ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", message, NULL) : NULL;
}

static mod_psc_config_t *main_config(cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config, &psc_module);
}

/* An error message when the directive is not allowed here. Also notes where the first directive stands. */
static const char *context_error(cmd_parms *cmd)
{
    mod_psc_config_t *config = main_config(cmd);

    if (config->first == NULL) {
        mod_psc_setting_t *first = apr_pcalloc(cmd->pool, sizeof(*first));

        first->file = cmd->directive->filename;
        first->line = cmd->directive->line_num;
        config->first = first;
    }
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

static void add_setting(cmd_parms *cmd, const char *key, const char *value)
{
    mod_psc_setting_t *setting = apr_array_push(main_config(cmd)->settings);

    setting->key = key;
    setting->value = value;
    setting->name = cmd->cmd->name;
    setting->file = cmd->directive->filename;
    setting->line = cmd->directive->line_num;
}

static const char *add(cmd_parms *cmd, const char *key, const char *value)
{
    const char *problem = value_error(cmd, key, value);

    if (problem == NULL) {
        add_setting(cmd, key, value);
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
    const char *problem = context_error(cmd);

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
    return add(cmd, directive->key, mod_psc_json_string(cmd->pool, argument));
}

static const char *set_start_delay(cmd_parms *cmd, void *unused, const char *delay, const char *jitter)
{
    const char *problem = context_error(cmd);

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
    const char *problem = context_error(cmd);
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
    problem = value_error(cmd, "state_dir", mod_psc_json_string(cmd->pool, path));
    if (problem == NULL) {
        main_config(cmd)->state_path = path;
    }
    return problem;
}

static const char *set_disabled(cmd_parms *cmd, void *unused, int on)
{
    const char *problem = context_error(cmd);

    (void)unused;
    if (problem == NULL) {
        main_config(cmd)->disabled = on;
    }
    return problem;
}

/* PscStatus is refused in .htaccess: whoever may write one may set handlers, and could publish the status. */
static const char *set_status(cmd_parms *cmd, void *dir_config, int on)
{
    (void)cmd;
    ((mod_psc_dir_config_t *)dir_config)->status = on;
    return NULL;
}

const command_rec mod_psc_cmds[] = {
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
