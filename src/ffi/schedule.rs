//! What a host wants to know of the schedule in an `if`; `psc_status` tells more.

use super::guard::{self, Place};
use super::handle::psc_checker;
use crate::checker::Checker;
use crate::code::Code;
use std::ffi::c_longlong;

/// # Safety
/// `checker` is NULL or a handle that was not freed.
unsafe fn seconds(
    checker: *const psc_checker,
    get: impl FnOnce(&Checker) -> Option<u64>,
) -> c_longlong {
    let mut seconds = None;
    // SAFETY: the caller's promise.
    let code = unsafe {
        guard::call(checker, Place::Anywhere, |checker| {
            seconds = get(checker);
            Ok(Code::Ok)
        })
    };
    let known = seconds.filter(|_| code == Code::Ok.number());
    known.map_or(-1, |seconds| {
        c_longlong::try_from(seconds).unwrap_or(c_longlong::MAX)
    })
}

/// When the host's next check is due. With a state_dir it is the same in every process that shares it, whoever makes the
/// check; without, it is this handle's. Reads one small file then, and never waits for another call on the handle.
///
/// Returns seconds; 0: it is due, or is being made just now; -1: none is planned, checks are disabled, or it is not known (not
/// configured, NULL, forked, out of memory: psc_last_error says so). Threads: any, also inside the callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_next_check(checker: *mut psc_checker) -> c_longlong {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe { seconds(checker, Checker::next_check) }
}

/// How long ago the host's last check began, in this process or in one that shares the state_dir. One that was cancelled, or
/// whose end is not known, counts. Reads and waits as psc_next_check does; works while checks are disabled.
///
/// Returns seconds; -1: no check is known, or as for psc_next_check. Threads: any, also inside the callbacks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_last_check_age(checker: *mut psc_checker) -> c_longlong {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe { seconds(checker, Checker::last_check_age) }
}
