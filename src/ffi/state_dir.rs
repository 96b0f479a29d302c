//! The state directory, for hosts that begin as root.

use super::guard::{self, Place};
use super::handle::psc_checker;
use crate::code::Code;
use crate::error::Error;
use crate::state::make_dir::User;
use std::ffi::{c_int, c_uint};

/// Prepares the configured state_dir for the user that the host will run as. Call it as root, before the host becomes
/// that user, at each start and reload. A process that is not root can only do so for its own user.
///
/// `uid`, `gid`: of that user. A missing directory is created, for that user alone (0700), if its parent exists. An
/// existing one must belong to that user and must not be writable by others. If it belongs to the user that the server
/// ran as before, and contains nothing but psc's files, it is handed over, and what psc knows is kept. Nothing else is
/// changed: nothing that is shared, and nothing that a user other than root could have put in its place. Inside a
/// directory of that user's own nothing is done: the process that runs as that user creates what is missing.
///
/// Returns PSC_OK, also when no state_dir is configured. PSC_ERR_FILE: the directory cannot be used, and psc would work
/// without it; psc_last_error says why and what to do. PSC_ERR_SYSTEM (no descriptors or memory),
/// PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED. Works while checks are disabled. Threads: any, also inside the log
/// callback. It waits for the file system, and at most half a second for a process that is writing there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_make_state_dir(
    checker: *mut psc_checker,
    uid: c_uint,
    gid: c_uint,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::Anywhere, |checker| {
            checker
                .make_state_dir(User { uid, gid })
                .map_err(Error::or_out_of_memory)?;
            Ok(Code::Ok)
        })
    }
}
