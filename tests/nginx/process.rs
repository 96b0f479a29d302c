//! What /proc says about nginx's processes.

use psc_testkit::proc;
pub use psc_testkit::proc::signal as try_signal;
pub use psc_testkit::proc::{Pid, children, in_group, is_alive, lock_holders, memory_kb};
use std::fs;

/// The title that nginx gives its processes, "nginx: worker process" for one.
pub fn title(pid: Pid) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim()
        .to_string()
}

pub fn thread_names(pid: Pid) -> Vec<String> {
    let names = proc::of_threads(pid, "comm");
    names.iter().map(|name| name.trim().to_string()).collect()
}

pub fn signal(pid: Pid, number: i32) {
    proc::signal(pid, number).unwrap_or_else(|error| panic!("kill {pid} {number}: {error}"));
}
