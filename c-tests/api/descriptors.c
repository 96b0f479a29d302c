/*
 * While a check is under way, every descriptor that psc has opened is closed by exec: a CGI program that
 * the host starts meanwhile inherits nothing. The one exception: the socket pairs with which a libcurl before 8.11
 * wakes itself up.
 *
 *   descriptors CONFIG PAIRS    a configuration whose check waits until its timeout of a second or two; how many pairs
 *                               libcurl needs for it
 */
#include "../harness.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HIGHEST 1024

static atomic_int ended;

static void *check(void *checker)
{
    CHECK_CODE(PSC_ERR_NETWORK, psc_run_once(checker, NULL));
    atomic_store(&ended, 1);
    return NULL;
}

static int is_local_socket(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *) &address, &length) == 0 && address.ss_family == AF_UNIX;
}

static void refuse(int fd)
{
    char link[64], target[256];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    fprintf(stderr, "descriptor %d (%s) would be inherited\n", fd, target);
    exit(1);
}

/* A libcurl that is a library of its own, and leaves its pairs inheritable. */
static int is_careless(void)
{
    const char *(*version)(void);
    int major = 0, minor = 0;
    void *symbol = dlsym(RTLD_DEFAULT, "curl_version");
    if (symbol == NULL)
        return 0;
    memcpy(&version, &symbol, sizeof version);
    CHECK(sscanf(version(), "libcurl/%d.%d", &major, &minor) == 2);
    return major < 8 || (major == 8 && minor < 11);
}

/* Looks at every descriptor that was not there before; tells whether a socket of the check is among them. */
static int look(const char *known, int allowed)
{
    int fd, sockets = 0;
    for (fd = 0; fd < HIGHEST; fd++) {
        struct stat status;
        int flags = known[fd] ? -1 : fcntl(fd, F_GETFD);
        if (flags < 0)
            continue;
        if (!(flags & FD_CLOEXEC) && (!is_local_socket(fd) || allowed-- <= 0))
            refuse(fd);
        sockets += fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    }
    return sockets;
}

int main(int argc, char **argv)
{
    static struct log log;
    static char known[HIGHEST];
    const struct timespec pause = { 0, 200000 };
    psc_checker *checker = psc_init(log_keep, &log);
    pthread_t thread;
    int fd, pairs, seen = 0;

    CHECK(argc == 3);
    pairs = atoi(argv[2]);
    CHECK_CODE(PSC_OK, psc_configure(checker, argv[1]));
    for (fd = 0; fd < HIGHEST; fd++)
        known[fd] = fcntl(fd, F_GETFD) >= 0;
    CHECK(pthread_create(&thread, NULL, check, checker) == 0);
    while (!atomic_load(&ended)) {
        seen += look(known, is_careless() ? 2 * pairs : 0);
        nanosleep(&pause, NULL);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(seen > 0);
    psc_free(checker);
    log_clear(&log);
    return 0;
}
