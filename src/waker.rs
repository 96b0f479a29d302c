//! A descriptor that another thread, or a signal handler, can make readable.

use crate::failure::Failure;
use crate::sys::descriptor::{Held, Identity};
use crate::sys::pipe::pipe;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};

/// A pipe: both ends are close-on-exec and never block.
pub struct Waker {
    receiver: Held<File>,
    sender: Held<File>,
}

impl Waker {
    pub fn new() -> Result<Waker, Failure> {
        let (receiver, sender) =
            pipe().map_err(|error| Failure::system(format!("no descriptors: {error}")))?;
        Ok(Waker {
            receiver: Held::new(receiver),
            sender: Held::new(sender),
        })
    }

    /// Makes the descriptor readable. Async-signal-safe: `fstat(2)`, `write(2)`, no lock, no allocation. Without the reading
    /// end it would be a SIGPIPE.
    pub fn wake(&self) {
        if let (Some(_), Some(mut sender)) = (self.receiver.get(), self.sender.get()) {
            // A full pipe is readable already.
            let _ = sender.write(&[1]);
        }
    }

    /// The descriptor is not readable any more, until the next wake.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while let Some(mut receiver) = self.receiver.get() {
            if !matches!(receiver.read(&mut bytes), Ok(count) if count > 0) {
                return;
            }
        }
    }

    /// Both, for [`Identity::close`] in a forked process.
    pub fn ends(&self) -> impl Iterator<Item = Identity> {
        [self.receiver.identity(), self.sender.identity()]
            .into_iter()
            .flatten()
    }

    /// -1, which poll(2) passes over, when the host has closed it.
    pub fn descriptor(&self) -> RawFd {
        self.receiver.get().map_or(-1, AsRawFd::as_raw_fd)
    }
}
