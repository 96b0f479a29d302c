//! Sleeping without waking up, until a time since boot or until woken.

use super::descriptor::Held;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Longest wait where no timer counts suspend.
const COARSE_STEP: Duration = Duration::from_secs(3600);
/// Longest wait where nothing can wake the thread, short enough for who waits for it to stop.
const DEAF_STEP: Duration = Duration::from_millis(250);

pub struct Sleeper {
    timer: Option<Held<OwnedFd>>,
}

impl Sleeper {
    pub fn new() -> Sleeper {
        Sleeper {
            timer: timer::new().map(Held::new),
        }
    }

    /// Returns when `waker` is readable or `limit` has passed, suspend included; perhaps earlier. `None`: no limit. Without a
    /// waker (-1: the host has closed it) it is a short nap.
    pub fn sleep(&self, waker: RawFd, limit: Option<Duration>) {
        if waker < 0 {
            return std::thread::sleep(limit.unwrap_or(DEAF_STEP).min(DEAF_STEP));
        }
        let timer = self.timer.as_ref().and_then(Held::get);
        let by_timer = match (timer, limit) {
            (Some(timer), Some(limit)) => timer::set(timer, limit),
            _ => false,
        };
        let timeout = match limit {
            Some(limit) if !by_timer => milliseconds(limit.min(COARSE_STEP)),
            _ => -1,
        };
        let timer = timer.filter(|_| by_timer);
        let mut descriptors = [
            readable(waker),
            // poll(2) passes over negative descriptors.
            readable(timer.map_or(-1, AsRawFd::as_raw_fd)),
        ];
        // SAFETY: the array has two elements and lives through the call.
        unsafe { libc::poll(descriptors.as_mut_ptr(), 2, timeout) };
    }
}

fn readable(descriptor: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Rounded up, so that a wait does not end before its time.
fn milliseconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

#[cfg(target_os = "linux")]
mod timer {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::ptr;
    use std::time::Duration;

    pub fn new() -> Option<OwnedFd> {
        // SAFETY: takes numbers only; a descriptor that it returns is nobody else's.
        unsafe {
            let descriptor =
                libc::timerfd_create(libc::CLOCK_BOOTTIME, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK);
            (descriptor >= 0).then(|| OwnedFd::from_raw_fd(descriptor))
        }
    }

    /// Whether the timer now runs. Setting it also takes back that it had expired.
    pub fn set(timer: &OwnedFd, limit: Duration) -> bool {
        let value = libc::itimerspec {
            it_interval: timespec(Duration::ZERO),
            // Zero would stop the timer.
            it_value: timespec(limit.max(Duration::from_millis(1))),
        };
        // SAFETY: the descriptor is open, the value lives through the call.
        unsafe {
            libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const value, ptr::null_mut()) == 0
        }
    }

    fn timespec(time: Duration) -> libc::timespec {
        libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(i32::try_from(time.subsec_nanos()).unwrap_or(0)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    pub fn new() -> Option<OwnedFd> {
        None
    }

    pub fn set(_: &OwnedFd, _: Duration) -> bool {
        false
    }
}
