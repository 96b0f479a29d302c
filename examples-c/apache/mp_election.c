/*
 * Which child checks, and when the last check was begun. Both are in memory that parent and children
 * share for the server's whole life, graceful restarts included: a state directory may turn unusable
 * at any time, and children must not check each for itself then, nor one after the other.
 */
#include "mod_psc.h"

#include "apr_atomic.h"
#include "apr_hash.h"
#include "apr_strings.h"
#include "http_main.h"
#include "scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

APLOG_USE_MODULE(psc);

struct election {
    volatile apr_uint32_t owner;   /* process id of the child that checks; 0: none */
    volatile apr_uint32_t begun;   /* when it last began a check, in seconds since boot; 0: never */
};

struct retained {
    struct election *election;
    int vacancy[2];                /* a byte in it: there may be no owner */
    unsigned int plan;             /* stands for what was configured */
};

#define RETAINED "mod_psc-election"

static struct retained *retained;

/* Mapped and opened for ever: children that leave may still look at it. */
static int make(server_rec *server)
{
    int vacancy[2];
    void *page = mmap(NULL, sizeof(struct election), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || pipe2(vacancy, O_CLOEXEC | O_NONBLOCK) < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, server, "no shared memory or no pipe");
        return 0;
    }
    retained = ap_retained_data_create(RETAINED, sizeof(*retained));
    retained->election = page;
    retained->vacancy[0] = vacancy[0];
    retained->vacancy[1] = vacancy[1];
    return 1;
}

/* Another version, address, proxy, interval or state path is another plan. */
static unsigned int plan_for(const mp_config *config, apr_pool_t *pool)
{
    const mp_setting *settings = (const mp_setting *)config->settings->elts;
    const char *path = mp_state_path(config, pool);
    const char *all = path == NULL ? "" : path;
    apr_ssize_t length = APR_HASH_KEY_STRING;
    int i;

    for (i = 0; i < config->settings->nelts; i++) {
        all = apr_pstrcat(pool, all, "\n", settings[i].key, "=", settings[i].value, NULL);
    }
    return apr_hashfunc_default(all, &length);
}

/* False when there is nothing to share. */
int mp_prepare_election(const mp_config *config, server_rec *server, apr_pool_t *pool)
{
    unsigned int plan = plan_for(config, pool);

    retained = ap_retained_data_get(RETAINED);
    if (retained == NULL && !make(server)) {
        return 0;
    }
    if (retained->plan != plan) {
        retained->plan = plan;
        apr_atomic_set32(&retained->election->begun, 0);
    }
    /* A new generation of children elects anew; the old one's owner is about to be told to stop. */
    apr_atomic_set32(&retained->election->owner, 0);
    return 1;
}

/* False for a child that leaves, or is about to be told to. */
int mp_may_be_elected(void)
{
    int generation = 0;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    return generation == ap_get_scoreboard_global()->running_generation;
}

int mp_elected(void)
{
    return mp_may_be_elected() &&
           apr_atomic_cas32(&retained->election->owner, (apr_uint32_t)getpid(), 0) == 0;
}

int mp_vacancy(void)
{
    return retained->vacancy[0];
}

/* Only by a child that may take the place: another one would keep the news from those. */
void mp_clear_vacancy(void)
{
    char byte;

    while (mp_may_be_elected() && read(retained->vacancy[0], &byte, 1) == 1) {
    }
}

static void vacate(apr_uint32_t pid)
{
    ssize_t written = 1;

    apr_atomic_cas32(&retained->election->owner, 0, pid);
    if (apr_atomic_read32(&retained->election->owner) == 0) {
        written = write(retained->vacancy[1], "", 1);
    }
    (void)written;   /* a full pipe says it already */
}

void mp_resign(void)
{
    vacate((apr_uint32_t)getpid());
}

/* In the parent: the place of an owner that died is free. */
void mp_child_status(server_rec *server, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status)
{
    (void)server;
    (void)generation;
    (void)slot;
    if (status == MPM_CHILD_EXITED && retained != NULL) {
        vacate((apr_uint32_t)pid);
    }
}

/* Never 0, which stands for "never". */
static apr_uint32_t seconds_since_boot(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (apr_uint32_t)now.tv_sec + 1;
}

apr_uint32_t mp_begun(void)
{
    return apr_atomic_read32(&retained->election->begun);
}

/* Only the owner's word counts. */
void mp_set_begun(apr_uint32_t begun)
{
    if (apr_atomic_read32(&retained->election->owner) == (apr_uint32_t)getpid()) {
        apr_atomic_set32(&retained->election->begun, begun);
    }
}

/* In the clock of mp_begun; 0 (never) for a negative age. */
apr_uint32_t mp_seconds_ago(apr_int64_t age)
{
    apr_uint32_t now = seconds_since_boot();

    if (age < 0) {
        return 0;
    }
    return age < now ? now - (apr_uint32_t)age : 1;
}

/* Until the last check was begun `interval` seconds ago. */
int mp_seconds_left(int interval)
{
    apr_int64_t begun = mp_begun(), due = begun + interval, now = seconds_since_boot();

    return begun == 0 || due <= now ? 0 : (int)(due - now);
}
