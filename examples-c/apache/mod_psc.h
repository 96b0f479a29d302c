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

/* A directive's value as JSON, and where it stood. */
typedef struct {
    const char *key;
    const char *value;
    const char *name;              /* the directive's */
    const char *file;
    int line;
} mp_setting;

/* The main server's configuration. */
typedef struct {
    apr_array_header_t *settings;  /* of mp_setting; the last one of a key counts */
    const char *state_path;        /* NULL: the default one */
    int state_off;
    int disabled;
    const mp_setting *first;       /* of the directives, without key and value; NULL: there is none */
} mp_config;

/* Of a directory, a location or a server. */
typedef struct {
    int status;                    /* PscStatus: -1 not given */
} mp_dir_config;

/* mp_config.c: the directives, and what psc makes of them. */
extern const command_rec mp_directives[];
void *mp_create_config(apr_pool_t *pool, server_rec *server);
void *mp_create_dir_config(apr_pool_t *pool, char *dir);
void *mp_merge_dir_config(apr_pool_t *pool, void *outer, void *inner);
int mp_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server);
int mp_check_files(server_rec *server, apr_pool_t *pool);
int mp_checks_are_wanted(const mp_config *config);
const char *mp_json_string(apr_pool_t *pool, const char *text);
int mp_configure(psc_checker *checker, const mp_config *config, server_rec *server, apr_pool_t *pool);

/* mp_state.c: the state directory. */
const char *mp_state_path(const mp_config *config);
void mp_make_state_dir(const mp_config *config, server_rec *server, apr_pool_t *pool);

/* mp_memory.c: what the processes of this server share without a state directory. */
int mp_prepare_memory(const mp_config *config, server_rec *server, apr_pool_t *pool);
int mp_seconds_to_hold_back(psc_checker *checker);
int mp_remember(psc_checker *checker);
const char *mp_remembered_status(apr_pool_t *pool);

/* mp_process.c: the one process that checks. */
void mp_start_process(psc_checker *checker, server_rec *server, apr_pool_t *pconf);

/* mp_status.c: the handler psc-status and the line in mod_status. */
void mp_register_status(void);
void mp_use_for_status(psc_checker *present);

#endif
