//! In which process something of a handle runs, readable without a lock: in a child forked meanwhile the locks may be held
//! by threads that are gone.

use crate::sys::process::Process;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of activities in the low half, the process that was the last to begin one in the high one.
pub struct Presence {
    state: AtomicU64,
    origin: Process,
}

impl Presence {
    /// In the process that makes the handle.
    pub fn new() -> Presence {
        let origin = Process::current();
        Presence {
            state: AtomicU64::new(joined(origin, 0)),
            origin,
        }
    }

    /// Before the first lock of an activity, until after its last.
    pub fn enter(&self) -> Present<'_> {
        let here = Process::current();
        self.change(here, |count| count.saturating_add(1));
        Present {
            presence: self,
            process: here,
        }
    }

    /// As [`Presence::enter`], for a thread that is to be made; [`Presence::take_over`] is its part.
    pub fn hand_over(&self) {
        std::mem::forget(self.enter());
    }

    pub fn take_over(&self) -> Present<'_> {
        Present {
            presence: self,
            process: Process::current(),
        }
    }

    /// Whether something ran in another process when this one was forked from it.
    pub fn is_foreign(&self) -> bool {
        let (process, count) = self.now();
        count > 0 && process != Process::current().number()
    }

    /// Whether the handle was made in another process.
    pub fn is_inherited(&self) -> bool {
        self.origin != Process::current()
    }

    /// Whether something of the handle runs in this process, or has run.
    pub fn was_here(&self) -> bool {
        self.now().0 == Process::current().number()
    }

    /// Whether nothing runs.
    pub fn is_idle(&self) -> bool {
        self.now().1 == 0
    }

    /// The process and the number of activities.
    fn now(&self) -> (u32, u32) {
        split(self.state.load(Ordering::SeqCst))
    }

    fn change(&self, here: Process, change: impl Fn(u32) -> u32) {
        // The closure never declines, so there is no failure.
        let _ = self
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                Some(joined(here, change(split(state).1)))
            });
    }
}

fn joined(process: Process, count: u32) -> u64 {
    u64::from(process.number()).wrapping_shl(32) | u64::from(count)
}

fn split(state: u64) -> (u32, u32) {
    let process = u32::try_from(state.wrapping_shr(32)).unwrap_or(0);
    (process, u32::try_from(state & 0xffff_ffff).unwrap_or(0))
}

/// An activity; it ends when this goes. In a child that was forked in it, it never does: the handle stays the parent's.
pub struct Present<'a> {
    presence: &'a Presence,
    process: Process,
}

impl Present<'_> {
    /// Whether this is still the process that it began in.
    pub fn is_here(&self) -> bool {
        self.process == Process::current()
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        if self.is_here() {
            self.presence
                .change(self.process, |count| count.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_are_counted() {
        let presence = Presence::new();
        let here = Process::current().number();
        let (one, two) = (presence.enter(), presence.enter());
        assert_eq!(presence.now(), (here, 2));
        assert!(!presence.is_foreign() && !presence.is_idle());
        drop(one);
        presence.state.fetch_xor(1 << 32, Ordering::SeqCst);
        assert!(presence.is_foreign() && !presence.was_here());
        presence.state.fetch_xor(1 << 32, Ordering::SeqCst);
        drop(two);
        assert_eq!(presence.now(), (here, 0));
        assert!(presence.is_idle() && presence.was_here() && !presence.is_inherited());
    }
}
