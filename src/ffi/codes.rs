//! The return codes as macros, and their sentences.

use super::guard;
use crate::code::Code;
use std::ffi::{CStr, c_char, c_int, c_uint};

/// Done; for a check: no security update is known for this version.
pub const PSC_OK: c_int = 0;
/// A security update is available.
pub const PSC_UPDATE_AVAILABLE: c_int = 1;
/// The security update check is disabled.
pub const PSC_DISABLED: c_int = 2;
/// An argument is NULL where it may not be, or not UTF-8.
pub const PSC_ERR_INVALID_ARGUMENT: c_int = -1;
/// The configuration was rejected; nothing of it was applied.
pub const PSC_ERR_CONFIG: c_int = -2;
/// The call came at the wrong moment: not configured yet, already started, or a check is in flight.
pub const PSC_ERR_STATE: c_int = -3;
/// The call cannot work inside this handle's own log callback.
pub const PSC_ERR_REENTRANT: c_int = -4;
/// The handle was started in another process, before a fork.
pub const PSC_ERR_FORKED: c_int = -5;
/// The check was ended by psc_stop, psc_free or a configuration that disables it.
pub const PSC_ERR_CANCELLED: c_int = -6;
/// A key, certificate, CA or licence file is missing, unreadable, malformed or too weak.
pub const PSC_ERR_FILE: c_int = -7;
/// The check server could not be reached, or the transfer broke.
pub const PSC_ERR_NETWORK: c_int = -8;
/// The TLS handshake or the verification of the server's certificate failed.
pub const PSC_ERR_TLS: c_int = -9;
/// The check server answered with an HTTP status other than 200.
pub const PSC_ERR_HTTP: c_int = -10;
/// The answer is not what the protocol agrees on.
pub const PSC_ERR_RESPONSE: c_int = -11;
/// The answer is not signed by a pinned key: it may be forged.
pub const PSC_ERR_SIGNATURE: c_int = -12;
/// The answer is authentic, but not the answer to this request: it may be a replay.
pub const PSC_ERR_NONCE: c_int = -13;
/// The system denied a thread, random numbers, memory or descriptors.
pub const PSC_ERR_SYSTEM: c_int = -14;
/// A bug in psc, contained.
pub const PSC_ERR_INTERNAL: c_int = -15;
/// psc_stop gave up waiting: the host's own log callback, a libcurl that cannot be cancelled, or a slow state_dir did
/// not return in time.
pub const PSC_ERR_TIMEOUT: c_int = -16;

/// Describes a return code in one sentence.
///
/// `code`: any number.
///
/// Returns a static string, never NULL. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn psc_strerror(code: c_int) -> *const c_char {
    const UNKNOWN: &CStr = c"Unknown code.";
    guard::value(UNKNOWN.as_ptr(), || {
        Code::from_number(code)
            .map_or(UNKNOWN, Code::sentence)
            .as_ptr()
    })
}

/// The version of the library that is running, such as "1.2.3". PSC_VERSION is the version of the header.
///
/// Returns a static string, never NULL. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn psc_version() -> *const c_char {
    crate::version::VERSION_C.as_ptr()
}

/// The version of the library that is running, as a number to compare.
///
/// Returns 0xMMmmpp: major, minor, patch. PSC_VERSION_NUMBER is the number of the header. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn psc_version_number() -> c_uint {
    crate::version::NUMBER
}

/// Whether libcurl and psc are parts of the same binary. It looks at the running process, so a host that links libpsc.a
/// and a static libcurl gets 1 as well.
///
/// Returns 1 if so, 0 when libcurl is a shared library of its own. Threads: any.
#[unsafe(no_mangle)]
pub extern "C" fn psc_curl_is_static() -> c_int {
    guard::value(0, || c_int::from(crate::curl_linkage::is_static()))
}

#[cfg(test)]
mod tests {
    use crate::code::Code;

    /// cbindgen makes the header out of the constants above, and reads no macro of Rust's.
    #[test]
    fn the_header_has_every_code_by_name_and_number() {
        let header = include_str!("../../include/psc.h");
        let is_code = |name: &str| {
            name.starts_with("PSC_ERR_")
                || ["PSC_OK", "PSC_UPDATE_AVAILABLE", "PSC_DISABLED"].contains(&name)
        };
        let mut defined: Vec<(&str, i32)> = header
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
            .filter(|(name, _)| is_code(name))
            .map(|(name, number)| (name, number.trim_matches(['(', ')']).parse().expect(name)))
            .collect();
        let mut codes: Vec<(&str, i32)> = Code::ALL
            .iter()
            .map(|code| (code.name(), code.number()))
            .collect();
        defined.sort_unstable();
        codes.sort_unstable();
        assert_eq!(defined, codes);
    }
}
