//! A pipe whose ends are close-on-exec from the beginning and never block.

use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

/// The reading and the writing end.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [-1; 2];
    // SAFETY: fills the two numbers that it is given.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let [receiver, sender] = ends;
    // SAFETY: pipe2 has just made them, nobody else has them.
    Ok(unsafe { (File::from_raw_fd(receiver), File::from_raw_fd(sender)) })
}

/// Whether so many pipes could be made now: two descriptors each.
pub fn has_room(pipes: usize) -> bool {
    let made: Vec<_> = (0..pipes).map_while(|_| pipe().ok()).collect();
    made.len() == pipes
}
