//! Functions that tell something as JSON.

use super::guard::{self, Place};
use super::handle::psc_checker;
use super::strings::{clear, give};
use crate::checker::Checker;
use crate::code::Code;
use crate::error::Error;
use serde_json::Value;
use std::ffi::{c_char, c_int};

/// # Safety
/// `checker` is NULL or a handle that was not freed; `json` is NULL or a place for a pointer.
pub(super) unsafe fn tell(
    checker: *const psc_checker,
    json: *mut *mut c_char,
    view: impl FnOnce(&Checker) -> Result<Value, Error>,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        clear(json);
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            if json.is_null() {
                return Err(Error::invalid_argument("json is NULL"));
            }
            give(json, &view(checker).map_err(Error::or_out_of_memory)?);
            Ok(Code::Ok)
        })
    }
}

/// Shows what a check would send, and where, without sending anything. Works while checks are disabled; `disabled` is
/// true then.
///
/// `json`: receives a JSON object, to be freed with psc_string_free; docs/status.md describes it. It has a fresh nonce.
/// Proxy credentials are masked, and license data is shown as "encrypted, N bytes".
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_STATE (not configured), PSC_ERR_SYSTEM; `*json`
/// is NULL then. Threads: any, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_preview_request(
    checker: *mut psc_checker,
    json: *mut *mut c_char,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, Checker::preview) }
}

/// Shows the configuration that is in effect, including defaults.
///
/// `json`: receives a JSON object, to be freed with psc_string_free: the keys of docs/configuration.md, and
/// `trust_store` (the path) and `server_public_keys` (fingerprints). Proxy credentials are masked.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Threads: any, also inside the log
/// callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_inspect_config(
    checker: *mut psc_checker,
    json: *mut *mut c_char,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, |checker| Ok(checker.config().inspect())) }
}

/// Shows whether the thread is running, what is known about updates, and how old that is. With a state_dir the answer
/// is the same in every process that shares it. Reads one small file then; never uses the network.
///
/// `json`: receives a JSON object, to be freed with psc_string_free; docs/status.md describes it.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Threads: any, also inside the log
/// callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_status(checker: *mut psc_checker, json: *mut *mut c_char) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe {
        tell(checker, json, |checker| {
            Ok(crate::checker::status::of(checker))
        })
    }
}
