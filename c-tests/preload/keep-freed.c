/* For LD_PRELOAD: memory that was freed stays as it was, so that c-tests/verify/wipe.c sees what was in it. */

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void free(void *block)
{
    (void) block;
}

void *realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    size_t kept;

    if (moved != NULL && block != NULL) {
        kept = malloc_usable_size(block);
        memcpy(moved, block, kept < size ? kept : size);
    }
    return moved;
}
