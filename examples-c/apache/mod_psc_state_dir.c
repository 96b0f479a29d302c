/* Makes the state directory while httpd is still root. */
#include "mod_psc.h"

#include "apr_strings.h"
#include "unixd.h"

#include <unistd.h>

APLOG_USE_MODULE(psc);

/* psc makes it, and decides whether it may be given to the server's user. */
static int make(psc_checker *maker, const char *path, apr_pool_t *pool)
{
    int root = geteuid() == 0;
    uid_t user = root ? ap_unixd_config.user_id : geteuid();
    gid_t group = root ? ap_unixd_config.group_id : getegid();
    int code = psc_configure(maker, apr_pstrcat(pool, "{\"state_dir\":", mod_psc_json_string(pool, path), "}", NULL));

    return code < 0 ? code : psc_make_state_dir(maker, user, group);
}

/* With a handle of its own: the parent is outside the chroot, where the path is a different one. */
void mod_psc_make_state_dir(const mod_psc_config_t *config, server_rec *server, apr_pool_t *pool)
{
    const char *chroot_dir = ap_unixd_config.chroot_dir;
    const char *path = mod_psc_state_path(config);
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
