//! The host's run: what begins with the first `psc_init` in a process and lives on in its forks. A reload of a server, a
//! worker that follows another, and a handle that is started again belong to the same one.

use crate::random;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// 0: not begun. No lock: a process may be forked while another thread is here.
static ID: AtomicU64 = AtomicU64::new(0);

/// Begins the run, if it has not begun.
pub fn begin() {
    if ID.load(Ordering::SeqCst) == 0 {
        let id = match random::up_to(u64::MAX) {
            // Without randomness: when, and which process.
            0 => without_randomness(),
            id => id,
        };
        // The first one counts.
        let _ = ID.compare_exchange(0, id, Ordering::SeqCst, Ordering::SeqCst);
    }
}

fn without_randomness() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.map_or(0, |since| since.subsec_nanos());
    u64::from(std::process::id()).wrapping_shl(32) | u64::from(nanoseconds) | 1
}

/// What tells this run from every other.
pub fn id() -> String {
    format!("{:016x}", ID.load(Ordering::SeqCst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_once() {
        begin();
        let first = id();
        begin();
        assert_eq!(id(), first);
        assert_ne!(first, format!("{:016x}", 0));
    }
}
