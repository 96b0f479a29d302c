//! Whether OpenSSL is there at all: its beginning and its end in a process.

use super::errno;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

unsafe extern "C" {
    /// Of libcrypto, which `openssl-sys` links.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

const UNKNOWN: u8 = 0;
const USABLE: u8 = 1;
const BROKEN: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Makes OpenSSL begin. False: it could not, for want of memory. OpenSSL does not try again, and what is asked of it then may
/// end the process.
pub fn begin() -> bool {
    if STATE.load(Ordering::Acquire) == UNKNOWN {
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
    STATE.load(Ordering::Acquire) == USABLE
}

/// The host has called `OPENSSL_cleanup`, or `exit` has: nothing of OpenSSL works in this process any more, and most of it crashes.
pub fn is_over() -> bool {
    // SAFETY: takes no settings and asks for nothing to be loaded. It is the one call that OpenSSL allows afterwards, and then
    // gives 0.
    let initialized = unsafe { OPENSSL_init_crypto(0, ptr::null()) };
    initialized == 0
}
