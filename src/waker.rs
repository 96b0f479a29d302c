//! A descriptor that another thread, or a signal handler, can make readable.

use crate::failure::Failure;
use crate::sys::pipe::pipe;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};

/// A pipe: both ends are close-on-exec and never block.
pub struct Waker {
    receiver: File,
    sender: File,
}

impl Waker {
    pub fn new() -> Result<Waker, Failure> {
        let (receiver, sender) =
            pipe().map_err(|error| Failure::system(format!("no descriptors: {error}")))?;
        Ok(Waker { receiver, sender })
    }

    /// Makes the descriptor readable. Async-signal-safe: one `write(2)`, no lock, no allocation. The reading end is open as
    /// long as this one, so there is no SIGPIPE.
    pub fn wake(&self) {
        // A full pipe is readable already.
        let _ = (&self.sender).write(&[1]);
    }

    /// The descriptor is not readable any more, until the next wake.
    pub fn clear(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.receiver).read(&mut bytes), Ok(count) if count > 0) {}
    }

    /// Both ends.
    pub fn descriptors(&self) -> [RawFd; 2] {
        [self.receiver.as_raw_fd(), self.sender.as_raw_fd()]
    }

    pub fn descriptor(&self) -> RawFd {
        self.receiver.as_raw_fd()
    }
}
