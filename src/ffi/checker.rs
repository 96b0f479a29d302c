//! What a host does with a handle: init, configure, check, start, stop, free.

use super::guard::{self, Place};
use super::handle::psc_checker;
use super::log::{psc_log_fn, sink};
use super::result::psc_result;
use super::strings::{clear, utf8};
use crate::check::transport::MAX_BODY;
use crate::checker::lifecycle::Disposal;
use crate::code::Code;
use crate::error::Error;
use crate::outcome::Outcome;
use crate::panic::catch_panic;
use crate::sys::reserve::Reserve;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

/// Makes a handle. Starts no thread, keeps no file open and sends nothing.
///
/// `log`: receives the log lines; may be NULL. `user_data`: passed to `log`, otherwise not used. Both must stay valid
/// until psc_free has returned.
///
/// Returns the handle, to be freed with psc_free; NULL only when resources run out. Threads: any. The handle may be
/// inherited through a fork until psc_start, except while another thread is in a call on it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_init(log: psc_log_fn, user_data: *mut c_void) -> *mut psc_checker {
    guard::value_made(ptr::null_mut(), ptr::null_mut(), || {
        let Some(reserve) = Reserve::of_a_handle() else {
            return ptr::null_mut();
        };
        psc_checker::give(sink(log, user_data), reserve)
    })
}

/// Merges the keys of a JSON object into the configuration; null restores a key's default. When anything is wrong
/// nothing is applied. The files that it names are read before it returns, so that the host may then drop privileges,
/// enter a chroot and fork; files that earlier calls named are not read again. A running thread uses the new
/// configuration at once.
///
/// It does what psc_prepare without flags and psc_commit do; calls in several threads at once merge into each other, in
/// some order.
///
/// What can change by itself is no error: a default file that is missing, an expired client certificate, a system
/// without certificate authorities, an OpenSSL that does not work. It is logged as one warning, and checks fail until
/// it is repaired.
///
/// `json`: UTF-8, NUL-terminated, copied. docs/configuration.md lists the keys.
///
/// Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_last_error and psc_config_errors name
/// each wrong key), or PSC_ERR_FILE (a file that a key names cannot be used). Threads: any, also inside the log callback.
/// It reads the environment, which no other thread may change meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_configure(checker: *mut psc_checker, json: *const c_char) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a string.
    unsafe {
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            checker.forget_config_errors();
            checker.configure(utf8(json, "json")?.as_bytes())?;
            Ok(Code::Ok)
        })
    }
}

/// Makes one check in the calling thread, whatever the schedule says, and logs the result. Blocks for at most the
/// configured timeout. In the calling thread it blocks SIGPIPE and SIGXFSZ, and every other signal while libcurl works,
/// so that no thread started by libcurl takes one; while psc waits, the host's signal handlers run as usual.
///
/// `result`: receives the complete result, also of a failed check, to be freed with psc_result_free; NULL when no check
/// was made. May be NULL itself.
///
/// Returns PSC_OK (no update), PSC_UPDATE_AVAILABLE, PSC_DISABLED, or why the check failed: PSC_ERR_CANCELLED,
/// PSC_ERR_FILE, PSC_ERR_NETWORK, PSC_ERR_TLS, PSC_ERR_HTTP, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE,
/// PSC_ERR_SYSTEM, PSC_ERR_INTERNAL. When no check was made: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured,
/// or another check of this handle is under way), PSC_ERR_REENTRANT, PSC_ERR_FORKED. Threads: any, but not inside the
/// log callback. Needs 32 KiB of stack, plus thread-local storage, plus what the log callback needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_run_once(
    checker: *mut psc_checker,
    result: *mut *mut psc_result,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe {
        clear(result);
        guard::call_on_openssl(checker, Place::OutsideCallback, |checker| {
            let outcome = checker.run_once().map_err(Error::or_out_of_memory)?;
            deliver(outcome, result)
        })
    }
}

/// Verifies an answer that was carried by other means, for machines without a connection. The rules and the result are
/// those of a check. Sends, logs and remembers nothing; works while checks are disabled.
///
/// `response`: the body of the HTTP answer, `length` bytes, not kept. `nonce`: that of the request. The request must be
/// the one that this configuration makes with that nonce, which is the `body` of psc_preview_request, without a
/// license. `result`: as for psc_run_once.
///
/// Returns what the answer says: PSC_OK, PSC_UPDATE_AVAILABLE, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE; or
/// PSC_ERR_FILE, PSC_ERR_SYSTEM (the keys or OpenSSL cannot be used), PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not
/// configured), PSC_ERR_FORKED. Threads: any, also inside the log callback. Needs as much stack as psc_run_once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_verify(
    checker: *mut psc_checker,
    response: *const c_char,
    length: usize,
    nonce: *const c_char,
    result: *mut *mut psc_result,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, NULL or `length` bytes, NULL or a string, and NULL or
    // a place for a pointer.
    unsafe {
        clear(result);
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            if response.is_null() || length > isize::MAX.unsigned_abs() {
                return Err(Error::invalid_argument(
                    "response is NULL, or its length impossible",
                ));
            }
            // One byte more than allowed is enough to see that it is too large.
            let length = length.min(MAX_BODY.saturating_add(1));
            let response = std::slice::from_raw_parts(response.cast::<u8>(), length);
            let nonce = utf8(nonce, "nonce")?;
            let outcome = checker
                .verify(response, nonce)
                .map_err(Error::or_out_of_memory)?;
            deliver(outcome, result)
        })
    }
}

/// # Safety
/// `result` is NULL or a place for a pointer.
unsafe fn deliver(outcome: Outcome, result: *mut *mut psc_result) -> Result<Code, Error> {
    let (code, text) = (outcome.code, outcome.message.clone());
    if !result.is_null() {
        // SAFETY: the caller's promise.
        unsafe { *result = psc_result::give(outcome) };
    }
    if code.number() < 0 {
        return Err(Error::new(code, text, ""));
    }
    Ok(code)
}

/// Starts the background thread. It makes the first check after start_delay and start_jitter, and then follows the
/// schedule. With a state_dir it first finds out whether another process already makes the checks of this host, and
/// when the next one is due. While checks are disabled the thread does nothing.
///
/// Call it after the last fork, in the process that is to make the checks.
///
/// Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, or already started), PSC_ERR_REENTRANT,
/// PSC_ERR_FORKED, PSC_ERR_SYSTEM (no thread or descriptors). Threads: any, but not inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_start(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::OutsideCallback, |checker| {
            checker.start().map_err(Error::or_out_of_memory)?;
            Ok(Code::Ok)
        })
    }
}

/// Makes the checks of the schedule in the calling thread, as psc_start does in one of psc's, until a stop is requested: for
/// hosts that name, register and trace their threads. Blocks until then; call psc_log_fd, psc_on_result and, after the last
/// fork, psc_run itself as for psc_start.
///
/// psc_request_stop, psc_stop and psc_free in another thread, or psc_request_stop in a signal handler, end it within a second,
/// also in the middle of a check. A psc_request_stop that was called before psc_run counts, too, unless psc_stop has returned
/// or the schedule has run since: a host that ends its thread by psc_request_stop and joins it cannot come too early. psc_stop
/// ends only what has begun.
///
/// Signals: while there is nothing to do the host's handlers run as usual; during a check as in psc_run_once. The thread keeps
/// its name and its signal mask.
///
/// Returns PSC_OK after a stop. Otherwise as psc_start, when the schedule has not begun: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE
/// (not configured, or the schedule is running already, by psc_start or psc_run), PSC_ERR_REENTRANT, PSC_ERR_FORKED (also in a
/// child that returns from a callback in which it was forked), PSC_ERR_SYSTEM (no descriptors or memory). PSC_ERR_INTERNAL: a
/// bug in psc has ended it, which is logged. Threads: any, but not inside the callbacks. Needs as much stack as psc_run_once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_run(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call_on_openssl(checker, Place::OutsideCallback, |checker| {
            checker.run()?;
            Ok(Code::Ok)
        })
    }
}

/// Cancels a check that is under way, ends the schedule, and waits for both: some milliseconds, at most a second. The
/// callbacks are not called any more after it has returned. A thread that is in psc_run leaves it at the same moment; join
/// that thread before a fork. psc_stop may be called again, and the handle may be started again.
///
/// Returns PSC_OK, also when nothing was running; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_REENTRANT, PSC_ERR_FORKED.
/// PSC_ERR_TIMEOUT: it gave up, because the host's own callback has not returned, a libcurl older than 7.87 hangs in a
/// name look-up, or state_dir does not answer. The thread then ends later, without further calls of the callback; until
/// it has, do not unload psc, and keep `user_data` valid. Call psc_stop again to wait again. Threads: any, but not
/// inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_stop(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::AtTheEnd, |checker| {
            checker.stop().map_err(Error::or_out_of_memory)?;
            Ok(Code::Ok)
        })
    }
}

/// Asks the schedule and a check that is under way to end, without waiting. psc_stop or psc_free still has to follow.
///
/// `checker`: NULL does nothing. Preserves `errno`.
///
/// Threads: any, also inside the log callback and in signal handlers (it is async-signal-safe), as long as the handle
/// is not being freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_request_stop(checker: *mut psc_checker) {
    // Not in `guard`: in a signal handler a panic could not be contained, its text takes memory. There is none: the body is
    // atomics and system calls, nothing that allocates, indexes, divides or unwraps.
    // SAFETY: the header asks for NULL or a handle that was not freed.
    if let Some(checker) = unsafe { psc_checker::borrow(checker) } {
        checker.request_stop();
    }
}

/// Does what psc_stop does, then frees the handle. No other call on the handle may follow.
///
/// `checker`: NULL does nothing.
///
/// A log callback that is running may use the handle until it returns, but must not call psc_free then: psc_free waits
/// for it, at most a second. If it takes longer, the memory is freed when it returns.
///
/// Inside the handle's own log callback psc_free does not wait: there are no further calls of the callback, and the
/// thread and the memory go when the callback has returned; if it was called from psc_run_once or psc_log_drain, before
/// these return.
///
/// In a process that was forked after psc_init it closes psc's descriptors. It does not wait there for locks that
/// threads of the parent may have held, and does not give back the handle's memory.
///
/// Threads: any, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_free(checker: *mut psc_checker) {
    let _ = catch_panic(move || {
        // SAFETY: the header asks for NULL or a handle of psc's, freed once.
        let Some(own) = (unsafe { psc_checker::share(checker) }) else {
            return;
        };
        match own.close() {
            // SAFETY: as above; the host's share, which nobody uses from here on.
            Disposal::Release => unsafe { psc_checker::release(checker) },
            // SAFETY: as above.
            Disposal::Leak => unsafe { psc_checker::leak(checker) },
            Disposal::Decided => {}
        }
    });
}
