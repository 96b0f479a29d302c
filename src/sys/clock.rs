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
    source: Source,
    /// What this process's time namespace adds to the machine's clock, in nanoseconds: without it, every process of the
    /// machine counts alike.
    offset: i128,
}

/// What the time since boot is taken from: the first that the system has (gVisor, and some sandboxes, lack the first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    #[cfg(target_os = "linux")]
    Boot,
    Monotonic,
    Calendar,
}

impl Source {
    fn find() -> Source {
        #[cfg(target_os = "linux")]
        if read(libc::CLOCK_BOOTTIME).is_some() {
            return Source::Boot;
        }
        if read(libc::CLOCK_MONOTONIC).is_some() {
            Source::Monotonic
        } else {
            Source::Calendar
        }
    }

    /// Its name in `/proc/self/timens_offsets`, where a number may stand for it.
    fn names(self) -> [&'static str; 2] {
        match self {
            #[cfg(target_os = "linux")]
            Source::Boot => ["boottime", "7"],
            Source::Monotonic => ["monotonic", "1"],
            Source::Calendar => ["", ""],
        }
    }

    fn now(self) -> Duration {
        let time = match self {
            #[cfg(target_os = "linux")]
            Source::Boot => read(libc::CLOCK_BOOTTIME),
            Source::Monotonic => read(libc::CLOCK_MONOTONIC),
            Source::Calendar => None,
        };
        time.unwrap_or_else(|| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
        })
    }
}

impl SystemClock {
    pub fn new() -> SystemClock {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let source = Source::find();
        SystemClock {
            boot_id: boot_id(source, &read("/proc/sys/kernel/random/boot_id")),
            offset: offset(source, &read("/proc/self/timens_offsets")),
            source,
        }
    }
}

/// Times by different clocks are as little to be compared as times of different boots.
fn boot_id(source: Source, of_kernel: &str) -> String {
    match (source, of_kernel.trim()) {
        (Source::Calendar, _) | (_, "") => String::new(),
        (Source::Monotonic, id) => format!("{id} without suspend"),
        #[cfg(target_os = "linux")]
        (Source::Boot, id) => id.to_owned(),
    }
}

/// Lines of a clock's name, seconds and nanoseconds.
fn offset(source: Source, offsets: &str) -> i128 {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let mut number = || words.next()?.parse::<i128>().ok();
        let (seconds, nanoseconds) = (number()?, number()?);
        let all = seconds
            .checked_mul(1_000_000_000)?
            .checked_add(nanoseconds)?;
        source.names().contains(&name).then_some(all)
    };
    offsets.lines().find_map(of_line).unwrap_or(0)
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
            boot: without(self.source.now(), self.offset),
            wall,
        }
    }

    fn boot_id(&self) -> &str {
        &self.boot_id
    }
}

fn without(time: Duration, offset: i128) -> Duration {
    let nanoseconds = i128::try_from(time.as_nanos())
        .unwrap_or(i128::MAX)
        .saturating_sub(offset);
    Duration::from_nanos(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
}

/// `None` where the system does not have that clock.
fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: fills the timespec that it is given.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    (result == 0).then(|| Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_the_system_lacks_is_none() {
        assert!(read(libc::CLOCK_MONOTONIC).is_some());
        assert!(read(4711).is_none());
    }

    /// As a kernel shows them in a time namespace of its own, and in the machine's.
    #[test]
    fn a_namespaces_offset_is_taken_off() {
        let shown = "monotonic     -86400         0\nboottime      864000 500000000\n";
        let boot = offset(Source::Boot, shown);
        assert_eq!(boot, 864_000_500_000_000);
        assert_eq!(offset(Source::Monotonic, shown), -86_400_000_000_000);
        assert_eq!(offset(Source::Calendar, shown), 0);
        assert_eq!(offset(Source::Boot, ""), 0);
        let seen = Duration::from_millis(864_100_500);
        assert_eq!(without(seen, boot), Duration::from_secs(100));
        assert_eq!(without(Duration::ZERO, boot), Duration::ZERO);
        assert_eq!(without(Duration::ZERO, -1), Duration::from_nanos(1));
    }

    #[test]
    fn times_of_different_clocks_are_of_different_boots() {
        assert_eq!(boot_id(Source::Boot, "x\n"), "x");
        assert_ne!(boot_id(Source::Monotonic, "x\n"), "x");
        assert_eq!(boot_id(Source::Calendar, "x\n"), "");
        assert_eq!(boot_id(Source::Monotonic, ""), "");
    }
}
