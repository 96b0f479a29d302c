use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A wish to stop that sleepers notice.
#[derive(Default)]
pub(crate) struct Stop {
    wished: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    pub fn wish(&self) {
        *lock(&self.wished) = true;
        self.changed.notify_all();
    }

    pub fn wished(&self) -> bool {
        *lock(&self.wished)
    }

    /// Sleeps. `true`: the server stops.
    pub fn wait(&self, time: Duration) -> bool {
        let wished = lock(&self.wished);
        let result = self
            .changed
            .wait_timeout_while(wished, time, |wished| !*wished);
        *result.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Locks; a panic in another thread does not matter, since every value is valid at any time.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
