//! Points in time that mean the same after a change of the clock, and after a boot.

use crate::sys::clock::Now;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// 2020, seconds since the epoch: before psc was written. A clock that says so is not set.
const EARLIEST: i64 = 1_577_836_800;

/// A point in time on both clocks. Within one boot the first counts, across boots the calendar must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// Seconds since boot.
    pub boot: i64,
    /// Seconds since the epoch.
    pub wall: i64,
}

impl Timestamp {
    /// The second that begins next, so that a wait counted from it is never too short.
    pub fn of(now: Now) -> Timestamp {
        Timestamp::at(now.boot, now)
    }

    /// The same for a time since boot.
    pub fn at(boot: Duration, now: Now) -> Timestamp {
        let begun = i64::from(boot.subsec_nanos() > 0);
        let seconds = i64::try_from(boot.as_secs()).unwrap_or(i64::MAX);
        let ahead = seconds.saturating_sub(now.boot_seconds());
        Timestamp {
            boot: seconds.saturating_add(begun),
            wall: now.wall.saturating_add(ahead),
        }
    }

    pub fn after(self, seconds: u64) -> Timestamp {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Timestamp {
            boot: self.boot.saturating_add(seconds),
            wall: self.wall.saturating_add(seconds),
        }
    }

    /// Seconds from `now` until then; negative when it is past.
    pub fn until(self, now: Now) -> i64 {
        self.boot.saturating_sub(Timestamp::of(now).boot)
    }

    /// Seconds since then; 0 when it is to come.
    pub fn age(self, now: Now) -> u64 {
        u64::try_from(self.until(now).saturating_neg()).unwrap_or(0)
    }

    /// Of a time at which the clock was not set; it is now, so the two are not to be compared.
    pub fn is_unset(self, now: Now) -> bool {
        is_before_psc(self.wall) && !is_before_psc(now.wall)
    }

    /// The same by the calendar, for a boot other than the one it was noted in.
    pub fn rebased(self, now: Now) -> Timestamp {
        let until = self.wall.saturating_sub(now.wall);
        Timestamp {
            boot: now.boot_seconds().saturating_add(until),
            wall: self.wall,
        }
    }
}

/// Whether a clock that says so is not set.
pub fn is_before_psc(wall: i64) -> bool {
    wall < EARLIEST
}
