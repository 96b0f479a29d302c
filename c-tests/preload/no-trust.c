/*
 * For LD_PRELOAD: a system without any store of certificate authorities, or with a store of a test's own.
 *
 *   TRUST_STORE=DIRECTORY     stands for /etc/ssl/certs
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The path to use for it, NULL when there is none. */
static const char *seen(const char *path, char room[4096])
{
    static const char place[] = "/etc/ssl/certs";
    const char *store = getenv("TRUST_STORE");
    if (store != NULL && strncmp(path, place, sizeof place - 1) == 0) {
        if (snprintf(room, 4096, "%s%s", store, path + sizeof place - 1) >= 4096)
            abort();
        return room;
    }
    if (is_hidden(path)) {
        errno = ENOENT;
        return NULL;
    }
    return path;
}

static int open_by(const char *symbol, const char *path, int flags, mode_t mode)
{
    int (*open_file)(const char *, int, ...) = NULL;
    void *found = dlsym(RTLD_NEXT, symbol);
    char room[4096];
    memcpy(&open_file, &found, sizeof open_file);
    path = seen(path, room);
    return path == NULL ? -1 : open_file(path, flags, mode);
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
    char room[4096];
    memcpy(&open_directory, &found, sizeof open_directory);
    path = seen(path, room);
    return path == NULL ? NULL : open_directory(path);
}

static FILE *fopen_by(const char *symbol, const char *path, const char *mode)
{
    FILE *(*open_file)(const char *, const char *) = NULL;
    void *found = dlsym(RTLD_NEXT, symbol);
    char room[4096];
    memcpy(&open_file, &found, sizeof open_file);
    path = seen(path, room);
    return path == NULL ? NULL : open_file(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return fopen_by("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen_by("fopen64", path, mode);
}

static int stat_by(const char *symbol, const char *path, void *data)
{
    int (*look)(const char *, void *) = NULL;
    void *found = dlsym(RTLD_NEXT, symbol);
    char room[4096];
    memcpy(&look, &found, sizeof look);
    path = seen(path, room);
    return path == NULL ? -1 : look(path, data);
}

int stat(const char *path, struct stat *data)
{
    return stat_by("stat", path, data);
}

int stat64(const char *path, struct stat64 *data)
{
    return stat_by("stat64", path, data);
}

/* OpenSSL from 3.5 on looks at the entries of a directory with these. */
int lstat(const char *path, struct stat *data)
{
    return stat_by("lstat", path, data);
}

int lstat64(const char *path, struct stat64 *data)
{
    return stat_by("lstat64", path, data);
}
