//! `psc_last_error`.

use super::guard;
use super::handle::psc_checker;
use std::ffi::{CStr, c_char};

const NO_ERROR: &CStr = c"no error";
const NO_HANDLE: &CStr = c"no handle was given";

/// Says why the calling thread's last call on this handle failed. For a configuration it names every problem.
///
/// Returns a string, never NULL: "no error" when that call did not fail, a fixed sentence when `checker` is NULL. It is
/// valid until the same thread's next call on the handle. Threads: any, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_last_error(checker: *const psc_checker) -> *const c_char {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    let Some(checker) = (unsafe { psc_checker::share(checker) }) else {
        return NO_HANDLE.as_ptr();
    };
    guard::value(NO_ERROR.as_ptr(), || match checker.last_error() {
        Ok(text) => text.unwrap_or(NO_ERROR.as_ptr()),
        Err(_) => guard::FORKED.as_ptr(),
    })
}
