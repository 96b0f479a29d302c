//! The life of a handle: init, configure, check, start, stop, free.

use super::guard::{self, Place, Refusal};
use super::log::{psc_log_fn, sink};
use super::result::psc_result;
use super::strings::{clear, utf8};
use crate::check::transport::MAX_BODY;
use crate::checker::{Checker, Remains};
use crate::code::Code;
use crate::log::Sink;
use crate::panic::catch_panic;
use crate::sys::reserve::Reserve;
use std::ffi::{c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A handle: one configuration, one log callback, at most one thread. Handles are independent of each other.
pub struct psc_checker {
    /// The host's share, which psc_free gives up; each call and the thread have their own. The handle itself goes with the
    /// last of them, so a callback may use it while, and after, another thread is in psc_free.
    checker: ManuallyDrop<Arc<Checker>>,
    /// Of those that stay for ever: the one before.
    earlier: AtomicPtr<psc_checker>,
}

/// Handles of another process that were freed in this one: their memory stays, and a leak checker finds that it was meant to.
static LEFT: AtomicPtr<psc_checker> = AtomicPtr::new(ptr::null_mut());

impl psc_checker {
    fn give(sink: Option<Sink>, reserve: Reserve) -> *mut psc_checker {
        let mut checker = Checker::new(sink);
        checker.reserve = Some(reserve);
        let checker = Arc::new(checker);
        let handle = Box::into_raw(Box::new(psc_checker {
            checker: ManuallyDrop::new(Arc::clone(&checker)),
            earlier: AtomicPtr::new(ptr::null_mut()),
        }));
        // Nobody else has it, so there was none.
        let _ = checker.handle.set(Box::new(Owned(handle)));
        handle
    }

    /// A share of the handle's own, as long as a call is in it.
    ///
    /// # Safety
    /// NULL, or a handle that was not freed, or that a running callback belongs to.
    pub(super) unsafe fn share(handle: *const psc_checker) -> Option<Arc<Checker>> {
        // SAFETY: the caller's promise; the thread of a running callback has a share, so the handle lives.
        let handle = unsafe { handle.as_ref() }?;
        Some(Arc::clone(&handle.checker))
    }

    /// Leaves it where it is, without a lock or an allocation.
    fn leave(&self, handle: *mut psc_checker) {
        let mut before = LEFT.load(Ordering::SeqCst);
        loop {
            self.earlier.store(before, Ordering::SeqCst);
            match LEFT.compare_exchange(before, handle, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => return,
                Err(now) => before = now,
            }
        }
    }
}

/// What C has a pointer to; it goes with the `Checker`.
struct Owned(*mut psc_checker);

// SAFETY: all that is done with it is to free it, once nobody uses it any more.
unsafe impl Send for Owned {}
// SAFETY: as above.
unsafe impl Sync for Owned {}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: made by `give`; the last share is gone.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

/// Makes a handle. Starts no thread, opens no file that stays open, sends nothing.
///
/// `log` receives the log lines and may be NULL; `user_data` is passed to it and not looked at. Both must stay valid
/// until psc_free has returned.
///
/// Returns the handle, to be freed with psc_free; NULL only when out of resources. Any thread. The handle may cross a fork
/// until psc_start, except while another thread is in a call on it: the child's copy gives PSC_ERR_FORKED then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_init(log: psc_log_fn, user_data: *mut c_void) -> *mut psc_checker {
    guard::value_made(ptr::null_mut(), ptr::null_mut(), || {
        let Some(reserve) = Reserve::of_a_handle() else {
            return ptr::null_mut();
        };
        psc_checker::give(sink(log, user_data), reserve)
    })
}

/// Merges the keys of a JSON object into the configuration; null puts a key back to its default. All or nothing. Files
/// that it names are read before the call returns, so that privileges may be dropped, a chroot entered and a fork made
/// afterwards; files that other calls named are not read again. A running thread takes the new configuration at once.
///
/// What time or environment changes is no reason to refuse it (a default file that is missing, an expired client certificate,
/// a system without certificate authorities, an OpenSSL that does not work): that is one warning in the log, from this call, and
/// each check fails until it is cured.
///
/// `json` is copied: UTF-8, NUL-terminated. docs/configuration.md lists the keys.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_last_error names every wrong key) or
/// PSC_ERR_FILE (a file that a key names will not do); nothing was applied then. Any thread, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_configure(checker: *mut psc_checker, json: *const c_char) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a string.
    unsafe {
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            checker.configure(utf8(json, "json")?.as_bytes())?;
            Ok(Code::Ok)
        })
    }
}

/// Makes one check in the calling thread, whatever the schedule says, and logs what it came to. Blocks for at most the
/// configured timeout. In the calling thread SIGPIPE and SIGXFSZ are blocked meanwhile, and every signal while libcurl works,
/// so that no thread of its own takes one; while psc waits, the host's handlers run as ever.
///
/// Needs 32 KiB of the calling thread's stack, thread-local storage and what the log callback takes not counted.
///
/// `result` may be NULL. It is set to a complete result, to be freed with psc_result_free, also for failures; to NULL when
/// no check was made.
///
/// Returns PSC_OK (no update), PSC_UPDATE_AVAILABLE, PSC_DISABLED, or why the check failed: PSC_ERR_CANCELLED, PSC_ERR_FILE,
/// PSC_ERR_NETWORK, PSC_ERR_TLS, PSC_ERR_HTTP, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_NONCE, PSC_ERR_SYSTEM,
/// PSC_ERR_INTERNAL. No check was made: PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, or a check of this handle is
/// in flight), PSC_ERR_REENTRANT, PSC_ERR_FORKED. Any thread, not inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_run_once(
    checker: *mut psc_checker,
    result: *mut *mut psc_result,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe {
        clear(result);
        guard::call_on_openssl(checker, Place::OutsideCallback, |checker| {
            let outcome = checker.run_once()?;
            deliver(outcome, result)
        })
    }
}

/// The verdict on an answer that came some other way, for machines without a connection: same rules, same result.
///
/// `response`: the body of the answer, `length` bytes, not kept. `nonce`: of the request that it answers. The request is
/// taken to be the one that this configuration makes with that nonce (psc_preview_request's `body`), without a license.
/// `result` and the stack as with psc_run_once. Nothing is sent, logged or remembered.
///
/// Returns as psc_run_once does, of the answer's content: PSC_OK, PSC_UPDATE_AVAILABLE, PSC_ERR_RESPONSE,
/// PSC_ERR_SIGNATURE, PSC_ERR_NONCE; or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured), PSC_ERR_FORKED. Works
/// while checks are disabled. Any thread, also inside the log callback.
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
                return Err(Refusal::invalid(
                    "response is NULL, or its length impossible",
                ));
            }
            // One byte more than allowed is enough to see that it is too large.
            let length = length.min(MAX_BODY.saturating_add(1));
            let response = std::slice::from_raw_parts(response.cast::<u8>(), length);
            let outcome = checker.verify(response, utf8(nonce, "nonce")?)?;
            deliver(outcome, result)
        })
    }
}

/// # Safety
/// `result` is NULL or a place for a pointer.
unsafe fn deliver(
    outcome: crate::outcome::Outcome,
    result: *mut *mut psc_result,
) -> Result<Code, Refusal> {
    let (code, text) = (outcome.code, outcome.message.clone());
    if !result.is_null() {
        // SAFETY: the caller's promise.
        unsafe { *result = psc_result::give(outcome) };
    }
    if code.number() < 0 {
        return Err(Refusal { code, text });
    }
    Ok(code)
}

/// Starts the background thread: the first check after start_delay and start_jitter, then by the schedule. With state_dir
/// it first looks whether another process makes this host's checks, and when the next is due. While checking is disabled
/// the thread does nothing.
///
/// Call it in the process that is to make the checks, after the last fork.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (not configured, already started), PSC_ERR_REENTRANT,
/// PSC_ERR_FORKED, PSC_ERR_SYSTEM (no thread, no descriptors). Any thread, not inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_start(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::OutsideCallback, |checker| {
            checker.start()?;
            Ok(Code::Ok)
        })
    }
}

/// Ends the thread and a check in flight, and waits for them: some milliseconds, at most a second. No callback comes after
/// it has returned. Idempotent; the handle can be started again.
///
/// Returns PSC_OK, also when nothing ran; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_REENTRANT, PSC_ERR_FORKED; PSC_ERR_TIMEOUT when
/// the host's own callback, a libcurl older than 7.87 that hangs in a name look-up, or a state_dir that does not answer, did
/// not return in time. No new callback comes then either, but the thread lives on until that returns: do not unload psc, and
/// what `user_data` points to may still be in use. Call it again to wait again. Any thread, not inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_stop(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::AtTheEnd, |checker| {
            checker.stop()?;
            Ok(Code::Ok)
        })
    }
}

/// The wish to stop, without waiting: the thread and a check in flight end soon. psc_stop or psc_free still has to follow.
///
/// Async-signal-safe, `errno` is preserved. NULL is a no-op. Any thread, also inside the log callback and in signal
/// handlers, as long as the handle is not being freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_request_stop(checker: *mut psc_checker) {
    // Not in `guard`: in a signal handler a panic could not be contained, its text takes memory. There is none: the body is
    // atomics and system calls, nothing that allocates, indexes, divides or unwraps.
    // SAFETY: the header asks for NULL or a handle that was not freed.
    if let Some(handle) = unsafe { checker.as_ref() } {
        handle.checker.cancel.stop();
    }
}

/// psc_stop, then releases the handle: its last call. NULL is a no-op.
///
/// A callback of the handle that is running may go on using it until it returns: psc_free waits for that, at most a second,
/// and after that the memory stays for the callback and goes when it returns. Only psc_free may no longer be called then.
///
/// Inside the handle's own log callback it cannot wait: it ends the handle, no further callback comes, and thread and
/// memory go when the callback has returned; where it was called from psc_run_once or psc_log_drain, before those return.
///
/// In a process that was forked after psc_init it closes what is psc's and gives up the handle's memory without giving it
/// back; it waits for no lock of another process's threads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_free(checker: *mut psc_checker) {
    let _ = catch_panic(move || {
        // SAFETY: the header asks for NULL or a handle of psc's, freed once.
        let Some(own) = (unsafe { psc_checker::share(checker) }) else {
            return;
        };
        match own.end() {
            // SAFETY: as above; the host's share, which nobody uses from here on.
            Remains::Goes => unsafe { ManuallyDrop::drop(&mut (*checker).checker) },
            // SAFETY: as above.
            Remains::Stays => unsafe { (*checker).leave(checker) },
            Remains::Decided => {}
        }
    });
}
