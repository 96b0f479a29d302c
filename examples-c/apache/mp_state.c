/*
 * The state directory is made here, while httpd is still root. Where there is none, "off" or not
 * usable, a word of memory that parent and children share decides which child checks.
 */
#include "mod_psc.h"

#include "apr_atomic.h"
#include "apr_shm.h"
#include "apr_strings.h"
#include "http_main.h"
#include "unixd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

APLOG_USE_MODULE(psc);

/* Shared by parent and children for the server's whole life, graceful restarts included. */
struct election {
    volatile apr_uint32_t owner;   /* process id of the child that checks; 0: none */
    volatile apr_uint32_t started; /* some child has been the owner before */
};

#define RETAINED "mod_psc-election"

static struct election *election;

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

/* False when there is no memory to share. */
int mp_prepare_election(server_rec *server)
{
    struct election **retained = ap_retained_data_get(RETAINED);
    apr_shm_t *memory;
    apr_status_t status;

    if (retained == NULL) {
        status = apr_shm_create(&memory, sizeof(*election), NULL, ap_pglobal);
        if (status != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, "no shared memory");
            return 0;
        }
        retained = ap_retained_data_create(RETAINED, sizeof(*retained));
        *retained = apr_shm_baseaddr_get(memory);
        memset(*retained, 0, sizeof(**retained));
    }
    election = *retained;
    /* A new generation of children elects anew; the old one's owner is about to be told to stop. */
    apr_atomic_set32(&election->owner, 0);
    return 1;
}

int mp_elected(void)
{
    return apr_atomic_cas32(&election->owner, (apr_uint32_t)getpid(), 0) == 0;
}

int mp_first_in_server_life(void)
{
    return apr_atomic_xchg32(&election->started, 1) == 0;
}

/* In the parent: the place of an owner that is gone is free before its successor is forked. */
void mp_child_status(server_rec *server, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status)
{
    (void)server;
    (void)generation;
    (void)slot;
    if (status == MPM_CHILD_EXITED && election != NULL) {
        apr_atomic_cas32(&election->owner, 0, (apr_uint32_t)pid);
    }
}
