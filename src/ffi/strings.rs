//! Strings that cross the boundary.

use super::guard;
use crate::error::Error;
use serde_json::Value;
use std::ffi::{CStr, CString, c_char};
use std::ptr;

/// A C string as UTF-8.
///
/// # Safety
/// `text` is NULL or a NUL-terminated string that lives through the call.
pub(super) unsafe fn utf8<'a>(text: *const c_char, name: &str) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(Error::invalid_argument(format!("{name} is NULL")));
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str()
        .map_err(|_| Error::invalid_argument(format!("{name} is not UTF-8")))
}

/// A string of psc's for C. JSON and psc's own texts have no NUL; what came from outside might.
pub(super) fn owned(text: &str) -> CString {
    CString::new(text)
        .unwrap_or_else(|_| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default())
}

/// Gives `value` to the caller, who frees it with `psc_string_free`.
///
/// # Safety
/// `out` is valid for writing.
pub(super) unsafe fn give(out: *mut *mut c_char, value: &Value) {
    // SAFETY: the caller's promise.
    unsafe { *out = owned(&value.to_string()).into_raw() };
}

/// Sets `out` to NULL, so that it is set on every path.
///
/// # Safety
/// `out` is NULL or valid for writing.
pub(super) unsafe fn clear<T>(out: *mut *mut T) {
    if !out.is_null() {
        // SAFETY: the caller's promise.
        unsafe { *out = ptr::null_mut() };
    }
}

/// Frees a string that psc returned through a `char **`.
///
/// `string`: NULL does nothing. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_string_free(string: *mut c_char) {
    guard::value((), || {
        if !string.is_null() {
            // SAFETY: the header asks for a string of psc's, freed once.
            drop(unsafe { CString::from_raw(string) });
        }
    });
}
