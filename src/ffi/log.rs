//! The host's log callback, and its descriptor for event loops.

use super::guard::{self, Place};
use super::handle::psc_checker;
use crate::code::Code;
use crate::error::Error;
use crate::log::Sink;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Receives the log, line by line. docs/contract.md, The log callback, has all the rules for it.
///
/// `user_data`: as given to psc_init. `level`: 0 critical, 1 error, 2 warning, 3 notice, 4 info, 5 to 7 debug.
/// `message`: one line of printable UTF-8, without a newline, NUL-terminated, at most 1900 bytes, valid during the call
/// only. It is data, not a format: print it with "%s".
///
/// It must return, and not by longjmp or an exception. Inside it psc_run_once, psc_start, psc_run, psc_stop, psc_on_result
/// and psc_log_drain on the same handle return PSC_ERR_REENTRANT. A child that is forked inside it should exec or _exit; one that returns
/// from it leaves psc: the call in which it was made returns PSC_ERR_FORKED, and in psc's own thread the child process
/// ends, without atexit handlers.
///
/// Threads: called from psc's thread, or from a thread that is in a call of psc; after psc_log_fd only from
/// psc_log_drain. Never two calls at once for one handle; psc holds no lock meanwhile. None after psc_stop or psc_free
/// has returned, except for what later calls of the host log.
pub type psc_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: c_int, message: *const c_char)>;

struct HostLog {
    function: unsafe extern "C" fn(*mut c_void, c_int, *const c_char),
    user_data: *mut c_void,
}

// SAFETY: the header tells hosts that the callback is called from other threads with `user_data`, one call at a time.
unsafe impl Send for HostLog {}
// SAFETY: as above.
unsafe impl Sync for HostLog {}

impl HostLog {
    fn log(&self, level: i32, message: &CStr) {
        // SAFETY: the host's function, as the host gave it to psc_init; the message lives through the call.
        unsafe { (self.function)(self.user_data, level, message.as_ptr()) };
    }
}

pub(super) fn sink(function: psc_log_fn, user_data: *mut c_void) -> Option<Sink> {
    let host = HostLog {
        function: function?,
        user_data,
    };
    Some(Box::new(move |level, message| host.log(level, message)))
}

/// For event loops: makes psc queue its log lines instead of calling the callback at once. Wait until the returned
/// descriptor is readable, then call psc_log_drain. At most 512 lines are queued; when there are more, the least
/// important are dropped first, and a line says how many. Results for psc_on_result wait in their place among the lines; of
/// more than 16 the oldest are dropped.
///
/// Call it in the process that will drain; a child process gets a descriptor of its own.
///
/// Returns the descriptor (>= 0), the same one each time in a process. It belongs to psc until psc_free: do not read,
/// write or close it. Or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (no descriptors left). Threads: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_log_fd(checker: *mut psc_checker) -> c_int {
    let mut descriptor = -1;
    // SAFETY: the header asks for NULL or a handle that was not freed.
    let code = unsafe {
        guard::call(checker, Place::Anywhere, |checker| {
            descriptor = checker.logger().queue().map_err(Error::or_out_of_memory)?;
            Ok(Code::Ok)
        })
    };
    if code == Code::Ok.number() {
        descriptor
    } else {
        code
    }
}

/// Calls the callbacks for each queued line and result, in the calling thread. Also works after psc_stop.
///
/// Returns PSC_OK, also when nothing was queued; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_REENTRANT. Threads:
/// any, but not inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_log_drain(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::OutsideCallback, |checker| {
            checker.logger().drain();
            Ok(Code::Ok)
        })
    }
}
