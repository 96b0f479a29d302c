/*
 * For LD_PRELOAD: a file system on which giving a file its name takes long.
 *
 *   RENAME_SECONDS=N   renameat takes so many seconds
 *   RENAME_MARK=FILE   is made when one has begun
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int (*real)(int, const char *, int, const char *);
    void *symbol = dlsym(RTLD_NEXT, "renameat");
    const char *seconds = getenv("RENAME_SECONDS"), *mark = getenv("RENAME_MARK");
    if (symbol == NULL || seconds == NULL || mark == NULL) abort();
    memcpy(&real, &symbol, sizeof real);
    close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (unsigned left = (unsigned) atoi(seconds); left > 0;) left = sleep(left);
    return real(from_dir, from, to_dir, to);
}
