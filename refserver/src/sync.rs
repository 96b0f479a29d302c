use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic in another thread does not matter, since every value is valid at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
