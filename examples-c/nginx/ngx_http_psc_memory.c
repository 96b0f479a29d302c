/*
 * What the next worker 0 must know even when the state directory cannot tell,
 * because it is off, full or unusable: when a check is due. Otherwise each
 * worker that crashes would be followed by one that checks at once. Master and
 * workers share it for the server's life, reloads included.
 */

#include "ngx_http_psc.h"


/* A check whose end is not known is repeated no sooner; psc's own state agrees. */

#define NGX_HTTP_PSC_REPEAT        600

/* psc's limits */

#define NGX_HTTP_PSC_LARGEST_DELAY   3600
#define NGX_HTTP_PSC_LARGEST_JITTER  86400


/*
 * While a reload exchanges workers two of them may write. Each writes words
 * that make sense alone, so no lock is needed, which a crash would leave held.
 */

typedef struct {
    ngx_atomic_t  plan;           /* what the rest was planned for */
    ngx_atomic_t  due;            /* ngx_current_msec / 1000; 0: not begun */
} ngx_http_psc_memory_t;


/* Until then this process need not ask psc again. */

static time_t  ngx_http_psc_known_due;


static ngx_int_t ngx_http_psc_init_memory(ngx_shm_zone_t *zone, void *data);
static ngx_atomic_uint_t ngx_http_psc_plan(ngx_http_psc_conf_t *conf);
static time_t ngx_http_psc_next_check(psc_checker *checker);


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
 * Before psc_start(). The first worker 0 of a server's life checks as the
 * directives say. One that follows it waits: an hour at least, a random while
 * longer, but never beyond the time the check is due anyway, so that frequent
 * reloads do not put it off for ever.
 */

void
ngx_http_psc_wait_as_successor(ngx_http_psc_conf_t *conf, ngx_cycle_t *cycle)
{
    u_char                  json[128];
    time_t                  now, left, delay, jitter;
    ngx_http_psc_memory_t  *memory;

    memory = conf->memory->data;
    now = ngx_current_msec / 1000;

    if (memory->plan != ngx_http_psc_plan(conf)) {
        memory->plan = ngx_http_psc_plan(conf);
        memory->due = 0;
    }

    if (memory->due == 0) {
        memory->due = now + NGX_HTTP_PSC_REPEAT;
        return;
    }

    if ((time_t) memory->due <= now) {
        memory->due = now + NGX_HTTP_PSC_REPEAT;
    }

    left = memory->due - now;
    delay = ngx_min(left, NGX_HTTP_PSC_LARGEST_DELAY);
    jitter = ngx_min(left - delay, NGX_HTTP_PSC_LARGEST_JITTER);

    ngx_sprintf(json, "{\"start_delay\":%T,\"start_jitter\":%T}%Z",
                delay, jitter);

    if (psc_configure(conf->checker, (char *) json) != PSC_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "psc: %s",
                      psc_last_error(conf->checker));
    }
}


/*
 * Whenever psc has logged something: it may have been the end of a check. Asked
 * once per check, because the event loop waits for the answer.
 */

void
ngx_http_psc_remember(ngx_http_psc_conf_t *conf)
{
    time_t                  now, next;
    ngx_http_psc_memory_t  *memory;

    now = ngx_current_msec / 1000;

    if (conf->memory == NULL || now < ngx_http_psc_known_due) {
        /* a single process, after a reload without any directive of ours */
        return;
    }

    memory = conf->memory->data;
    next = ngx_http_psc_next_check(conf->checker);

    /* while workers are exchanged, the new one may plan for something else */

    if (next > 0 && memory->plan == ngx_http_psc_plan(conf)) {
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


/* Seconds until the check that follows one that has ended; 0: not known. */

static time_t
ngx_http_psc_next_check(psc_checker *checker)
{
    char    *json, *p;
    time_t   next;

    if (psc_status(checker, &json) != PSC_OK) {
        return 0;
    }

    /* no text in the JSON can hold these: its quotes would be escaped */

    p = strstr(json, "\"next_check\":");
    next = p ? strtol(p + sizeof("\"next_check\":") - 1, NULL, 10) : 0;

    if (strstr(json, "\"last_check\":null") || strstr(json, "\"code\":null")) {
        next = 0;
    }

    psc_string_free(json);

    return next;
}
