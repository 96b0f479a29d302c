//! Processes: what /proc says about them (proc(5)), and signals.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub type Pid = u32;

/// Sends a signal to a process that the test has started.
pub fn signal(pid: Pid, number: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: kill has no memory effects.
    match unsafe { libc::kill(pid, number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The fields of a `stat` file after the name, which is in parentheses and may hold anything.
struct Stat(Vec<String>);

impl Stat {
    fn of_text(text: &str) -> Option<Stat> {
        let (_, after_name) = text.rsplit_once(')')?;
        let fields = after_name.split_whitespace().map(str::to_owned);
        Some(Stat(fields.collect()))
    }

    fn of(pid: Pid) -> Option<Stat> {
        Stat::of_text(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// By its number in proc(5), where the state is the third.
    fn field(&self, number: usize) -> &str {
        &self.0[number - 3]
    }

    fn number(&self, field: usize) -> u64 {
        self.field(field).parse().expect("a number")
    }

    fn does_anything(&self) -> bool {
        !matches!(self.field(3), "Z" | "X")
    }

    /// User and system time.
    fn ticks(&self) -> u64 {
        self.number(14) + self.number(15)
    }
}

const PARENT: usize = 4;
const GROUP: usize = 5;
const SESSION: usize = 6;

fn with(field: usize, value: Pid) -> Vec<Pid> {
    let mut pids: Vec<Pid> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            Stat::of(*pid)
                .is_some_and(|stat| stat.does_anything() && stat.field(field) == value.to_string())
        })
        .collect();
    pids.sort_unstable();
    pids
}

/// True while the process does anything; one that nobody reaped yet does not.
pub fn is_alive(pid: Pid) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.does_anything())
}

pub fn children(parent: Pid) -> Vec<Pid> {
    with(PARENT, parent)
}

pub fn in_group(group: Pid) -> Vec<Pid> {
    with(GROUP, group)
}

/// Processes of a session that are still there.
pub fn session(leader: Pid) -> Vec<Pid> {
    with(SESSION, leader)
}

/// The text of that file of each thread.
pub fn of_threads(pid: Pid, file: &str) -> Vec<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join(file)).ok())
        .collect()
}

/// Processor time, in clock ticks.
pub fn processor_ticks(pid: Pid) -> u64 {
    Stat::of(pid).expect("a process").ticks()
}

/// The same of the threads called `name`.
pub fn processor_ticks_of_threads(pid: Pid, name: &str) -> u64 {
    let named = format!("({name})");
    of_threads(pid, "stat")
        .iter()
        .filter(|stat| stat.contains(&named))
        .filter_map(|stat| Some(Stat::of_text(stat)?.ticks()))
        .sum()
}

/// A field of /proc/PID/status in kB: `VmRSS` or `VmHWM`.
pub fn memory_kb(pid: Pid, field: &str) -> i64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{field}:")));
    let value = value.unwrap_or_else(|| panic!("no {field} in\n{status}"));
    value
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of kB")
}

/// The processes that hold a lock on the file.
pub fn lock_holders(file: &Path) -> Vec<Pid> {
    let Ok(inode) = fs::metadata(file).map(|data| data.ino()) else {
        return Vec::new();
    };
    let end = format!(":{inode}");
    let locks = fs::read_to_string("/proc/locks").expect("/proc/locks");
    locks
        .lines()
        // Those wait for one.
        .filter(|line| !line.contains("->"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[5].ends_with(&end))
        .filter_map(|fields| fields[4].parse().ok())
        .collect()
}
