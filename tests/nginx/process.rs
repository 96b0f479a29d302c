//! What /proc says about nginx's processes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

pub type Pid = i32;

/// Running: neither gone nor a zombie.
pub fn is_alive(pid: Pid) -> bool {
    !matches!(state_parent_group(pid), None | Some(('Z', _, _)))
}

pub fn children(parent: Pid) -> Vec<Pid> {
    all()
        .into_iter()
        .filter(|pid| {
            matches!(state_parent_group(*pid), Some((state, ppid, _)) if ppid == parent && state != 'Z')
        })
        .collect()
}

pub fn in_group(group: Pid) -> Vec<Pid> {
    all()
        .into_iter()
        .filter(|pid| {
            matches!(state_parent_group(*pid), Some((state, _, pgrp)) if pgrp == group && state != 'Z')
        })
        .collect()
}

/// The title that nginx gives its processes, "nginx: worker process" for one.
pub fn title(pid: Pid) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim()
        .to_string()
}

pub fn thread_names(pid: Pid) -> Vec<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .map(|name| name.trim().to_string())
        .collect()
}

/// A field of /proc/PID/status in kB: VmRSS or VmHWM.
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
    let locks = fs::read_to_string("/proc/locks").expect("/proc/locks");
    locks
        .lines()
        .filter(|line| !line.contains("->"))
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (pid, file) = (fields.get(4)?, fields.get(5)?);
            let same = file.rsplit(':').next()? == inode.to_string();
            if same { pid.parse().ok() } else { None }
        })
        .collect()
}

pub fn signal(pid: Pid, number: i32) {
    // SAFETY: kill has no memory effects; the pid is a process that this test started.
    let rc = unsafe { libc::kill(pid, number) };
    assert_eq!(
        rc,
        0,
        "kill {pid} {number}: {}",
        std::io::Error::last_os_error()
    );
}

fn all() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn state_parent_group(pid: Pid) -> Option<(char, Pid, Pid)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some((state, parent, group))
}
