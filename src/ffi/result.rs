//! The result of a check, as C sees it.

use super::guard;
use super::strings::{clear, give, owned};
use crate::code::Code;
use crate::outcome::Outcome;
use std::ffi::{CString, c_char, c_int, c_longlong};
use std::ptr;

/// The result of one check. Immutable, so several threads may read it. One that psc_run_once or psc_verify gave is freed with
/// psc_result_free; one that a psc_result_fn is called with is psc's.
pub struct psc_result {
    outcome: Outcome,
    message: CString,
    version: Option<CString>,
    notice: Option<CString>,
}

impl psc_result {
    pub(super) fn new(outcome: Outcome) -> psc_result {
        psc_result {
            message: owned(&outcome.message),
            version: outcome.version.as_deref().map(owned),
            notice: outcome.notice.as_deref().map(owned),
            outcome,
        }
    }

    /// For the caller, who frees it with `psc_result_free`.
    pub(super) fn give(outcome: Outcome) -> *mut psc_result {
        Box::into_raw(Box::new(psc_result::new(outcome)))
    }
}

/// Reads a result, `otherwise` for NULL and after a panic.
///
/// # Safety
/// `result` is NULL or a result that was not freed.
unsafe fn read<T: Copy>(
    result: *const psc_result,
    otherwise: T,
    get: impl FnOnce(&psc_result) -> T,
) -> T {
    // SAFETY: the caller's promise.
    let result = unsafe { result.as_ref() };
    guard::value(otherwise, || result.map_or(otherwise, get))
}

/// What the check came to: the code that psc_run_once or psc_verify returned, or would have.
///
/// Returns that code; PSC_ERR_INVALID_ARGUMENT for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_code(result: *const psc_result) -> c_int {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, Code::InvalidArgument.number(), |result| {
            result.outcome.code.number()
        })
    }
}

/// The main line that the check logged. psc_verify logs nothing: for its result, the line that a check would log,
/// without the time of the next check.
///
/// Returns a string that is valid until the result is freed; NULL only for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_message(result: *const psc_result) -> *const c_char {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe { read(result, ptr::null(), |result| result.message.as_ptr()) }
}

/// The version that the server recommends.
///
/// Returns a string that is valid until the result is freed; NULL when there is no update, when the server named no
/// usable version, and for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_version(result: *const psc_result) -> *const c_char {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, ptr::null(), |result| {
            result
                .version
                .as_ref()
                .map_or(ptr::null(), |text| text.as_ptr())
        })
    }
}

/// The server's text for administrators, complete and unchanged: it may have several lines and unprintable characters.
/// Only a NUL is replaced, by U+FFFD.
///
/// Returns a string that is valid until the result is freed; NULL when there is no text, and for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_notice(result: *const psc_result) -> *const c_char {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, ptr::null(), |result| {
            result
                .notice
                .as_ref()
                .map_or(ptr::null(), |text| text.as_ptr())
        })
    }
}

/// When the next check is due, counted from the moment when the result was made.
///
/// Returns seconds; 0 when no check is planned, and for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_next_check(result: *const psc_result) -> c_longlong {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, 0, |result| {
            c_longlong::try_from(result.outcome.next_check).unwrap_or(c_longlong::MAX)
        })
    }
}

/// For how long this has been known. With it a psc_result_fn tells an update that is repeated from one that a check has
/// found just now.
///
/// Returns seconds since the answer came: 0 for the result of a check, and for NULL; for a known update that is repeated
/// usually more. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_age(result: *const psc_result) -> c_longlong {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, 0, |result| {
            c_longlong::try_from(result.outcome.age).unwrap_or(c_longlong::MAX)
        })
    }
}

/// The HTTP status of the answer.
///
/// Returns the status; 0 when there was no HTTP answer, for an update that is repeated, and for NULL. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_http_status(result: *const psc_result) -> c_int {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe { read(result, 0, |result| result.outcome.http_status) }
}

/// The whole result as JSON, including the list of advisories in the server's text.
///
/// `json`: receives a JSON object, to be freed with psc_string_free; docs/result.schema.json describes it.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT for NULL, PSC_ERR_SYSTEM (out of memory); `*json` is NULL then. Threads:
/// any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_json(
    result: *const psc_result,
    json: *mut *mut c_char,
) -> c_int {
    guard::value_made(Code::Internal.number(), Code::System.number(), || {
        // SAFETY: the header asks for NULL or a result that was not freed, and NULL or a place for a pointer.
        unsafe {
            clear(json);
            match result.as_ref() {
                Some(result) if !json.is_null() => {
                    give(json, &result.outcome.json);
                    Code::Ok.number()
                }
                _ => Code::InvalidArgument.number(),
            }
        }
    })
}

/// Frees a result and the strings that were borrowed from it.
///
/// `result`: NULL does nothing. Not one that a psc_result_fn was called with. Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_free(result: *mut psc_result) {
    guard::value((), || {
        if !result.is_null() {
            // SAFETY: the header asks for a result of psc's, freed once.
            drop(unsafe { Box::from_raw(result) });
        }
    });
}
