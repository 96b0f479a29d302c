/* For LD_PRELOAD: as allocators and profilers do, takes much of each thread's stack for thread-local storage of its own. */
static __thread char large[300 * 1000];

__attribute__((constructor)) static void touch(void)
{
    *(volatile char *)large = 1;
}
