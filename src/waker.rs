//! A descriptor that another thread, or a signal handler, can make readable.

use crate::failure::Failure;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// Both ends are close-on-exec and never block.
pub struct Waker {
    receiver: UnixStream,
    sender: UnixStream,
}

impl Waker {
    pub fn new() -> Result<Waker, Failure> {
        let pair = || {
            let (receiver, sender) = UnixStream::pair()?;
            receiver.set_nonblocking(true)?;
            sender.set_nonblocking(true)?;
            Ok(Waker { receiver, sender })
        };
        pair().map_err(|error: std::io::Error| Failure::system(format!("no descriptors: {error}")))
    }

    /// Makes the descriptor readable. Async-signal-safe: one `send(2)`, no lock, no allocation.
    pub fn wake(&self) {
        // A full socket is readable already.
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
