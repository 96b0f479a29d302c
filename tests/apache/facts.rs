//! What /proc says.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The fields of /proc/PID/stat after the name: state, parent, process group, session …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = text.rsplit_once(')')?;
    Some(after_name.split_whitespace().map(str::to_owned).collect())
}

fn all() -> Vec<(u32, Vec<String>)> {
    fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .filter(|(_, fields)| fields[0] != "Z")
        .collect()
}

/// True while the process does anything; one that nobody reaped yet does not.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

pub fn children(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let mut pids: Vec<u32> = all()
        .into_iter()
        .filter(|(_, fields)| fields[1] == parent)
        .map(|(pid, _)| pid)
        .collect();
    pids.sort_unstable();
    pids
}

/// Processes of a session that are still there.
pub fn session(leader: u32) -> Vec<u32> {
    let leader = leader.to_string();
    all()
        .into_iter()
        .filter(|(_, fields)| fields[3] == leader)
        .map(|(pid, _)| pid)
        .collect()
}

pub fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// The signals that each thread called `name` has blocked.
pub fn blocked_signals(pid: u32, name: &str) -> Vec<u64> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok())
        .filter(|status| status.lines().next() == Some(&format!("Name:\t{name}")))
        .filter_map(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigBlk:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .collect()
}

/// Processor time of the threads called `name`, in clock ticks.
pub fn processor_ticks(pid: u32, name: &str) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    let named = format!("({name})");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter(|stat| stat.contains(&named))
        .filter_map(|stat| {
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
        })
        .sum()
}

/// Resident memory in KiB.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

/// The processes that hold a lock on the file.
pub fn lock_holders(file: &Path) -> Vec<u32> {
    let Ok(inode) = file.metadata().map(|data| data.ino()) else {
        return Vec::new();
    };
    let end = format!(":{inode}");
    fs::read_to_string("/proc/locks")
        .expect("/proc/locks")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields[1] == "FLOCK" && fields[5].ends_with(&end))
        .filter_map(|fields| fields[4].parse().ok())
        .collect()
}
