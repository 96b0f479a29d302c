/*
 * When the next check is due, and the status, in memory that all processes of the server share until it
 * is stopped, over graceful restarts too. It replaces a state directory that is off or cannot be used,
 * which may happen at any time: a process that crashes during its check must not be followed by one
 * that checks at once.
 */
#include "mod_psc.h"

#include "apr_atomic.h"
#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_main.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

APLOG_USE_MODULE(psc);

/* Seconds before a check is repeated whose end is not known; src/checker does the same with a state directory. */
#define RETRY_DELAY 600
/* Seconds. The status holds ages, so it is written again this often; one that is much older is of a process that has died. */
#define SAVE_INTERVAL 60
#define STATUS_MAX_AGE (3 * SAVE_INTERVAL)

/* Only the process that makes the checks writes here. Times are seconds since boot; 0: none. */
struct shared {
    volatile apr_uint32_t due;         /* the next check */
    volatile apr_uint32_t written;     /* when the status was written */
    volatile apr_uint32_t changes;     /* a counter, odd while the status is being written */
    char status[64 * 1024];
};

struct retained {
    struct shared *shared;
    unsigned int config_hash;          /* of the configuration that `due` belongs to */
};

#define RETAINED "mod_psc-memory"

static struct retained *retained;

/* Never unmapped: children that are about to exit may still read it. */
static int map_pages(server_rec *server)
{
    void *pages = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED) {
        ap_log_error(APLOG_MARK, APLOG_ERR, errno, server, "no shared memory: no security update checks are made");
        return 0;
    }
    retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    retained->shared = pages;
    return 1;
}

static unsigned int hash_of(const mod_psc_config_t *config, apr_pool_t *pool)
{
    const mod_psc_setting_t *settings = (const mod_psc_setting_t *)config->settings->elts;
    const char *path = mod_psc_state_path(config);
    const char *all = path == NULL ? "" : path;
    apr_ssize_t length = APR_HASH_KEY_STRING;
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        all = apr_pstrcat(pool, all, "\n", settings[i].key, "=", settings[i].value, NULL);
    }
    return apr_hashfunc_default(all, &length);
}

/* Called in the parent. False without shared memory. A changed configuration forgets when a check is due. */
int mod_psc_shm_init(const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool)
{
    unsigned int config_hash = hash_of(config, pool);

    retained = ap_retained_data_get(RETAINED);
    if (retained == NULL && !map_pages(server)) {
        return 0;
    }
    if (retained->config_hash != config_hash) {
        retained->config_hash = config_hash;
        apr_atomic_set32(&retained->shared->due, 0);
    }
    apr_atomic_set32(&retained->shared->written, 0);
    return 1;
}

/* Never 0, which means none. */
static apr_uint32_t seconds_since_boot(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (apr_uint32_t)now.tv_sec + 1;
}

/* The number after "name": in JSON, -1 for null. Quotes inside of JSON strings are escaped, so no string can contain the
 * name with its quotes. */
static apr_int64_t json_number(const char *json, const char *name)
{
    const char *found = json == NULL ? NULL : strstr(json, name);

    return found != NULL && apr_isdigit(found[strlen(name)]) ? strtoll(found + strlen(name), NULL, 10) : -1;
}

/* A check that is running, or whose end nobody saw, says nothing about when the next one is due. */
static int has_ended_check(const char *json)
{
    return strstr(json, "\"last_check\":null") == NULL && strstr(json, "\"code\":null") == NULL;
}

static void write_status(const char *json)
{
    struct shared *shared = retained->shared;
    size_t size = strlen(json) + 1;

    if (size > sizeof(shared->status)) {
        apr_atomic_set32(&shared->written, 0);
        return;
    }
    /* `| 1`, not `+ 1`: a process that was killed right here has left it odd. */
    apr_atomic_set32(&shared->changes, apr_atomic_read32(&shared->changes) | 1);
    memcpy(shared->status, json, size);
    apr_atomic_inc32(&shared->changes);
    apr_atomic_set32(&shared->written, seconds_since_boot());
}

/*
 * Saves what psc knows. Call it when psc has logged something, because a check may have ended; and again
 * after as many seconds as it returns. Before psc's first check, a process that replaces this one has
 * to wait for the same moment; from a second before that moment on it must assume that the check has begun.
 */
int mod_psc_shm_save(psc_checker *checker)
{
    apr_int64_t next;
    char *json = NULL;

    if (psc_status(checker, &json) < 0) {
        return SAVE_INTERVAL;
    }
    next = json_number(json, "\"next_check\":");
    if (!has_ended_check(json) && next <= 1) {
        next = RETRY_DELAY;
    }
    write_status(json);
    psc_string_free(json);
    if (next > 0) {
        apr_atomic_set32(&retained->shared->due, seconds_since_boot() + (apr_uint32_t)next);
    }
    return next > 1 && next <= SAVE_INTERVAL ? (int)next - 1 : SAVE_INTERVAL;
}

/*
 * How many seconds to wait before psc is started. 0: start it as configured; so for the first process
 * of a server, and where psc knows from a state directory when its next check is due. -1: start it and
 * let it check at once; so for a process that has replaced another, after its wait.
 */
int mod_psc_shm_seconds_until_start(psc_checker *checker)
{
    struct shared *shared = retained->shared;
    apr_uint32_t now = seconds_since_boot(), due = apr_atomic_read32(&shared->due);
    apr_int64_t next;
    char *json = NULL;
    int known;

    psc_status(checker, &json);
    next = json_number(json, "\"next_check\":");
    /* An overdue check of which the state directory knows may have begun without being recorded there. */
    known = next > 0 || (next == 0 && json != NULL && strstr(json, "\"last_check\":null") != NULL);
    psc_string_free(json);
    if (known) {
        apr_atomic_set32(&shared->due, now + (apr_uint32_t)next);
        return 0;
    }
    if (due > now) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
                     "no state directory remembers this server's last security update check: "
                     "the next one waits for %d seconds", (int)(due - now));
        return (int)(due - now);
    }
    apr_atomic_set32(&shared->due, now + RETRY_DELAY);
    return due != 0 ? -1 : 0;
}

/* The status that was saved last, copied into the pool; NULL when there is none or it is too old. */
const char *mod_psc_shm_status(apr_pool_t *pool)
{
    const struct shared *shared = retained == NULL ? NULL : retained->shared;
    apr_uint32_t before, written;
    const char *copy;

    if (shared == NULL) {
        return NULL;
    }
    written = shared->written;
    before = shared->changes;
    if (written == 0 || seconds_since_boot() - written > STATUS_MAX_AGE || before % 2 == 1) {
        return NULL;
    }
    __sync_synchronize();
    copy = apr_pstrmemdup(pool, shared->status, sizeof(shared->status) - 1);
    __sync_synchronize();
    return shared->changes == before ? copy : NULL;
}
