/*
 * For LD_PRELOAD: a file server that does not answer.
 *
 *   OPEN_SLOW=PART   opening a file whose path contains that takes OPEN_SECONDS
 *   OPEN_MARK=FILE   is made when it has begun
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int opened(const char *name, const char *path, int flags, mode_t mode)
{
    static __thread int is_inside;
    int (*real)(const char *, int, ...);
    void *symbol = dlsym(RTLD_NEXT, name);
    const char *slow = getenv("OPEN_SLOW"), *seconds = getenv("OPEN_SECONDS"), *mark = getenv("OPEN_MARK");
    if (symbol == NULL || slow == NULL || seconds == NULL || mark == NULL) abort();
    memcpy(&real, &symbol, sizeof real);
    if (!is_inside && strstr(path, slow) != NULL) {
        is_inside = 1;
        close(real(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        for (unsigned left = (unsigned) atoi(seconds); left > 0;) left = sleep(left);
        is_inside = 0;
    }
    return real(path, flags, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        mode_t mode = 0; \
        va_list list; \
        va_start(list, flags); \
        if (flags & (O_CREAT | O_TMPFILE)) mode = va_arg(list, mode_t); \
        va_end(list); \
        return opened(#name, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)
