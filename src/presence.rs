//! In which process something of a handle runs, readable without a lock: in a child forked meanwhile the locks may be held
//! by threads that are gone.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of activities in the low half, the process that they are in in the high one.
#[derive(Default)]
pub struct Presence(AtomicU64);

impl Presence {
    /// Before the first lock of an activity, until after its last.
    pub fn enter(&self) -> Present<'_> {
        self.change(|count| count.saturating_add(1));
        Present(self)
    }

    /// As [`Presence::enter`], for a thread that is to be made; [`Presence::take_over`] is its part.
    pub fn hand_over(&self) {
        std::mem::forget(self.enter());
    }

    pub fn take_over(&self) -> Present<'_> {
        Present(self)
    }

    /// Whether something ran in another process when this one was forked from it.
    pub fn is_foreign(&self) -> bool {
        let (process, count) = split(self.0.load(Ordering::SeqCst));
        count > 0 && process != std::process::id()
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let process = std::process::id();
        // The closure never declines, so there is no failure.
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |value| {
                let (_, count) = split(value);
                Some(u64::from(process).wrapping_shl(32) | u64::from(change(count)))
            });
    }
}

fn split(value: u64) -> (u32, u32) {
    let process = u32::try_from(value.wrapping_shr(32)).unwrap_or(0);
    (process, u32::try_from(value & 0xffff_ffff).unwrap_or(0))
}

/// An activity; it ends when this goes.
pub struct Present<'a>(&'a Presence);

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.change(|count| count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activities_are_counted() {
        let presence = Presence::default();
        let (one, two) = (presence.enter(), presence.enter());
        assert_eq!(
            split(presence.0.load(Ordering::SeqCst)),
            (std::process::id(), 2)
        );
        assert!(!presence.is_foreign());
        drop(one);
        presence.0.fetch_xor(1 << 32, Ordering::SeqCst);
        assert!(presence.is_foreign());
        presence.0.fetch_xor(1 << 32, Ordering::SeqCst);
        drop(two);
        assert_eq!(split(presence.0.load(Ordering::SeqCst)).1, 0);
    }
}
