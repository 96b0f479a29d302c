/*
 * When the next check is due, in memory that master and workers share until the
 * server is stopped, over reloads too. It replaces a state directory that is
 * off, full or unusable: a worker that crashes during its check must not be
 * followed by one that checks at once.
 */

#include "ngx_http_psc.h"


/*
 * Seconds before a check is repeated whose end is not known; psc does the same
 * with a state directory.
 */

#define NGX_HTTP_PSC_RETRY_DELAY        600


/*
 * During a reload two workers may write. No lock, which a crash would leave
 * held: each field is written at once and makes sense without the other.
 */

typedef struct {
    ngx_atomic_t  conf_hash;      /* the configuration that "due" belongs to */
    ngx_atomic_t  due;            /* the next check, in ngx_current_msec / 1000;
                                     0: none was ever scheduled */
} ngx_http_psc_shm_t;


/* What psc_status() says about the checks. */

typedef struct {
    unsigned      planned:1;      /* psc knows when the next one is due */
    unsigned      begun:1;        /* there has been one */
    unsigned      ended:1;        /* and the last one has ended */
} ngx_http_psc_schedule_t;


/* What this process has saved; psc need not be asked again before. */

static time_t  ngx_http_psc_saved_due;


static ngx_int_t ngx_http_psc_init_shm_zone(ngx_shm_zone_t *zone, void *data);
static ngx_atomic_uint_t ngx_http_psc_conf_hash(ngx_http_psc_conf_t *conf);
static time_t ngx_http_psc_query_schedule(psc_checker *checker,
    ngx_http_psc_schedule_t *schedule);


ngx_int_t
ngx_http_psc_add_shm_zone(ngx_conf_t *cf, ngx_http_psc_conf_t *conf)
{
    ngx_str_t  name = ngx_string("psc");

    conf->shm_zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                         &ngx_http_psc_module);
    if (conf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    conf->shm_zone->init = ngx_http_psc_init_shm_zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_psc_init_shm_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_psc_shm_t));
    }

    zone->data = pool->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


/*
 * How many seconds to wait before psc_start(). 0: start as configured; so for
 * the first worker of a server, and where psc knows from a state directory when
 * its next check is due. -1: start, and check at once; so for a worker that has
 * replaced another, after its wait.
 */

time_t
ngx_http_psc_seconds_until_start(ngx_http_psc_conf_t *conf)
{
    time_t                    now, due, next;
    ngx_http_psc_shm_t       *shm;
    ngx_http_psc_schedule_t   schedule;

    if (conf->shm_zone == NULL) {
        /* a single process, reloaded without any directive of this module */
        return 0;
    }

    shm = conf->shm_zone->data;
    now = ngx_current_msec / 1000;

    if (shm->conf_hash != ngx_http_psc_conf_hash(conf)) {
        shm->conf_hash = ngx_http_psc_conf_hash(conf);
        shm->due = 0;
    }

    due = shm->due;
    next = ngx_http_psc_query_schedule(conf->checker, &schedule);

    /* with a state directory: an overdue check may have begun unrecorded */

    if (next > 0 || (schedule.planned && !schedule.begun)) {
        shm->due = now + next;
        return 0;
    }

    if (due > now) {
        return due - now;
    }

    shm->due = now + NGX_HTTP_PSC_RETRY_DELAY;

    return due ? -1 : 0;
}


/*
 * Before psc's first check: a worker that replaces this one has to wait for the
 * same moment; from a second before that moment on it must assume that the
 * check has begun. Returns after how many seconds to call again; 0: not again.
 */

time_t
ngx_http_psc_save_first_check(ngx_http_psc_conf_t *conf)
{
    time_t                    now, next;
    ngx_http_psc_shm_t       *shm;
    ngx_http_psc_schedule_t   schedule;

    if (conf->shm_zone == NULL) {
        return 0;
    }

    shm = conf->shm_zone->data;
    now = ngx_current_msec / 1000;
    next = ngx_http_psc_query_schedule(conf->checker, &schedule);

    if (schedule.ended || shm->conf_hash != ngx_http_psc_conf_hash(conf)) {
        return 0;
    }

    shm->due = now + (next > 1 ? next : NGX_HTTP_PSC_RETRY_DELAY);

    return next > 1 ? next - 1 : 0;
}


/*
 * Called when psc has logged something, because a check may have ended. It asks
 * psc once per check only, since the event loop waits for the answer. A worker
 * that is leaving does not ask: the new worker has started, perhaps as another
 * user, who owns the state directory by now.
 */

void
ngx_http_psc_save_next_check(ngx_http_psc_conf_t *conf)
{
    time_t                    now, next;
    ngx_http_psc_shm_t       *shm;
    ngx_http_psc_schedule_t   schedule;

    now = ngx_current_msec / 1000;

    if (conf->shm_zone == NULL || ngx_exiting || now < ngx_http_psc_saved_due) {
        return;
    }

    shm = conf->shm_zone->data;
    next = ngx_http_psc_query_schedule(conf->checker, &schedule);

    /* during a reload the new worker may have another configuration */

    if (schedule.ended && next > 0
        && shm->conf_hash == ngx_http_psc_conf_hash(conf))
    {
        shm->due = now + next;
        ngx_http_psc_saved_due = shm->due;
    }
}


static ngx_atomic_uint_t
ngx_http_psc_conf_hash(ngx_http_psc_conf_t *conf)
{
    uint32_t     crc;
    ngx_str_t   *json;
    ngx_uint_t   i;

    ngx_crc32_init(crc);

    for (i = 0; i < NGX_HTTP_PSC_SETTINGS; i++) {
        json = &conf->settings[i].json;
        ngx_crc32_update(&crc, json->data, json->len);
        ngx_crc32_update(&crc, (u_char *) ",", 1);
    }

    ngx_crc32_final(crc);

    return crc;
}


/* Returns the seconds until the next check; 0: it is due, or not known. */

static time_t
ngx_http_psc_query_schedule(psc_checker *checker,
    ngx_http_psc_schedule_t *schedule)
{
    char    *json, *p;
    time_t   next;

    ngx_memzero(schedule, sizeof(ngx_http_psc_schedule_t));

    if (psc_status(checker, &json) != PSC_OK) {
        return 0;
    }

    /* no string in the JSON can contain these: its quotes are escaped */

    p = strstr(json, "\"next_check\":");
    p = p ? p + sizeof("\"next_check\":") - 1 : json;
    next = strtol(p, NULL, 10);

    schedule->planned = (*p >= '0' && *p <= '9');
    schedule->begun = (strstr(json, "\"last_check\":null") == NULL);
    schedule->ended = (schedule->begun
                       && strstr(json, "\"code\":null") == NULL);

    psc_string_free(json);

    return next;
}
