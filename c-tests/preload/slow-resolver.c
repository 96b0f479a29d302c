/* For LD_PRELOAD: a name look-up takes 20 seconds. $PSC_TEST_LOOKUP_MARK/begun tells of it. */

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void leave_mark(void)
{
    const char *directory = getenv("PSC_TEST_LOOKUP_MARK");
    char        file[4096];
    int         fd;

    if (directory == NULL) {
        return;
    }

    snprintf(file, sizeof(file), "%s/begun", directory);
    fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd != -1) {
        close(fd);
    }
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (real == NULL) {
        *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    }

    leave_mark();
    sleep(20);

    return real(node, service, hints, result);
}
