//! The end of a handle: `psc_free`, in the process that made it or in another, beside or inside its callback.

use super::Checker;
use crate::sys::fd::FdId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Beside what `psc_stop` waits; together they are less than a second.
const LAST_DELIVERY: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Ending {
    /// `psc_free` was called.
    begun: AtomicBool,
    /// ... inside the callback, where it could not wait.
    in_callback: AtomicBool,
}

/// What becomes of the handle's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// It goes as soon as nothing uses it any more.
    Goes,
    /// It was made in another process, and is left as it is: OpenSSL's part cannot be given back without OpenSSL's locks,
    /// which threads of that process may have held when this one was forked.
    Stays,
    /// That was decided before: another thread is in `psc_free`.
    Decided,
}

impl Checker {
    /// Ends what runs, within a second, and says what becomes of the memory. Nothing is logged any more.
    pub fn end(&self) -> Remains {
        if !self.fork_guard.has_run_here() {
            // Forked, and never used here: locks may be held by threads that there are not.
            self.close_descriptors();
            return Remains::Stays;
        }
        if self.ending.begun.swap(true, Ordering::SeqCst) {
            return Remains::Decided;
        }
        if self.logger.in_callback() {
            self.ending.in_callback.store(true, Ordering::SeqCst);
            self.cancel.stop();
            self.logger.close();
        } else {
            let _ = self.stop();
            self.logger.close();
            // Another call may have begun to deliver meanwhile.
            self.logger.wait_until_idle(LAST_DELIVERY);
        }
        if !self.fork_guard.is_inherited() {
            return Remains::Goes;
        }
        self.close_what_is_left();
        Remains::Stays
    }

    /// At the end of a call of the host's: does what `psc_free` could not do inside the callback.
    pub fn finish(&self) {
        if self.ending.in_callback.load(Ordering::SeqCst) && !self.logger.in_callback() {
            let _ = self.stop();
        }
        self.close_what_is_left();
    }

    /// At the end of an activity: the last one closes the descriptors of memory that stays.
    pub fn close_what_is_left(&self) {
        let has_ended = self.ending.begun.load(Ordering::SeqCst);
        if has_ended && self.fork_guard.is_inherited() && self.fork_guard.is_idle() {
            self.close_descriptors();
        }
    }

    /// This process's, and its copies of another's. Takes no lock that another thread could hold.
    fn close_descriptors(&self) {
        self.cancel.close();
        self.logger.close_descriptors();
        // FdGuard by a thread of the other process, it never gets free here.
        if let Ok(mut file) = self.owner_lock.try_lock() {
            file.take().into_iter().for_each(FdId::close);
        }
    }
}
