//! Locks that belong to an open file, and that the kernel frees when its process dies: of the whole file (`flock(2)`), or of
//! one byte (`F_OFD_SETLK`).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Takes the lock unless another open file holds it. It is freed when `file` is closed.
pub fn try_exclusive(file: &File) -> io::Result<bool> {
    try_lock(file, libc::LOCK_EX)
}

/// As [`try_exclusive`], together with others who do so.
pub fn try_shared(file: &File) -> io::Result<bool> {
    try_lock(file, libc::LOCK_SH)
}

fn try_lock(file: &File, kind: libc::c_int) -> io::Result<bool> {
    // SAFETY: takes a descriptor that `file` keeps open and a flag.
    let result = unsafe { libc::flock(file.as_raw_fd(), kind | libc::LOCK_NB) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(false),
        _ => Err(error),
    }
}

/// Takes the lock of one byte, there or not, unless another open file holds it or the whole file. Where the system has no
/// such locks it is the whole file's.
pub fn try_byte(file: &File, position: u32) -> io::Result<bool> {
    match set_byte(file, position, libc::F_WRLCK) {
        // Who knows nothing of bytes, an older psc, is kept out, and keeps out.
        Ok(()) => try_shared(file),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => Ok(false),
            Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => try_exclusive(file),
            _ => Err(error),
        },
    }
}

/// As [`unlock`].
pub fn unlock_byte(file: &File, position: u32) {
    let _ = set_byte(file, position, libc::F_UNLCK);
    unlock(file);
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_byte(file: &File, position: u32, kind: libc::c_int) -> io::Result<()> {
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidInput);
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind.try_into().map_err(wrong)?;
    lock.l_whence = libc::SEEK_SET.try_into().map_err(wrong)?;
    lock.l_start = position.into();
    lock.l_len = 1;
    // SAFETY: takes a descriptor that `file` keeps open, and a structure that it reads.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_byte(_: &File, _: u32, _: libc::c_int) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Frees the lock for every process that shares the open file, a child forked meanwhile included.
pub fn unlock(file: &File) {
    // SAFETY: as above.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) };
}
