//! libcurl before 8.11 makes the socket pairs that wake it up without close-on-exec. A program that the host executes
//! during a check would inherit them, so psc sets the flag.

use super::descriptor::Identity;
use super::pipe::pipe;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

/// The numbers that a pair made now would get: the lowest free ones (POSIX, file descriptor allocation).
pub struct NextPair([RawFd; 2]);

impl NextPair {
    /// `None` when no descriptor is left.
    pub fn foresee() -> Option<NextPair> {
        let (receiver, sender) = pipe().ok()?;
        Some(NextPair([receiver.as_raw_fd(), sender.as_raw_fd()]))
    }

    /// Sets the flag when there is a socket pair of these numbers now that lacks it, and `is_libcurls` knows its first end:
    /// another thread of the host may have made a pair of its own in the meantime.
    pub fn mark(&self, is_libcurls: impl FnOnce(RawFd) -> bool) {
        let [first, second] = self.0;
        if is_inherited_end(first)
            && is_inherited_end(second)
            && are_of_one_pair(first, second)
            && is_libcurls(first)
        {
            set_close_on_exec(first);
            set_close_on_exec(second);
        }
    }
}

/// Both ends get their inode numbers in one go. When they rarely are not in a row, the pair is taken for two halves.
fn are_of_one_pair(first: RawFd, second: RawFd) -> bool {
    match (Identity::of(first), Identity::of(second)) {
        (Some(first), Some(second)) => first.inode().checked_add(1) == Some(second.inode()),
        _ => false,
    }
}

/// How many bytes can be read from a socket at once.
pub fn readable_bytes(descriptor: RawFd) -> i32 {
    let mut bytes = 0;
    // SAFETY: writes one int; a number that is no socket is an error and nothing else.
    let code = unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut bytes) };
    if code == 0 { bytes } else { 0 }
}

/// Whether the set has this descriptor. Numbers that do not fit into a set count as there.
pub fn has(set: &libc::fd_set, descriptor: RawFd) -> bool {
    let fits = usize::try_from(descriptor).is_ok_and(|number| number < libc::FD_SETSIZE);
    // SAFETY: the number fits.
    !fits || unsafe { libc::FD_ISSET(descriptor, set) }
}

/// A set without descriptors.
pub fn empty_set() -> libc::fd_set {
    let mut set = MaybeUninit::<libc::fd_set>::uninit();
    // SAFETY: empties the set that it is given.
    unsafe {
        libc::FD_ZERO(set.as_mut_ptr());
        set.assume_init()
    }
}

/// An unnamed local socket that does not close on exec.
fn is_inherited_end(descriptor: RawFd) -> bool {
    let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).unwrap_or(0);
    // SAFETY: the address has room for `length` bytes; a number that is no socket is an error and nothing else.
    let (flags, named, family) = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFD);
        let named = libc::getsockname(descriptor, address.as_mut_ptr().cast(), &raw mut length);
        (flags, named, address.assume_init().sun_family)
    };
    let unnamed =
        usize::try_from(length).is_ok_and(|length| length <= size_of::<libc::sa_family_t>());
    flags == 0 && named == 0 && unnamed && i32::from(family) == libc::AF_UNIX
}

fn set_close_on_exec(descriptor: RawFd) {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
}
