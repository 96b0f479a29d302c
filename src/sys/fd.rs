//! Descriptors known by number and file: a host, or a forked process, may have closed psc's and opened its own in their place.
//! Only for files with an inode of their own: an eventfd, timerfd or epoll shares one with all of the system's.

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

/// The file that a number stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdId {
    number: RawFd,
    device: libc::dev_t,
    inode: libc::ino_t,
}

impl FdId {
    /// `None` when the number stands for nothing.
    pub fn of(number: RawFd) -> Option<FdId> {
        let mut status = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: fills the structure that it is given, which is read only when it has.
        let status = unsafe {
            if libc::fstat(number, status.as_mut_ptr()) != 0 {
                return None;
            }
            status.assume_init()
        };
        Some(FdId {
            number,
            device: status.st_dev,
            inode: status.st_ino,
        })
    }

    /// The number, as long as it stands for this file. Async-signal-safe: one `fstat(2)`.
    pub fn number(self) -> Option<RawFd> {
        (FdId::of(self.number) == Some(self)).then_some(self.number)
    }

    /// For a forked process that owns no more than its copy.
    pub fn close(self) {
        if let Some(number) = self.number() {
            // SAFETY: takes a number; it stands for psc's file, which nothing in this process uses or closes any more.
            unsafe { libc::close(number) };
        }
    }
}

/// An open file, as long as nobody has closed it by its number; whose the number is then is left alone.
pub struct FdGuard<T: AsRawFd + IntoRawFd> {
    file: Option<T>,
    id: Option<FdId>,
}

impl<T: AsRawFd + IntoRawFd> FdGuard<T> {
    pub fn new(file: T) -> FdGuard<T> {
        FdGuard {
            id: FdId::of(file.as_raw_fd()),
            file: Some(file),
        }
    }

    /// `None` when it was closed. Async-signal-safe.
    pub fn get(&self) -> Option<&T> {
        self.id?.number()?;
        self.file.as_ref()
    }

    pub fn id(&self) -> Option<FdId> {
        self.id
    }

    /// Before this goes, for a process that will never see it go.
    pub fn close(&self) {
        self.id.into_iter().for_each(FdId::close);
    }
}

impl<T: AsRawFd + IntoRawFd> Drop for FdGuard<T> {
    fn drop(&mut self) {
        if self.get().is_none() {
            self.file.take().map(IntoRawFd::into_raw_fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::{FromRawFd, OwnedFd};

    #[test]
    fn what_has_taken_the_number_is_left_alone() {
        let (mine, other) = (File::open("/dev/null").unwrap(), File::open("/").unwrap());
        let number = mine.as_raw_fd();
        let guard = FdGuard::new(mine);
        assert!(guard.get().is_some());
        // In one step: other tests open files meanwhile.
        // SAFETY: takes numbers; the file that is closed so is not used any more, which is what this test is about.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
        assert!(guard.get().is_none());
        guard.id().unwrap().close();
        drop(guard);
        assert!(FdId::of(number).is_some());
        // SAFETY: open, and nobody else's.
        drop(unsafe { OwnedFd::from_raw_fd(number) });
    }
}
