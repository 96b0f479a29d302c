//! The host's result callback.

use super::guard::{self, Place};
use super::handle::psc_checker;
use super::result::psc_result;
use crate::code::Code;
use crate::log::ResultSink;
use crate::outcome::Outcome;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// Receives the results of the schedule: one for each check that psc_start's thread or psc_run makes, whatever it came to,
/// and one for each known update that is repeated (at the start, and once a day). It comes after the log lines of the same
/// check, and whatever log_level is. A check that psc_stop has cancelled has one, too, unless psc_stop gave up waiting. That
/// checks are disabled, and what psc_run_once and psc_verify return, is not handed over.
///
/// `user_data`: as given to psc_on_result. `result`: never NULL, valid during the call only; read it with the psc_result_
/// functions, do not free it.
///
/// The rules are those of psc_log_fn, and the two count as one callback: never two calls at once for one handle, psc holds no
/// lock meanwhile, and none comes after psc_stop or psc_free has returned. It must return, and not by longjmp or an
/// exception. Inside it psc_run_once, psc_start, psc_run, psc_stop, psc_on_result and psc_log_drain on the same handle return
/// PSC_ERR_REENTRANT; psc_free works as in the log callback.
///
/// Threads: as for psc_log_fn; after psc_log_fd only from psc_log_drain.
pub type psc_result_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, result: *const psc_result)>;

struct HostResult {
    function: unsafe extern "C" fn(*mut c_void, *const psc_result),
    user_data: *mut c_void,
}

// SAFETY: the header tells hosts that the callback is called from other threads with `user_data`, one call at a time.
unsafe impl Send for HostResult {}
// SAFETY: as above.
unsafe impl Sync for HostResult {}

impl HostResult {
    fn call(&self, outcome: Outcome) {
        let result = psc_result::new(outcome);
        // SAFETY: the host's function, as the host gave it to psc_on_result; the result lives through the call.
        unsafe { (self.function)(self.user_data, &raw const result) };
    }
}

fn sink(function: psc_result_fn, user_data: *mut c_void) -> Option<ResultSink> {
    let host = HostResult {
        function: function?,
        user_data,
    };
    Some(Arc::new(move |outcome| host.call(outcome)))
}

/// Sets the callback for the results of the schedule, in place of the one before.
///
/// `on_result`: NULL for none. `user_data`: passed to it, otherwise not used. Both must stay valid until psc_free has
/// returned, or until psc_on_result has replaced them. Results that wait for psc_log_drain go to the new one.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_STATE (the schedule is running, by psc_start or psc_run, or another
/// thread is inside a callback of this handle: nothing is changed), PSC_ERR_REENTRANT, PSC_ERR_FORKED, PSC_ERR_SYSTEM (out
/// of memory). Threads: any, but not inside the callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_on_result(
    checker: *mut psc_checker,
    on_result: psc_result_fn,
    user_data: *mut c_void,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::OutsideCallback, |checker| {
            checker.set_result_sink(sink(on_result, user_data))?;
            Ok(Code::Ok)
        })
    }
}
