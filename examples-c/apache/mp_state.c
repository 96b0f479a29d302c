/* The state directory is made here, while httpd is still root. */
#include "mod_psc.h"

#include "apr_general.h"
#include "apr_strings.h"
#include "unixd.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

/* Distributions give httpd, by its program's name, a directory of its own there, which is root's and outlasts a reboot. */
#ifndef MP_HTTPD
#define MP_HTTPD httpd
#endif
#define DEFAULT_STATE_PATH "/var/lib/" APR_STRINGIFY(MP_HTTPD) "/psc"

/* As the process that checks will see it; NULL: off. */
const char *mp_state_path(const mp_config *config)
{
    if (config->state_off) {
        return NULL;
    }
    return config->state_path != NULL ? config->state_path : DEFAULT_STATE_PATH;
}

/* psc itself makes it, and gives it to nobody who could not have had it. */
static int make(psc_checker *maker, const char *path, apr_pool_t *pool)
{
    int root = geteuid() == 0;
    uid_t user = root ? ap_unixd_config.user_id : geteuid();
    gid_t group = root ? ap_unixd_config.group_id : getegid();
    int code = psc_configure(maker, apr_pstrcat(pool, "{\"state_dir\":", mp_json_string(pool, path), "}", NULL));

    return code < 0 ? code : psc_make_state_dir(maker, user, group);
}

/* A handle of its own: in a chroot the path is another one. */
void mp_make_state_dir(const mp_config *config, server_rec *server, apr_pool_t *pool)
{
    const char *chroot_dir = ap_unixd_config.chroot_dir;
    const char *path = mp_state_path(config);
    psc_checker *maker = path == NULL ? NULL : psc_init(NULL, NULL);

    if (maker == NULL) {
        return;
    }
    if (chroot_dir != NULL) {
        path = apr_pstrcat(pool, chroot_dir, path, NULL);
    }
    if (make(maker, path, pool) < 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "%s. Until then the schedule of the security update check is kept in memory only, as if by "
                     "PscSecurityUpdateCheckStatePath off", psc_last_error(maker));
    }
    psc_free(maker);
}
