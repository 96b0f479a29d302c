//! libcurl before 8.11 makes the socket pairs that wake it up without close-on-exec. A program that the host executes
//! during a check would inherit them, so psc sets the flag.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// The descriptors of this process at one moment.
pub struct Snapshot(HashSet<RawFd>);

impl Snapshot {
    pub fn take() -> Snapshot {
        Snapshot(open_descriptors().into_iter().collect())
    }

    /// Sets the flag on socket pairs that are new since then and lack it. A pair that another thread of the host makes in
    /// the same instant would get the flag as well; that is why this is called right after the one libcurl call.
    pub fn mark_new_pairs(&self) {
        open_descriptors()
            .into_iter()
            .filter(|descriptor| !self.0.contains(descriptor))
            .filter(|descriptor| is_pair(*descriptor))
            .for_each(set_close_on_exec);
    }
}

fn open_descriptors() -> Vec<RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    let listed: Vec<RawFd> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    // The listing shows its own descriptor, which is closed by now.
    let is_open = |descriptor: &RawFd| flags(*descriptor) >= 0;
    listed.into_iter().filter(is_open).collect()
}

fn flags(descriptor: RawFd) -> i32 {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) }
}

/// An unnamed local socket that does not close on exec.
fn is_pair(descriptor: RawFd) -> bool {
    let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).unwrap_or(0);
    // SAFETY: the address has room for `length` bytes; a number that is no socket is an error and nothing else.
    let (named, family) = unsafe {
        let named = libc::getsockname(descriptor, address.as_mut_ptr().cast(), &raw mut length);
        (named, address.assume_init().sun_family)
    };
    let unnamed =
        usize::try_from(length).is_ok_and(|length| length <= size_of::<libc::sa_family_t>());
    flags(descriptor) == 0 && named == 0 && unnamed && i32::from(family) == libc::AF_UNIX
}

fn set_close_on_exec(descriptor: RawFd) {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    fn flag(socket: &UnixStream) -> i32 {
        flags(socket.as_raw_fd())
    }

    fn inheritable_pair() -> (UnixStream, UnixStream) {
        let pair = UnixStream::pair().unwrap();
        for end in [&pair.0, &pair.1] {
            // SAFETY: takes numbers.
            unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFD, 0) };
        }
        pair
    }

    #[test]
    fn only_new_pairs_are_marked() {
        let old = inheritable_pair();
        let snapshot = Snapshot::take();
        let new = inheritable_pair();
        snapshot.mark_new_pairs();
        assert_eq!([flag(&old.0), flag(&old.1)], [0, 0]);
        assert_eq!(
            [flag(&new.0), flag(&new.1)],
            [libc::FD_CLOEXEC, libc::FD_CLOEXEC]
        );
    }
}
