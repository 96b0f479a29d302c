//! Whether OpenSSL is there at all: its beginning and its end in a process.

use super::errno;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

unsafe extern "C" {
    /// Of libcrypto, which `openssl-sys` links.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

// Of openssl/err.h, which `openssl-sys` does not have all of.
const ERR_RFLAG_FATAL: c_int = 0x1 << 18;
const ERR_RFLAG_COMMON: c_int = 0x2 << 18;
const ERR_R_FATAL: c_int = ERR_RFLAG_FATAL | ERR_RFLAG_COMMON;
pub const ERR_R_MALLOC_FAILURE: c_int = 256 | ERR_R_FATAL;

const UNKNOWN: u8 = 0;
const USABLE: u8 = 1;
const BROKEN: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// More than OpenSSL takes when it begins.
const ROOM: usize = 512 * 1024;

/// Whether the host has memory for it. Asked of malloc itself, which psc's own allocator would stand in for.
fn has_room() -> bool {
    // SAFETY: what malloc gives, or NULL, is given back at once.
    unsafe {
        let room = libc::malloc(ROOM);
        // Without a look at it the two calls could be left out.
        let found = !std::hint::black_box(room).is_null();
        libc::free(room);
        found
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Yes,
    /// There is no memory for it now; it may be tried again.
    NotNow,
    /// It ran out of memory meanwhile. OpenSSL does not try again, and what is asked of it then may end the process.
    Never,
}

/// Makes OpenSSL begin, once in a process. OpenSSL 3.5 waits for itself for ever when it has no memory for its first lock, so
/// that it is not even tried then.
pub fn begin() -> Begun {
    if STATE.load(Ordering::Acquire) == UNKNOWN {
        if !has_room() {
            return Begun::NotNow;
        }
        errno::clear();
        // After its end it gives 0 as well, without being short of memory: `is_over` tells.
        // SAFETY: takes flags and may be called any number of times, from any thread.
        unsafe { openssl_sys::OPENSSL_init_ssl(0, ptr::null()) };
        let state = if errno::is_out_of_memory() {
            BROKEN
        } else {
            USABLE
        };
        // The first look counts: a later one finds nothing left to do, and no error.
        let _ = STATE.compare_exchange(UNKNOWN, state, Ordering::AcqRel, Ordering::Acquire);
    }
    match STATE.load(Ordering::Acquire) {
        USABLE => Begun::Yes,
        _ => Begun::Never,
    }
}

/// Empties this thread's error queue: what is left there would be taken for the reason of what fails next.
pub fn clear_errors() {
    // SAFETY: takes nothing; the queue is this thread's own.
    unsafe { openssl_sys::ERR_clear_error() };
}

/// The host has called `OPENSSL_cleanup`, or `exit` has: nothing of OpenSSL works in this process any more, and most of it crashes.
pub fn is_over() -> bool {
    // SAFETY: takes no settings and asks for nothing to be loaded. It is the one call that OpenSSL allows afterwards, and then
    // gives 0.
    let initialized = unsafe { OPENSSL_init_crypto(0, ptr::null()) };
    initialized == 0
}
