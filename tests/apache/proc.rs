//! What /proc says.

use psc_testkit::proc;
pub use psc_testkit::proc::{
    children, is_alive, lock_holders, processor_ticks_of_threads as processor_ticks, session,
};
use std::fs;

/// Whether it is the process of mod_psc's, by its name.
pub fn is_checker(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "httpd-psc")
}

/// The user ids of the process.
pub fn users(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("Uid:"));
    line.expect("the ids").to_owned()
}

/// How many sockets of the process's wait for connections.
pub fn listening(pid: u32) -> usize {
    const LISTEN: &str = "0A";
    let mut inodes = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields.get(3) == Some(&LISTEN) {
                inodes.push(format!("socket:[{}]", fields[9]));
            }
        }
    }
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("/proc");
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .filter(|target| {
            inodes
                .iter()
                .any(|inode| target.as_os_str() == inode.as_str())
        })
        .count()
}

pub fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// The signals that each thread called `name` has blocked.
pub fn blocked_signals(pid: u32, name: &str) -> Vec<u64> {
    proc::of_threads(pid, "status")
        .iter()
        .filter(|status| status.lines().next() == Some(&format!("Name:\t{name}")))
        .filter_map(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigBlk:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .collect()
}

/// Resident memory in KiB.
pub fn resident(pid: u32) -> u64 {
    u64::try_from(proc::memory_kb(pid, "VmRSS")).expect("a size")
}
