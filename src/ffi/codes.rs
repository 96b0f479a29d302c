//! The return codes as macros, and their sentences.

use super::guard;
use crate::code::Code;
use std::ffi::{CStr, c_char, c_int, c_uint};

/// Done; for a check: authentic answer, no update.
pub const PSC_OK: c_int = 0;
/// Authentic answer: a security update exists.
pub const PSC_UPDATE_AVAILABLE: c_int = 1;
/// Checking is switched off; nothing was looked up, opened or sent.
pub const PSC_DISABLED: c_int = 2;
/// NULL where it may not be, or not UTF-8.
pub const PSC_ERR_INVALID_ARGUMENT: c_int = -1;
/// Configuration rejected; nothing of it was applied.
pub const PSC_ERR_CONFIG: c_int = -2;
/// Wrong moment: not configured, already started, a check is in flight.
pub const PSC_ERR_STATE: c_int = -3;
/// Called from inside this handle's log callback where that cannot work.
pub const PSC_ERR_REENTRANT: c_int = -4;
/// The handle was started in another process, before a fork.
pub const PSC_ERR_FORKED: c_int = -5;
/// psc_stop, psc_free or a configuration that disables ended the check.
pub const PSC_ERR_CANCELLED: c_int = -6;
/// Key, certificate, CA or license file missing, unreadable, malformed, or too weak.
pub const PSC_ERR_FILE: c_int = -7;
/// Name, connect, proxy, timeout, broken transfer.
pub const PSC_ERR_NETWORK: c_int = -8;
/// Handshake or certificate verification.
pub const PSC_ERR_TLS: c_int = -9;
/// An HTTP status other than 200.
pub const PSC_ERR_HTTP: c_int = -10;
/// Too large, not the agreed JSON, not base64, fields missing or of the wrong kind.
pub const PSC_ERR_RESPONSE: c_int = -11;
/// Not signed by a pinned key.
pub const PSC_ERR_SIGNATURE: c_int = -12;
/// Authentic, but not the answer to this request: replay.
pub const PSC_ERR_NONCE: c_int = -13;
/// Thread, random numbers, memory, descriptors, a libcurl that does not fit.
pub const PSC_ERR_SYSTEM: c_int = -14;
/// A bug in psc, contained.
pub const PSC_ERR_INTERNAL: c_int = -15;
/// psc_stop gave up waiting, because the host's own callback did not return.
pub const PSC_ERR_TIMEOUT: c_int = -16;

/// One sentence for any `code`, known or not.
///
/// Returns a static string, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn psc_strerror(code: c_int) -> *const c_char {
    const UNKNOWN: &CStr = c"Unknown code.";
    guard::value(UNKNOWN.as_ptr(), || {
        Code::from_number(code)
            .map_or(UNKNOWN, Code::sentence)
            .as_ptr()
    })
}

/// The version of the library that runs, such as "1.2.3"; PSC_VERSION is that of the header.
///
/// Returns a static string, never NULL. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn psc_version() -> *const c_char {
    crate::version::VERSION_C.as_ptr()
}

/// The version of the library that runs as 0xMMmmpp; PSC_VERSION_NUMBER is that of the header. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn psc_version_number() -> c_uint {
    crate::version::NUMBER
}

/// 1 when libcurl is part of the very binary that psc is part of, 0 when it is a shared library of its own.
///
/// Asked of the running process: a host that links libpsc.a and a static libcurl gets 1. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn psc_curl_is_static() -> c_int {
    guard::value(0, || c_int::from(crate::curl_linkage::is_static()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_the_codes() {
        let macros = [
            PSC_OK,
            PSC_UPDATE_AVAILABLE,
            PSC_DISABLED,
            PSC_ERR_INVALID_ARGUMENT,
            PSC_ERR_CONFIG,
            PSC_ERR_STATE,
            PSC_ERR_REENTRANT,
            PSC_ERR_FORKED,
            PSC_ERR_CANCELLED,
            PSC_ERR_FILE,
            PSC_ERR_NETWORK,
            PSC_ERR_TLS,
            PSC_ERR_HTTP,
            PSC_ERR_RESPONSE,
            PSC_ERR_SIGNATURE,
            PSC_ERR_NONCE,
            PSC_ERR_SYSTEM,
            PSC_ERR_INTERNAL,
            PSC_ERR_TIMEOUT,
        ];
        assert_eq!(macros.as_slice(), Code::ALL.map(Code::number).as_slice());
    }
}
