/*
 * ThreadSanitizer sees what is compiled for it: psc, not Rust's standard library. This tells it of the two places in there
 * that hand over a lock. The linker puts these functions in their place: --wrap with their mangled names, which come in as
 * LOCK_CONTENDED and WAIT_TIMEOUT.
 */
#include <stdbool.h>
#include <stdint.h>

#define JOIN(left, right) left##right
#define NAME(prefix, symbol) JOIN(prefix, symbol)

void __tsan_acquire(void *address);
void __tsan_release(void *address);

void NAME(__real_, LOCK_CONTENDED)(void *mutex);
void NAME(__wrap_, LOCK_CONTENDED)(void *mutex);
bool NAME(__real_, WAIT_TIMEOUT)(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds);
bool NAME(__wrap_, WAIT_TIMEOUT)(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds);

void NAME(__wrap_, LOCK_CONTENDED)(void *mutex)
{
    NAME(__real_, LOCK_CONTENDED)(mutex);
    __tsan_acquire(mutex);
}

bool NAME(__wrap_, WAIT_TIMEOUT)(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds)
{
    __tsan_release(mutex);
    bool in_time = NAME(__real_, WAIT_TIMEOUT)(condition, mutex, seconds, nanoseconds);
    __tsan_acquire(mutex);
    return in_time;
}
