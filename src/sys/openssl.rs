//! Whether OpenSSL is there at all.

use std::ffi::{c_int, c_void};
use std::ptr;

unsafe extern "C" {
    /// Of libcrypto, which `openssl-sys` links.
    fn OPENSSL_init_crypto(options: u64, settings: *const c_void) -> c_int;
}

/// The host has called `OPENSSL_cleanup`, or `exit` has: nothing of OpenSSL works in this process any more, and most of it crashes.
pub fn is_over() -> bool {
    // SAFETY: takes no settings and asks for nothing to be loaded. It is the one call that OpenSSL allows afterwards, and then
    // gives 0.
    let initialized = unsafe { OPENSSL_init_crypto(0, ptr::null()) };
    initialized == 0
}
