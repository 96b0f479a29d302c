/*
 * What the next worker 0 must know even when the state directory cannot tell,
 * because it is off, full or unusable: when a check is due. Otherwise each
 * worker that crashes would be followed by one that checks at once. Master and
 * workers share it for the server's life, reloads included.
 */

#include "ngx_http_psc.h"


/* A check whose end is not known is repeated no sooner; psc's own state agrees. */

#define NGX_HTTP_PSC_REPEAT        600


/*
 * While a reload exchanges workers two of them may write. Each writes words
 * that make sense alone, so no lock is needed, which a crash would leave held.
 */

typedef struct {
    ngx_atomic_t  plan;           /* what the rest was planned for */
    ngx_atomic_t  due;            /* ngx_current_msec / 1000; 0: not begun */
} ngx_http_psc_memory_t;


/* What psc says about checks. */

typedef struct {
    unsigned      planned:1;      /* the next one, even if it is due */
    unsigned      begun:1;        /* one, ever */
    unsigned      ended:1;        /* and the last one has */
} ngx_http_psc_known_t;


/* Until then this process need not ask psc again. */

static time_t  ngx_http_psc_known_due;


static ngx_int_t ngx_http_psc_init_memory(ngx_shm_zone_t *zone, void *data);
static ngx_atomic_uint_t ngx_http_psc_plan(ngx_http_psc_conf_t *conf);
static time_t ngx_http_psc_ask(psc_checker *checker,
    ngx_http_psc_known_t *known);


ngx_int_t
ngx_http_psc_add_memory(ngx_conf_t *cf, ngx_http_psc_conf_t *conf)
{
    ngx_str_t  name = ngx_string("psc");

    conf->memory = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                         &ngx_http_psc_module);
    if (conf->memory == NULL) {
        return NGX_ERROR;
    }

    conf->memory->init = ngx_http_psc_init_memory;

    return NGX_OK;
}


static ngx_int_t
ngx_http_psc_init_memory(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *pool;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_http_psc_memory_t));
    }

    zone->data = pool->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


/*
 * Before psc_start(). Where the state directory tells when a check is due, psc
 * keeps to that: 0, as for the first worker of a server's life, which checks as
 * the directives say. Where it does not, the worker that follows another waits
 * the rest of the time, so many seconds, and then checks at once: -1.
 */

time_t
ngx_http_psc_hold_back(ngx_http_psc_conf_t *conf)
{
    time_t                  now, due, next;
    ngx_http_psc_known_t    known;
    ngx_http_psc_memory_t  *memory;

    if (conf->memory == NULL) {
        /* a single process, after a reload without any directive of ours */
        return 0;
    }

    memory = conf->memory->data;
    now = ngx_current_msec / 1000;

    if (memory->plan != ngx_http_psc_plan(conf)) {
        memory->plan = ngx_http_psc_plan(conf);
        memory->due = 0;
    }

    due = memory->due;
    next = ngx_http_psc_ask(conf->checker, &known);

    /* what is overdue by a directory may have been begun, and not written */

    if (next > 0 || (known.planned && !known.begun)) {
        memory->due = now + next;
        return 0;
    }

    if (due > now) {
        return due - now;
    }

    memory->due = now + NGX_HTTP_PSC_REPEAT;

    return due ? -1 : 0;
}


/*
 * Until psc has begun its first check: a worker that follows waits for it as
 * well, but no sooner than a second before can it be sure that none was begun.
 * How long to wait for the next look; 0: no need.
 */

time_t
ngx_http_psc_expect(ngx_http_psc_conf_t *conf)
{
    time_t                  now, next;
    ngx_http_psc_known_t    known;
    ngx_http_psc_memory_t  *memory;

    if (conf->memory == NULL) {
        return 0;
    }

    memory = conf->memory->data;
    now = ngx_current_msec / 1000;
    next = ngx_http_psc_ask(conf->checker, &known);

    if (known.ended || memory->plan != ngx_http_psc_plan(conf)) {
        return 0;
    }

    memory->due = now + (next > 1 ? next : NGX_HTTP_PSC_REPEAT);

    return next > 1 ? next - 1 : 0;
}


/*
 * Whenever psc has logged something: it may have been the end of a check. Asked
 * once per check, because the event loop waits for the answer; and not by a
 * worker that leaves: its successor has begun, perhaps as another user, to
 * whom the state directory belongs by now.
 */

void
ngx_http_psc_remember(ngx_http_psc_conf_t *conf)
{
    time_t                  now, next;
    ngx_http_psc_known_t    known;
    ngx_http_psc_memory_t  *memory;

    now = ngx_current_msec / 1000;

    if (conf->memory == NULL || ngx_exiting || now < ngx_http_psc_known_due) {
        return;
    }

    memory = conf->memory->data;
    next = ngx_http_psc_ask(conf->checker, &known);

    /* while workers are exchanged, the new one may plan for something else */

    if (known.ended && next > 0 && memory->plan == ngx_http_psc_plan(conf)) {
        memory->due = now + next;
        ngx_http_psc_known_due = memory->due;
    }
}


/* Another version, address, proxy, interval or state directory is another plan. */

static ngx_atomic_uint_t
ngx_http_psc_plan(ngx_http_psc_conf_t *conf)
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


/* Seconds until the next check; 0: now, or not known. */

static time_t
ngx_http_psc_ask(psc_checker *checker, ngx_http_psc_known_t *known)
{
    char    *json, *p;
    time_t   next;

    ngx_memzero(known, sizeof(ngx_http_psc_known_t));

    if (psc_status(checker, &json) != PSC_OK) {
        return 0;
    }

    /* no text in the JSON can hold these: its quotes would be escaped */

    p = strstr(json, "\"next_check\":");
    p = p ? p + sizeof("\"next_check\":") - 1 : json;
    next = strtol(p, NULL, 10);

    known->planned = (*p >= '0' && *p <= '9');
    known->begun = (strstr(json, "\"last_check\":null") == NULL);
    known->ended = (known->begun && strstr(json, "\"code\":null") == NULL);

    psc_string_free(json);

    return next;
}
