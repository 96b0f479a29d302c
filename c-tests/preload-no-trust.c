/*
 * For LD_PRELOAD: a system without any store of certificate authorities.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

static int is_hidden(const char *path)
{
    static const char *const places[] = {
        "/etc/ssl/", "/etc/pki/", "/etc/openssl/", "/var/lib/ca-certificates/", "/usr/local/share/certs/",
        "/usr/local/etc/ssl/", "/usr/share/certs/", "/usr/share/ca-certificates/", "/usr/lib/ssl/",
    };
    size_t i;
    for (i = 0; i < sizeof places / sizeof places[0]; i++) {
        /* The directory itself too, with or without its slash. */
        if (strncmp(path, places[i], strlen(places[i]) - 1) == 0)
            return 1;
    }
    return 0;
}

static int open_by(const char *symbol, const char *path, int flags, mode_t mode)
{
    int (*open_file)(const char *, int, ...) = NULL;
    void *found = dlsym(RTLD_NEXT, symbol);
    memcpy(&open_file, &found, sizeof open_file);
    if (is_hidden(path)) {
        errno = ENOENT;
        return -1;
    }
    return open_file(path, flags, mode);
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;
    va_start(rest, flags);
    mode = mode_of(flags, rest);
    va_end(rest);
    return open_by("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;
    va_start(rest, flags);
    mode = mode_of(flags, rest);
    va_end(rest);
    return open_by("open64", path, flags, mode);
}

DIR *opendir(const char *path)
{
    DIR *(*open_directory)(const char *) = NULL;
    void *found = dlsym(RTLD_NEXT, "opendir");
    memcpy(&open_directory, &found, sizeof open_directory);
    if (is_hidden(path)) {
        errno = ENOENT;
        return NULL;
    }
    return open_directory(path);
}
