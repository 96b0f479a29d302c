//! The result of a check, as C sees it.

use super::guard;
use super::strings::{clear, give, owned};
use crate::code::Code;
use crate::outcome::Outcome;
use std::ffi::{CString, c_char, c_int, c_longlong};
use std::ptr;

/// What one check came to. Immutable, so it may be read from several threads; freed with psc_result_free.
pub struct psc_result {
    outcome: Outcome,
    message: CString,
    version: Option<CString>,
    notice: Option<CString>,
}

impl psc_result {
    /// For the caller, who frees it with `psc_result_free`.
    pub fn give(outcome: Outcome) -> *mut psc_result {
        let verdict = outcome.verdict.as_ref();
        Box::into_raw(Box::new(psc_result {
            message: owned(&outcome.message),
            version: verdict
                .and_then(|verdict| verdict.recommended_version())
                .map(owned),
            notice: verdict.and_then(|verdict| verdict.notice()).map(owned),
            outcome,
        }))
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

/// What psc_run_once (or psc_verify) returned with it. PSC_ERR_INVALID_ARGUMENT for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_code(result: *const psc_result) -> c_int {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, Code::InvalidArgument.number(), |result| {
            result.outcome.code.number()
        })
    }
}

/// The main line that was logged; of psc_verify, which logs nothing, the line that would be, without a time. Borrowed
/// from the result; NULL only for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_message(result: *const psc_result) -> *const c_char {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe { read(result, ptr::null(), |result| result.message.as_ptr()) }
}

/// The recommended version. Borrowed from the result; NULL unless there is an update, and for NULL.
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

/// The server's own text in full, authentic but as it came: several lines, perhaps unprintable characters (a NUL shows as
/// U+FFFD).
/// Borrowed from the result; NULL if there is none, and for NULL.
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

/// Seconds until the next check is due, from when the result was made; 0 when none is planned, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_next_check(result: *const psc_result) -> c_longlong {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe {
        read(result, 0, |result| {
            c_longlong::try_from(result.outcome.next_check).unwrap_or(c_longlong::MAX)
        })
    }
}

/// The HTTP status of the answer; 0 when there was no HTTP answer, and for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_http_status(result: *const psc_result) -> c_int {
    // SAFETY: the header asks for NULL or a result that was not freed.
    unsafe { read(result, 0, |result| result.outcome.http_status) }
}

/// The whole result as one JSON object in `*json`, to be freed with psc_string_free; docs/result.schema.json describes
/// it. It includes the advisories that the server's text lists.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT for NULL, PSC_ERR_SYSTEM (out of memory); `*json` is NULL then. Any thread.
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
                    give(json, &result.outcome.to_json());
                    Code::Ok.number()
                }
                _ => Code::InvalidArgument.number(),
            }
        }
    })
}

/// Frees a result and the strings borrowed from it. NULL is a no-op. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_result_free(result: *mut psc_result) {
    guard::value((), || {
        if !result.is_null() {
            // SAFETY: the header asks for a result of psc's, freed once.
            drop(unsafe { Box::from_raw(result) });
        }
    });
}
