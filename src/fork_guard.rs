//! Whether calls are under way on a handle, and in which process: readable without a lock, because in a child that was forked
//! meanwhile the locks may be held by threads that are not there.

use crate::panic::unwind_forked_child;
use crate::sys::process::{self, Process};
use crate::sys::thread;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of calls in the low half, the process that was the last to begin one in the high one.
pub struct ForkGuard {
    state: AtomicU64,
    origin: Process,
}

impl ForkGuard {
    /// In the process that makes the handle.
    pub fn new() -> ForkGuard {
        let origin = Process::current();
        ForkGuard {
            state: AtomicU64::new(joined(origin, 0)),
            origin,
        }
    }

    /// Before the first lock of a call, until after its last.
    pub fn enter(&self) -> CallGuard<'_> {
        let here = Process::current();
        self.change(here, |count| count.saturating_add(1));
        CallGuard {
            guard: self,
            process: here,
        }
    }

    /// As [`ForkGuard::enter`], for a thread that is to be made; [`ForkGuard::adopt`] is its part.
    pub fn enter_for_new_thread(&self) {
        std::mem::forget(self.enter());
    }

    pub fn adopt(&self) -> CallGuard<'_> {
        CallGuard {
            guard: self,
            process: Process::current(),
        }
    }

    /// Whether something ran in another process when this one was forked from it.
    pub fn is_forked(&self) -> bool {
        let (process, count) = self.now();
        count > 0 && process != Process::current().number()
    }

    /// Whether the handle was made in another process.
    pub fn is_inherited(&self) -> bool {
        self.origin != Process::current()
    }

    /// Whether something of the handle runs in this process, or has run.
    pub fn has_run_here(&self) -> bool {
        self.now().0 == Process::current().number()
    }

    /// Whether nothing runs.
    pub fn is_idle(&self) -> bool {
        self.now().1 == 0
    }

    /// The process and the number of calls.
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

/// A call under way; it ends when this goes. In a child that was forked in it, it never does: the handle stays the parent's.
pub struct CallGuard<'a> {
    guard: &'a ForkGuard,
    process: Process,
}

impl CallGuard<'_> {
    /// Whether this is still the process that it began in.
    pub fn is_same_process(&self) -> bool {
        self.process == Process::current()
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        if self.is_same_process() {
            self.guard
                .change(self.process, |count| count.saturating_sub(1));
        }
    }
}

/// In a child that was forked in the host's callback, once that has returned: leaves psc. No lock may be taken on the way, and
/// nothing given back that the parent's threads use. psc's own thread ends here.
pub fn leave_forked_child() -> ! {
    if thread::is_ours() {
        process::end_thread();
    }
    unwind_forked_child()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_are_counted() {
        let guard = ForkGuard::new();
        let here = Process::current().number();
        let (one, two) = (guard.enter(), guard.enter());
        assert_eq!(guard.now(), (here, 2));
        assert!(!guard.is_forked() && !guard.is_idle());
        drop(one);
        guard.state.fetch_xor(1 << 32, Ordering::SeqCst);
        assert!(guard.is_forked() && !guard.has_run_here());
        guard.state.fetch_xor(1 << 32, Ordering::SeqCst);
        drop(two);
        assert_eq!(guard.now(), (here, 0));
        assert!(guard.is_idle() && guard.has_run_here() && !guard.is_inherited());
    }
}
