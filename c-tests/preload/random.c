/*
 * For LD_PRELOAD: the system's random numbers as a test wants them.
 *
 *   RANDOM_FAULT=fails     there are none: getrandom(2) fails with EIO
 *   RANDOM_FAULT=nothing   it succeeds with no byte at all
 *   RANDOM_FAULT=short     it gives one byte at a time
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef ssize_t random_fn(void *, size_t, unsigned int);

ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
    random_fn *real = NULL;
    void *found = dlsym(RTLD_NEXT, "getrandom");
    memcpy(&real, &found, sizeof real);
    const char *fault = getenv("RANDOM_FAULT");
    if (length == 0) /* whether the call exists at all */
        return real(buffer, length, flags);
    if (strcmp(fault, "fails") == 0) {
        errno = EIO;
        return -1;
    }
    if (strcmp(fault, "nothing") == 0)
        return 0;
    return real(buffer, 1, flags);
}
