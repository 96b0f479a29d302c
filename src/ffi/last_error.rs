//! `psc_last_error`: a text per thread and handle, so that no other thread can pull it away from under its reader.

use super::checker::psc_checker;
use super::guard;
use crate::checker::Checker;
use crate::sync::{ThreadMark, lock};
use std::ffi::{CStr, CString, c_char};
use std::sync::MutexGuard;

const NO_ERROR: &CStr = c"no error";
const NO_HANDLE: &CStr = c"no handle was given";

type Texts<'a> = MutexGuard<'a, Vec<(ThreadMark, CString)>>;

/// Notes how this thread's call on `checker` went.
pub fn set(checker: &Checker, text: Option<&str>) {
    // Not cut: every problem of a configuration is named.
    let text = text.map(|text| CString::new(crate::text::printable(text)).unwrap_or_default());
    with(checker, |mut texts| {
        let thread = ThreadMark::of_this_thread();
        texts.retain(|(of, _)| *of != thread);
        texts.extend(text.map(|text| (thread, text)));
    });
}

/// Calls `body` with the texts; `None` in a child where they were locked when it was forked. They are the handle's, not the
/// thread's: a thread-local value with a destructor ends the process where there is no memory for it.
fn with<T>(checker: &Checker, body: impl FnOnce(Texts) -> T) -> Option<T> {
    if checker.is_forked() {
        return checker.errors.try_lock().ok().map(body);
    }
    // A child that is forked meanwhile by another thread finds the handle foreign.
    let _call = checker.enter();
    Some(body(lock(&checker.errors)))
}

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
    guard::value(NO_ERROR.as_ptr(), || {
        let thread = ThreadMark::of_this_thread();
        let text = with(&checker, |texts| {
            let own = texts.iter().find(|(of, _)| *of == thread);
            own.map(|(_, text)| text.as_ptr())
        });
        match text {
            Some(text) => text.unwrap_or(NO_ERROR.as_ptr()),
            None => guard::FORKED.as_ptr(),
        }
    })
}
