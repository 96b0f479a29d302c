//! What /proc says.

use psc_testkit::proc;
pub use psc_testkit::proc::{
    children, is_alive, lock_holders, processor_ticks_of_threads as processor_ticks, session,
};
use std::fs;

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
