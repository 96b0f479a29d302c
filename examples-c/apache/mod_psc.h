/* What the files of mod_psc share. */
#ifndef MOD_PSC_H
#define MOD_PSC_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "ap_mpm.h"

#include "psc.h"

/* The one symbol that httpd looks up; everything else is built hidden. */
extern __attribute__((visibility("default"))) module psc_module;

/* A directive's value, as a key of psc's configuration, and where it was given. */
typedef struct {
    const char *key;
    const char *value;             /* JSON */
    const char *name;              /* of the directive */
    const char *file;
    int line;
} mod_psc_setting_t;

/* The main server's configuration. */
typedef struct {
    apr_array_header_t *settings;  /* of mod_psc_setting_t; of two with the same key the last one counts */
    const char *state_path;        /* NULL: the default */
    int state_off;
    int disabled;
    const mod_psc_setting_t *first;  /* where the first directive stands; NULL: there is none */
} mod_psc_config_t;

/* The configuration of a directory, a location or a server. */
typedef struct {
    int status;                    /* PscStatus: -1: not given */
} mod_psc_dir_config_t;

/* mod_psc_cmds.c: the directives. */
extern const command_rec mod_psc_cmds[];

/* mod_psc_config.c: the configuration, and what psc says of it. */
void *mod_psc_create_server_config(apr_pool_t *pool, server_rec *server);
void *mod_psc_create_dir_config(apr_pool_t *pool, char *dir);
void *mod_psc_merge_dir_config(apr_pool_t *pool, void *outer, void *inner);
const char *mod_psc_json_string(apr_pool_t *pool, const char *text);
const char *mod_psc_state_path(const mod_psc_config_t *config);
int mod_psc_checks_enabled(const mod_psc_config_t *config);
int mod_psc_try_value(apr_pool_t *pool, const char *key, const char *value, const char **words);
int mod_psc_configure(psc_checker *checker, const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool);
int mod_psc_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server);
int mod_psc_check_files(server_rec *server, apr_pool_t *pool);

/* mod_psc_state_dir.c */
void mod_psc_make_state_dir(const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool);

/* mod_psc_shm.c: shared memory, for a process that follows another without a state directory. */
int mod_psc_shm_init(const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool);
int mod_psc_shm_seconds_until_start(psc_checker *checker);
int mod_psc_shm_save(psc_checker *checker);
const char *mod_psc_shm_status(apr_pool_t *pool);

/* mod_psc_process.c: the one process that makes the checks. */
void mod_psc_process_start(psc_checker *checker, server_rec *server, apr_pool_t *pconf);

/* mod_psc_status.c: the handler psc-status and the line in mod_status. */
void mod_psc_status_register(void);
void mod_psc_status_set_checker(psc_checker *current);

#endif
