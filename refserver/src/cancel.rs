use crate::sync::lock;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends what sleeps or waits when the server is dropped.
#[derive(Default)]
pub(crate) struct CancelToken {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

impl CancelToken {
    pub fn cancel(&self) {
        *lock(&self.cancelled) = true;
        self.changed.notify_all();
    }

    pub fn is_cancelled(&self) -> bool {
        *lock(&self.cancelled)
    }

    /// Sleeps for `time`, or until cancelled: then `true`.
    pub fn wait(&self, time: Duration) -> bool {
        let cancelled = lock(&self.cancelled);
        let result = self
            .changed
            .wait_timeout_while(cancelled, time, |cancelled| !*cancelled);
        *result.unwrap_or_else(PoisonError::into_inner).0
    }
}
