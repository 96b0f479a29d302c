//! What every C function does around its own few lines.

use super::handle::psc_checker;
use super::host_errors::HostErrors;
use crate::checker::Checker;
use crate::code::Code;
use crate::error::Error;
use crate::panic::{catch_fork_exit, catch_panic};
use crate::sys::errno;
use crate::sys::openssl::{self, Begun};
use crate::sys::reserve::Reserve;
use std::ffi::{CStr, c_int};
use std::sync::Arc;

/// Where a call works.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Anywhere,
    /// Inside this handle's log callback the call would wait for itself.
    OutsideCallback,
    /// As `OutsideCallback`, and there need be no memory.
    AtTheEnd,
}

/// Runs `body` on a handle. Its error, or the text of its panic, becomes `psc_last_error`.
///
/// # Safety
/// `checker` is NULL or a handle that was not freed, or that a running callback belongs to.
pub(super) unsafe fn call(
    checker: *const psc_checker,
    place: Place,
    body: impl FnOnce(&Arc<Checker>) -> Result<Code, Error>,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some(checker) = (unsafe { psc_checker::share(checker) }) else {
        return Code::InvalidArgument.number();
    };
    let reserve = Reserve::of_a_call();
    if reserve.is_none() && place != Place::AtTheEnd {
        checker.set_last_error(Some("out of memory"));
        return Code::System.number();
    }
    call_with(&checker, place, reserve, body)
}

/// The same with memory that was set aside before, in the place of what a call sets aside.
///
/// # Safety
/// As [`call`].
pub unsafe fn call_with_reserve(
    checker: *const psc_checker,
    reserve: Option<Reserve>,
    body: impl FnOnce(&Arc<Checker>) -> Result<Code, Error>,
) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { psc_checker::share(checker) } {
        Some(checker) => call_with(&checker, Place::Anywhere, reserve, body),
        None => Code::InvalidArgument.number(),
    }
}

fn call_with(
    checker: &Arc<Checker>,
    place: Place,
    reserve: Option<Reserve>,
    body: impl FnOnce(&Arc<Checker>) -> Result<Code, Error>,
) -> c_int {
    // Dropped last: what this call allocates may be of it.
    let reserve = reserve;
    if let Some(reserve) = &reserve {
        reserve.serve_this_thread();
    }
    errno::clear();
    let code = catch_fork_exit(|| {
        catch_panic(|| answer(checker, run(checker, place, body))).unwrap_or_else(|text| {
            let text = format!("a bug in psc was contained: {text}");
            // Nothing is left to tell when even that fails.
            let _ = catch_panic(|| checker.set_last_error(Some(&text)));
            Code::Internal
        })
    });
    // Forked in the host's callback, this is the child.
    let code = code.unwrap_or_else(|| {
        let _ = catch_panic(|| checker.set_last_error(Some(&forked())));
        Code::Forked
    });
    code.number()
}

/// The same for a body that may use OpenSSL: the errors that the host has queued survive, and none of psc's stays.
///
/// Not for all: in a forked process OpenSSL may wait for a lock of the other one's.
///
/// # Safety
/// As [`call`].
pub(super) unsafe fn call_on_openssl(
    checker: *const psc_checker,
    place: Place,
    body: impl FnOnce(&Arc<Checker>) -> Result<Code, Error>,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        call(checker, place, |checker| {
            match openssl::begin() {
                Begun::Yes => {}
                Begun::NotNow => return Err(Error::out_of_memory()),
                Begun::Never => return Err(Error::openssl_has_not_begun()),
            }
            let _host = HostErrors::set_aside();
            body(checker)
        })
    }
}

pub(super) const FORKED: &CStr = c"the handle was started, or a call on it was under way, in another process, before a fork; only psc_free works on it here";

fn forked() -> String {
    FORKED.to_string_lossy().into_owned()
}

fn answer(checker: &Arc<Checker>, outcome: Result<Code, Error>) -> Code {
    let (code, text) = match outcome {
        Ok(code) => (code, None),
        Err(error) => (error.code, Some(error.to_string())),
    };
    checker.set_last_error(text.as_deref());
    code
}

fn run(
    checker: &Arc<Checker>,
    place: Place,
    body: impl FnOnce(&Arc<Checker>) -> Result<Code, Error>,
) -> Result<Code, Error> {
    if checker.is_forked() {
        return Err(Error::new(Code::Forked, forked(), ""));
    }
    // Before the first lock: a child that is forked meanwhile by another thread finds the handle foreign.
    let call = checker.enter();
    if place != Place::Anywhere && checker.logger().in_callback() {
        return Err(Error::new(
            Code::Reentrant,
            "this call does not work inside the handle's own log callback".to_owned(),
            "",
        ));
    }
    let outcome = body(checker);
    drop(call);
    checker.finish_call();
    outcome
}

/// Runs `body`; `otherwise` when it panics.
pub(super) fn value<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    catch_panic(body).unwrap_or(otherwise)
}

/// As [`value`], with memory for what the body makes; `without` when there is none.
pub(super) fn value_made<T>(otherwise: T, without: T, body: impl FnOnce() -> T) -> T {
    let Some(reserve) = Reserve::of_a_call() else {
        return without;
    };
    reserve.serve_this_thread();
    value(otherwise, body)
}

#[cfg(test)]
mod tests {
    use super::super::last_error;
    use super::*;
    use crate::ffi::checker::{psc_free, psc_init};

    #[test]
    #[allow(clippy::panic)]
    fn a_panic_becomes_a_code_and_a_text() {
        // SAFETY: the handle is freed once, after its last use.
        unsafe {
            let checker = psc_init(None, std::ptr::null_mut());
            let code = call(checker, Place::Anywhere, |_| panic!("deliberate"));
            assert_eq!(code, Code::Internal.number());
            let text = std::ffi::CStr::from_ptr(last_error::psc_last_error(checker));
            assert!(text.to_string_lossy().contains("deliberate"));
            psc_free(checker);
        }
        assert_eq!(value(7, || panic!("deliberate")), 7);
    }
}
