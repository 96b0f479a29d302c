//! `errno`, which a function called from a signal handler must leave as it was (POSIX, signal concepts), and what it says.

use std::ffi::c_int;
use std::io;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "emscripten"))]
use libc::__errno_location as location;
#[cfg(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_vendor = "apple"
))]
use libc::__error as location;

/// Descriptors or memory have run out, in this process or in the whole system.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// Before a call whose `errno` is looked at.
pub fn clear() {
    // SAFETY: the location is this thread's own and always valid.
    unsafe { *location() = 0 };
}

/// Whether the last thing that failed in this thread did so for want of memory.
pub fn is_out_of_memory() -> bool {
    // SAFETY: as above.
    unsafe { *location() == libc::ENOMEM }
}

/// Puts `errno` back when it goes.
pub struct Preserved(c_int);

impl Preserved {
    pub fn now() -> Preserved {
        // SAFETY: the location is this thread's own and always valid.
        Preserved(unsafe { *location() })
    }
}

impl Drop for Preserved {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *location() = self.0 };
    }
}
