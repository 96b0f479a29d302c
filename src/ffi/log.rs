//! The host's log callback, and its descriptor for event loops.

use super::checker::psc_checker;
use super::guard::{self, Place};
use crate::code::Code;
use crate::log::Sink;
use std::ffi::{CStr, c_char, c_int, c_void};

/// Receives log lines. `level`: 0 critical, 1 error, 2 warning, 3 notice, 4 info, 5 to 7 debug. `message`: one line of
/// printable UTF-8, NUL-terminated, without a newline, at most 1900 bytes, valid during the call only. It is data, not a
/// format: print it with "%s".
///
/// It is called from the background thread, or from the thread that is in a psc function; with psc_log_fd only from
/// psc_log_drain. Never two calls at once for one handle, no lock of psc is held meanwhile, and none comes after psc_stop
/// or psc_free returned, but for what later calls of the host's own have to say. It must return, and not by longjmp or an
/// exception. A child that is forked in it and returns from it leaves psc at once: the call that it is in gives
/// PSC_ERR_FORKED there; in psc's own thread the child ends, without running handlers of atexit.
///
/// psc_run_once, psc_start, psc_stop and psc_log_drain on the same handle give PSC_ERR_REENTRANT inside it.
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

pub fn sink(function: psc_log_fn, user_data: *mut c_void) -> Option<Sink> {
    let host = HostLog {
        function: function?,
        user_data,
    };
    Some(Box::new(move |level, message| host.log(level, message)))
}

/// For event loops: from now on lines are queued, at most 512 of them (the least important go first when there
/// are more), and the descriptor that is returned turns readable when some wait. Call psc_log_drain then.
///
/// Returns the descriptor (>= 0), which belongs to psc until psc_free: do not read, write or close it. The same one each
/// time in a process. PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (no descriptors left). Call it in the
/// process that will drain: a child has one of its own. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_log_fd(checker: *mut psc_checker) -> c_int {
    let mut descriptor = -1;
    // SAFETY: the header asks for NULL or a handle that was not freed.
    let code = unsafe {
        guard::call(checker, Place::Anywhere, |checker| {
            descriptor = checker.logger.queue()?;
            Ok(Code::Ok)
        })
    };
    if code == Code::Ok.number() {
        descriptor
    } else {
        code
    }
}

/// Delivers the queued lines to the callback, in the calling thread; also after psc_stop, what was said before it.
///
/// Returns PSC_OK, also when there was nothing; PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED, PSC_ERR_REENTRANT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_log_drain(checker: *mut psc_checker) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::OutsideCallback, |checker| {
            checker.logger.drain();
            Ok(Code::Ok)
        })
    }
}
