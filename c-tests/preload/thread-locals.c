/*
 * For LD_PRELOAD: an allocator's or profiler's thread-local storage, which glibc takes out of the stack of each thread.
 */
static __thread volatile char thread_locals[300000];

__attribute__((constructor)) static void use_thread_locals(void)
{
    thread_locals[sizeof thread_locals - 1] = 1;
}
