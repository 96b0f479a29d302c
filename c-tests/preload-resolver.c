/*
 * For LD_PRELOAD: name look-ups as a test wants them.
 *
 *   RESOLVER_LOG=FILE     every name that is looked up is appended to FILE
 *   RESOLVER_HANG=NAME    looking NAME up never ends
 *   RESOLVER_AGAIN=NAME   looking NAME up fails as it does before the network is up (EAI_AGAIN)
 *   RESOLVER_NONE=NAME    NAME does not exist (EAI_NONAME)
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int look_up_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static int is_named(const char *variable, const char *name)
{
    const char *value = getenv(variable);
    return value != NULL && strcmp(value, name) == 0;
}

static void write_down(const char *name)
{
    const char *path = getenv("RESOLVER_LOG");
    char line[512];
    size_t length = strlen(name);
    int file = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || length >= sizeof line)
        return;
    memcpy(line, name, length);
    line[length] = '\n';
    if (write(file, line, length + 1) < 0)
        abort();
    close(file);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    look_up_fn *look_up = NULL;
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&look_up, &found, sizeof look_up);
    if (name != NULL) {
        write_down(name);
        while (is_named("RESOLVER_HANG", name))
            pause();
        if (is_named("RESOLVER_AGAIN", name))
            return EAI_AGAIN;
        if (is_named("RESOLVER_NONE", name))
            return EAI_NONAME;
    }
    return look_up(name, service, hints, result);
}
