//! Functions that tell something as JSON.

use super::checker::psc_checker;
use super::guard::{self, Place, Refusal};
use super::strings::{clear, give};
use crate::checker::Checker;
use crate::code::Code;
use serde_json::Value;
use std::ffi::{c_char, c_int};

/// # Safety
/// `checker` is NULL or a handle that was not freed; `json` is NULL or a place for a pointer.
unsafe fn tell(
    checker: *const psc_checker,
    json: *mut *mut c_char,
    view: impl FnOnce(&Checker) -> Result<Value, Refusal>,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        clear(json);
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            if json.is_null() {
                return Err(Refusal::invalid("json is NULL"));
            }
            give(json, &view(checker)?);
            Ok(Code::Ok)
        })
    }
}

/// What a check would send and where, as a JSON object in `*json`, to be freed with psc_string_free. Sends nothing. The
/// nonce is a fresh one; proxy credentials are masked, license data shows as "encrypted, N bytes". Works while checks are
/// disabled, for answers that are to be verified with psc_verify; the member `disabled` is true then.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_STATE (not configured), PSC_ERR_SYSTEM;
/// `*json` is NULL then. Any thread, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_preview_request(
    checker: *mut psc_checker,
    json: *mut *mut c_char,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, |checker| Ok(checker.preview()?)) }
}

/// The effective configuration, defaults included, as a JSON object in `*json`, to be freed with psc_string_free. Proxy
/// credentials are masked. Beside the keys: `trust_store`, `server_public_keys` (fingerprints).
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Any thread, also inside the log
/// callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_inspect_config(
    checker: *mut psc_checker,
    json: *mut *mut c_char,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, |checker| Ok(checker.config().inspect())) }
}

/// Whether the thread runs, what is known and how old that is, as a JSON object in `*json`, to be freed with
/// psc_string_free; docs/status.md describes it. With state_dir the verdict is the host's, whichever process asks.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. Reads one small file when there is a
/// state_dir, no network. Any thread, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_status(checker: *mut psc_checker, json: *mut *mut c_char) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, |checker| Ok(crate::status::of(checker))) }
}
