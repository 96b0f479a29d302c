//! A pair of connected sockets. Unlike a pipe's, or an eventfd's, their bytes cannot end up in a file that has taken the
//! number meanwhile, unless it is a socket, too; and without a reader there is no SIGPIPE.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

/// The receiving and the sending end, close-on-exec from the beginning.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (receiver, sender) = UnixStream::pair()?;
    Ok((receiver.into(), sender.into()))
}

/// Sends one byte, without waiting. Async-signal-safe.
pub fn send(socket: RawFd) {
    let byte = 1_u8;
    // SAFETY: reads one byte; what is no socket is an error and nothing else.
    unsafe {
        libc::send(
            socket,
            ptr::from_ref(&byte).cast(),
            1,
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        );
    }
}

/// Receives all that was sent, without waiting.
pub fn drain(socket: RawFd) {
    let mut bytes = [0_u8; 64];
    loop {
        // SAFETY: the buffer has room for that much; what is no socket is an error and nothing else.
        let count = unsafe {
            libc::recv(
                socket,
                bytes.as_mut_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
            )
        };
        if count <= 0 {
            return;
        }
    }
}
