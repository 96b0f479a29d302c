//! `psc_last_error`: a text per thread and handle, so that no other thread can pull it away from under its reader.

use super::checker::psc_checker;
use super::guard;
use crate::checker::Checker;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, Weak};

const NO_ERROR: &CStr = c"no error";
const NO_HANDLE: &CStr = c"no handle was given";

struct Entry {
    checker: Weak<Checker>,
    text: CString,
}

thread_local! {
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Notes how this thread's call on `checker` went; entries of handles that are gone are dropped.
pub fn set(checker: &Arc<Checker>, text: Option<&str>) {
    let entry = text.map(|text| Entry {
        checker: Arc::downgrade(checker),
        // Not cut: every problem of a configuration is named.
        text: CString::new(crate::text::printable(text)).unwrap_or_default(),
    });
    // A thread that is ending has no texts any more.
    let _ = ENTRIES.try_with(|entries| {
        let mut entries = entries.borrow_mut();
        entries.retain(|entry| entry.checker.strong_count() > 0 && !is_of(entry, checker));
        entries.extend(entry);
    });
}

fn is_of(entry: &Entry, checker: &Arc<Checker>) -> bool {
    std::ptr::eq(entry.checker.as_ptr(), Arc::as_ptr(checker))
}

/// Why this thread's last call on `checker` failed, in words, with every problem of a configuration; "no error" when
/// it did not fail.
///
/// Returns a string that is never NULL and stays valid until this thread's next call on the handle. For a NULL
/// handle: a static sentence. Any thread, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_last_error(checker: *const psc_checker) -> *const c_char {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    let Some(checker) = (unsafe { psc_checker::share(checker) }) else {
        return NO_HANDLE.as_ptr();
    };
    guard::value(NO_ERROR.as_ptr(), || {
        let text = ENTRIES.try_with(|entries| {
            let entries = entries.borrow();
            let entry = entries.iter().find(|entry| is_of(entry, &checker));
            entry.map_or(NO_ERROR.as_ptr(), |entry| entry.text.as_ptr())
        });
        text.unwrap_or(NO_ERROR.as_ptr())
    })
}
