//! An event count: a thread sleeps until another one, or a signal handler, notifies it. There is no descriptor in it that the host
//! could close.

#[cfg(target_os = "linux")]
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longest sleep: no clock that the kernel sleeps by here goes on while the machine is suspended, so the caller looks at the
/// one that does. What falls due in suspend comes so much late at most.
const LONGEST: Duration = Duration::from_secs(3600);

pub struct EventCount(AtomicU32);

impl EventCount {
    pub fn new() -> EventCount {
        EventCount(AtomicU32::new(0))
    }

    /// How often it was notified.
    pub fn epoch(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }

    /// Async-signal-safe: an atomic and a system call.
    pub fn notify(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        wake(&self.0);
    }

    /// Returns when it is notified, at once when that was after `epoch`, and when `limit` has passed; perhaps earlier, but not for
    /// each signal handler of the host's that runs meanwhile. `None`: no limit.
    pub fn wait(&self, epoch: u32, limit: Option<Duration>) {
        let limit = limit.unwrap_or(LONGEST).min(LONGEST);
        let started = Instant::now();
        let mut left = limit;
        while wait(&self.0, epoch, left) == Ended::BySignal && !left.is_zero() {
            left = limit.saturating_sub(started.elapsed());
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    BySignal,
    Otherwise,
}

/// futex(2). Private: a child's copy is another.
#[cfg(target_os = "linux")]
fn wait(epoch: &AtomicU32, known: u32, limit: Duration) -> Ended {
    let limit = libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(i32::try_from(limit.subsec_nanos()).unwrap_or(0)),
    };
    // SAFETY: the number and the time live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            epoch.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            known,
            &raw const limit,
        )
    };
    if result == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
        Ended::BySignal
    } else {
        Ended::Otherwise
    }
}

#[cfg(target_os = "linux")]
fn wake(epoch: &AtomicU32) {
    // SAFETY: nothing is read or written; the address is a number to the kernel.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            epoch.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            libc::c_int::MAX,
        );
    }
}

/// Where there is no such call: short naps.
#[cfg(not(target_os = "linux"))]
fn wait(epoch: &AtomicU32, known: u32, limit: Duration) -> Ended {
    const NAP: Duration = Duration::from_millis(50);
    if epoch.load(Ordering::SeqCst) == known {
        std::thread::sleep(NAP.min(limit));
        return Ended::BySignal;
    }
    Ended::Otherwise
}

#[cfg(not(target_os = "linux"))]
fn wake(_: &AtomicU32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_it_is_notified_or_its_time_is_over() {
        let events = EventCount::new();
        let epoch = events.epoch();
        let started = Instant::now();
        events.wait(epoch, Some(Duration::from_millis(30)));
        assert!(started.elapsed() >= Duration::from_millis(30));
        std::thread::scope(|scope| {
            scope.spawn(|| events.notify());
            while events.epoch() == epoch {
                events.wait(epoch, None);
            }
        });
        // Notified before: not missed.
        events.wait(epoch, None);
    }
}
