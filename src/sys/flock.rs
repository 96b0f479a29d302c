//! `flock(2)`: a lock that belongs to an open file, and that the kernel frees when its process dies.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes the lock unless another open file holds it. It is freed when `file` is closed.
pub fn try_exclusive(file: &File) -> io::Result<bool> {
    // SAFETY: takes a descriptor that `file` keeps open and a flag.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        _ => Err(error),
    }
}

/// Frees the lock for every process that shares the open file, a child forked meanwhile included.
pub fn unlock(file: &File) {
    // SAFETY: as above.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) };
}
