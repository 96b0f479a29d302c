//! Closing descriptors by number, for a forked process that owns no more than its copies of them.

use std::os::fd::RawFd;

/// Negative numbers are passed over.
pub fn close(descriptor: RawFd) {
    if descriptor >= 0 {
        // SAFETY: takes a number; callers give descriptors that nothing in this process uses or closes any more.
        unsafe { libc::close(descriptor) };
    }
}
