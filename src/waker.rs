//! A descriptor that another thread, or a signal handler, can make readable.

#![allow(unsafe_code)]

use crate::error::Error;
use crate::sys::fd::FdGuard;
use crate::sys::process::Process;
use crate::sys::socket_pair;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Two connected sockets, made when they are needed: each process has its own, and new ones when the host has closed an end.
/// Used without a lock.
pub struct Waker {
    /// Those made last; the earlier ones hang on them. None goes before the waker does: a signal handler, or a thread in
    /// poll(2), may be looking at it.
    newest: AtomicPtr<SocketPair>,
}

struct SocketPair {
    process: Process,
    receiver: FdGuard<OwnedFd>,
    sender: FdGuard<OwnedFd>,
    earlier: *mut SocketPair,
}

impl Waker {
    pub fn new() -> Waker {
        Waker {
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Makes the descriptors unless they are there.
    pub fn prepare(&self) -> Result<(), Error> {
        if self.ends().is_some() {
            return Ok(());
        }
        let (receiver, sender) = socket_pair::pair()
            .map_err(|error| Error::system(format!("no descriptors: {error}")))?;
        let earlier = self.newest.load(Ordering::SeqCst);
        let ends = Box::into_raw(Box::new(SocketPair {
            process: Process::current(),
            receiver: FdGuard::new(receiver),
            sender: FdGuard::new(sender),
            earlier,
        }));
        let stored =
            self.newest
                .compare_exchange(earlier, ends, Ordering::SeqCst, Ordering::SeqCst);
        if stored.is_err() {
            // Another thread was faster.
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(ends) });
        }
        Ok(())
    }

    /// Makes the descriptor readable. Async-signal-safe: `fstat(2)`, `send(2)`, no lock, no allocation.
    pub fn wake(&self) {
        if let Some((_, sender)) = self.ends() {
            // When there is no room it is readable already.
            socket_pair::send(sender);
        }
    }

    /// The descriptor is not readable any more, until the next wake.
    pub fn clear(&self) {
        if let Some((receiver, _)) = self.ends() {
            socket_pair::drain(receiver);
        }
    }

    /// `None` while there is none that a wake would reach: before [`Waker::prepare`], and when the host has closed an end.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.ends().map(|(receiver, _)| receiver)
    }

    /// Closes what is still there, copies of another process's included. Nothing may be waiting for it.
    pub fn close(&self) {
        for ends in self.all() {
            ends.receiver.close();
            ends.sender.close();
        }
    }

    /// This process's, as long as both are psc's: of one without the other poll(2) says for ever that there is something.
    fn ends(&self) -> Option<(RawFd, RawFd)> {
        let ends = self.all().next()?;
        let both = (
            ends.receiver.get()?.as_raw_fd(),
            ends.sender.get()?.as_raw_fd(),
        );
        (ends.process == Process::current()).then_some(both)
    }

    fn all(&self) -> impl Iterator<Item = &SocketPair> {
        // SAFETY: what was stored lives as long as `self`, and so does what hangs on it.
        let newest = unsafe { self.newest.load(Ordering::SeqCst).as_ref() };
        // SAFETY: as above.
        std::iter::successors(newest, |ends| unsafe { ends.earlier.as_ref() })
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        let mut next = *self.newest.get_mut();
        while !next.is_null() {
            // SAFETY: made by `prepare`, and nobody looks at it any more.
            let ends = unsafe { Box::from_raw(next) };
            next = ends.earlier;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::FromRawFd;

    fn is_readable(descriptor: RawFd) -> bool {
        let mut poll = libc::pollfd {
            fd: descriptor,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one element, which lives through the call.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 }
    }

    #[test]
    fn it_turns_readable_and_back() {
        let waker = Waker::new();
        waker.wake();
        assert_eq!(waker.descriptor(), None);
        waker.prepare().unwrap();
        let descriptor = waker.descriptor().unwrap();
        assert!(!is_readable(descriptor));
        for _ in 0..1000 {
            waker.wake();
        }
        assert!(is_readable(descriptor));
        waker.clear();
        assert!(!is_readable(descriptor));
        waker.prepare().unwrap();
        assert_eq!(waker.descriptor(), Some(descriptor));
    }

    #[test]
    fn without_one_end_there_is_none_until_there_are_new_ones() {
        let waker = Waker::new();
        for end in [0, 1] {
            waker.prepare().unwrap();
            let (receiver, sender) = waker.ends().unwrap();
            let lost = [receiver, sender][end];
            let other = std::fs::File::open("/dev/null").unwrap();
            // In one step: other tests open files meanwhile.
            // SAFETY: takes numbers; what is closed so is not used any more, which is what this test is about.
            assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), lost) }, lost);
            assert_eq!(waker.descriptor(), None);
            waker.wake();
            waker.clear();
            waker.prepare().unwrap();
            let descriptor = waker.descriptor().unwrap();
            waker.wake();
            assert!(is_readable(descriptor));
            // SAFETY: open, and nobody else's.
            drop(unsafe { OwnedFd::from_raw_fd(lost) });
        }
    }
}
