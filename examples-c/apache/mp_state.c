/* The state directory is made here, while httpd is still root. */
#include "mod_psc.h"

#include "apr_strings.h"
#include "unixd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

APLOG_USE_MODULE(psc);

static uid_t server_user(void)
{
    return geteuid() == 0 ? ap_unixd_config.user_id : geteuid();
}

/* Gives what was made here to the server's user; a directory that was there already stays as it is. */
static const char *make_and_give(const char *path, apr_pool_t *pool)
{
    if (mkdir(path, 0700) < 0) {
        return errno == EEXIST ? NULL : apr_psprintf(pool, "cannot be made: %s", strerror(errno));
    }
    if (geteuid() == 0 && lchown(path, ap_unixd_config.user_id, ap_unixd_config.group_id) < 0) {
        return apr_psprintf(pool, "cannot be given to the server's user: %s", strerror(errno));
    }
    return NULL;
}

static const char *examine(const char *path, apr_pool_t *pool)
{
    struct stat found;

    if (lstat(path, &found) < 0) {
        return apr_psprintf(pool, "cannot be used: %s", strerror(errno));
    }
    if (!S_ISDIR(found.st_mode)) {
        return "is not a directory";
    }
    if (found.st_uid != server_user() || (found.st_mode & S_IRWXU) != S_IRWXU) {
        return apr_psprintf(pool, "does not belong to the server's user (uid %d)", (int)server_user());
    }
    if (access(path, W_OK) < 0) {
        return apr_psprintf(pool, "cannot be written: %s", strerror(errno));
    }
    return NULL;
}

/* The path as a child will see it; NULL without one. */
const char *mp_prepare_state_dir(const mp_config *config, server_rec *server, apr_pool_t *pool)
{
    const char *chroot_dir = ap_unixd_config.chroot_dir;
    const char *inside = mp_state_path(config, pool);
    const char *path, *problem;

    if (inside == NULL) {
        return NULL;
    }
    path = chroot_dir != NULL ? apr_pstrcat(pool, chroot_dir, inside, NULL) : inside;
    problem = make_and_give(path, pool);
    if (problem == NULL) {
        problem = examine(path, pool);
    }
    if (problem != NULL) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     "the state directory %s %s. The schedule of the security update check is kept in memory "
                     "only, as if by PscSecurityUpdateCheckStatePath off", path, problem);
        return NULL;
    }
    return inside;
}
