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
    const char *file;
    int line;
} mp_setting;

/* The main server's configuration. */
typedef struct {
    apr_array_header_t *settings;  /* of mp_setting; the last one of a key counts */
    const char *state_path;        /* NULL: psc in DefaultRuntimeDir */
    int state_off;
    int disabled;
    const mp_setting *first;       /* of the directives, without key and value; NULL: there is none */
} mp_config;

/* mp_config.c: the directives, and what psc makes of them. */
extern const command_rec mp_directives[];
void *mp_create_config(apr_pool_t *pool, server_rec *server);
int mp_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server);
const char *mp_state_path(const mp_config *config, apr_pool_t *pool);
int mp_checks_are_wanted(const mp_config *config);
int mp_interval(const mp_config *config);
int mp_configure(psc_checker *checker, const mp_config *config, const char *state_dir,
                 server_rec *server, apr_pool_t *pool);

/* mp_state.c: the state directory. */
const char *mp_prepare_state_dir(const mp_config *config, server_rec *server, apr_pool_t *pool);

/* mp_election.c: which child checks, and when it last began to. Times are in seconds since boot, 0: never. */
int mp_prepare_election(const mp_config *config, server_rec *server, apr_pool_t *pool);
int mp_may_be_elected(void);
int mp_elected(void);
void mp_resign(void);
int mp_vacancy(void);          /* a descriptor that is readable when there may be no owner */
void mp_clear_vacancy(void);
void mp_child_status(server_rec *server, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status);
apr_uint32_t mp_begun(void);
void mp_set_begun(apr_uint32_t begun);
apr_uint32_t mp_seconds_ago(apr_int64_t age);
int mp_seconds_left(int interval);

/* mp_keeper.c: the thread of each child that starts and stops psc. */
apr_status_t mp_keeper_start(psc_checker *inherited, int seconds);
void mp_keeper_tell(void);
void mp_keeper_end(void);
void mp_keeper_note_check(void);

/* mp_status.c: the handler psc-status and the line in mod_status. */
void mp_register_status(void);
void mp_use_for_status(psc_checker *present);

#endif
