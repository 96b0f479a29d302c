/*
 * What outlives the process that checks, when no state directory tells: when a check is due, and what
 * is known. It is in memory that the server's processes share for the server's whole life, graceful
 * restarts included: a state directory may turn unusable at any time, and a process that crashes in
 * its check must not be followed by one that checks at once.
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

/* A check whose end is not known is repeated no sooner; psc's own state agrees. */
#define REPEAT 600
/* What is known is written so often, for the ages in it; what is much older is a dead process's. */
#define TELL_AGAIN 60
#define STATUS_IS_OLD (3 * TELL_AGAIN)

/* Written by the process that checks, of which there is one. Times: seconds since boot, 0: none. */
struct shared {
    volatile apr_uint32_t due;
    volatile apr_uint32_t written;     /* when the status was */
    volatile apr_uint32_t changes;     /* of the status; odd while it is written */
    char status[64 * 1024];
};

struct retained {
    struct shared *shared;
    unsigned int plan;                 /* stands for what was configured */
};

#define RETAINED "mod_psc-memory"

static struct retained *retained;

/* Mapped for ever: children that leave may still look at it. */
static int make(server_rec *server)
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

/* Another version, address, proxy, interval or state path is another plan. */
static unsigned int plan_for(const mp_config *config, apr_pool_t *pool)
{
    const mp_setting *settings = (const mp_setting *)config->settings->elts;
    const char *path = mp_state_path(config);
    const char *all = path == NULL ? "" : path;
    apr_ssize_t length = APR_HASH_KEY_STRING;
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        all = apr_pstrcat(pool, all, "\n", settings[i].key, "=", settings[i].value, NULL);
    }
    return apr_hashfunc_default(all, &length);
}

/* In the parent. False when there is nothing to share. */
int mp_prepare_memory(const mp_config *config, server_rec *server, apr_pool_t *pool)
{
    unsigned int plan = plan_for(config, pool);

    retained = ap_retained_data_get(RETAINED);
    if (retained == NULL && !make(server)) {
        return 0;
    }
    if (retained->plan != plan) {
        retained->plan = plan;
        apr_atomic_set32(&retained->shared->due, 0);
    }
    apr_atomic_set32(&retained->shared->written, 0);
    return 1;
}

/* Never 0, which stands for "none". */
static apr_uint32_t seconds_since_boot(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (apr_uint32_t)now.tv_sec + 1;
}

/* Quotes inside of JSON's strings are escaped, so that a name with its own is found only where it is one. -1: null. */
static apr_int64_t number_of(const char *json, const char *name)
{
    const char *found = json == NULL ? NULL : strstr(json, name);

    return found != NULL && apr_isdigit(found[strlen(name)]) ? strtoll(found + strlen(name), NULL, 10) : -1;
}

/* A check that is under way, or was never seen to end, is none to plan by. */
static int knows_a_check(const char *json)
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
    /* One that was killed in here has left it odd. */
    apr_atomic_set32(&shared->changes, apr_atomic_read32(&shared->changes) | 1);
    memcpy(shared->status, json, size);
    apr_atomic_inc32(&shared->changes);
    apr_atomic_set32(&shared->written, seconds_since_boot());
}

/*
 * Whenever psc has logged something, which may have been the end of a check; and so many seconds later
 * as this returns. Until psc has begun its first check, a process that follows this one waits for it as
 * well; from a second before on nobody can be sure that none was begun.
 */
int mp_remember(psc_checker *checker)
{
    apr_int64_t next;
    char *json = NULL;

    if (psc_status(checker, &json) < 0) {
        return TELL_AGAIN;
    }
    next = number_of(json, "\"next_check\":");
    if (!knows_a_check(json) && next <= 1) {
        next = REPEAT;
    }
    write_status(json);
    psc_string_free(json);
    if (next > 0) {
        apr_atomic_set32(&retained->shared->due, seconds_since_boot() + (apr_uint32_t)next);
    }
    return next > 1 && next <= TELL_AGAIN ? (int)next - 1 : TELL_AGAIN;
}

/*
 * Before psc is started. Where the state directory tells when a check is due, psc keeps to that: 0, as
 * for the first process of a server's life, which checks as the directives say. Where it does not, the
 * one that follows another waits the rest of the time, so many seconds, and then checks at once: -1.
 */
int mp_seconds_to_hold_back(psc_checker *checker)
{
    struct shared *shared = retained->shared;
    apr_uint32_t now = seconds_since_boot(), due = apr_atomic_read32(&shared->due);
    apr_int64_t next;
    char *json = NULL;
    int known;

    psc_status(checker, &json);
    next = number_of(json, "\"next_check\":");
    /* What is overdue by a directory may have been begun, and not written. */
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
    apr_atomic_set32(&shared->due, now + REPEAT);
    return due != 0 ? -1 : 0;
}

/* What the process that checks has told last, in the pool; NULL when it does not. */
const char *mp_remembered_status(apr_pool_t *pool)
{
    const struct shared *shared = retained == NULL ? NULL : retained->shared;
    apr_uint32_t before, written;
    const char *copy;

    if (shared == NULL) {
        return NULL;
    }
    written = shared->written;
    before = shared->changes;
    if (written == 0 || seconds_since_boot() - written > STATUS_IS_OLD || before % 2 == 1) {
        return NULL;
    }
    __sync_synchronize();
    copy = apr_pstrmemdup(pool, shared->status, sizeof(shared->status) - 1);
    __sync_synchronize();
    return shared->changes == before ? copy : NULL;
}
