//! Two clocks: one that only goes forward, suspend included, and the calendar.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since boot, time in suspend included; clock settings do not change it.
    pub boot: Duration,
    /// Seconds since the epoch; may jump.
    pub wall: i64,
}

impl Now {
    /// Whole seconds since boot.
    pub fn boot_seconds(&self) -> i64 {
        i64::try_from(self.boot.as_secs()).unwrap_or(i64::MAX)
    }
}

/// The time; tests bring their own.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;
    /// Differs after every boot; empty where the system has no such thing.
    fn boot_id(&self) -> &str;
}

pub struct SystemClock {
    boot_id: String,
}

impl SystemClock {
    pub fn new() -> SystemClock {
        let boot_id =
            std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        SystemClock {
            boot_id: boot_id.trim().to_owned(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_secs())
                .unwrap_or(i64::MAX)
                .saturating_neg(),
        };
        Now {
            boot: since_boot(),
            wall,
        }
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }
}

#[cfg(target_os = "linux")]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

fn since_boot() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: fills the timespec that it is given; a clock the system has does not fail.
    unsafe { libc::clock_gettime(BOOT_CLOCK, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}
