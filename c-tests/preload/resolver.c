/*
 * For LD_PRELOAD: name look-ups as a test wants them.
 *
 *   RESOLVER_LOG=FILE     every name that is looked up is appended to FILE
 *   RESOLVER_HANG=NAME    looking NAME up never ends
 *   RESOLVER_AGAIN=NAME   looking NAME up fails as it does before the network is up (EAI_AGAIN)
 *   RESOLVER_NONE=NAME    NAME does not exist (EAI_NONAME)
 *   RESOLVER_NOWHERE=NAME NAME has the address that RESOLVER_ADDRESS is, as from a name server that blocks it
 *   RESOLVER_ADDRESSES=NAME=ADDRESS,ADDRESS...
 *                         NAME has these addresses, in this order
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

/* The addresses that `RESOLVER_ADDRESSES` gives to a name, or NULL. */
static const char *addresses_of(const char *name)
{
    const char *value = getenv("RESOLVER_ADDRESSES");
    size_t length = strlen(name);
    if (value == NULL || strncmp(value, name, length) != 0 || value[length] != '=')
        return NULL;
    return value + length + 1;
}

/* glibc frees a list element by element, so that one may be made of several. */
static int look_up_each(look_up_fn *look_up, const char *addresses, const char *service, const struct addrinfo *hints,
                        struct addrinfo **result)
{
    char copy[512], *rest = NULL, *address;
    struct addrinfo **end = result;
    if (strlen(addresses) >= sizeof copy)
        abort();
    strcpy(copy, addresses);
    *result = NULL;
    for (address = strtok_r(copy, ",", &rest); address != NULL; address = strtok_r(NULL, ",", &rest)) {
        if (look_up(address, service, hints, end) != 0)
            continue; /* of another family than the one that is asked for */
        while (*end != NULL)
            end = &(*end)->ai_next;
    }
    return *result == NULL ? EAI_NONAME : 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    look_up_fn *look_up = NULL;
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&look_up, &found, sizeof look_up);
    if (name != NULL) {
        const char *addresses = addresses_of(name);
        write_down(name);
        if (addresses != NULL)
            return look_up_each(look_up, addresses, service, hints, result);
        while (is_named("RESOLVER_HANG", name))
            pause();
        if (is_named("RESOLVER_AGAIN", name))
            return EAI_AGAIN;
        if (is_named("RESOLVER_NONE", name))
            return EAI_NONAME;
        if (is_named("RESOLVER_NOWHERE", name))
            name = getenv("RESOLVER_ADDRESS");
    }
    return look_up(name, service, hints, result);
}
