//! The state directory, for hosts that begin as root.

use super::checker::psc_checker;
use super::guard::{self, Place};
use crate::code::Code;
use crate::state::hand_over::User;
use std::ffi::{c_int, c_uint};

/// Makes the configured state_dir fit for the user that the server will run as, or says why it is not: for root, before the
/// host becomes that user, at every start and reload. A process that is not root can do so for its own user only.
///
/// `uid` and `gid`: of that user. A missing directory is made in a parent that exists, and is theirs alone (0700). One that is
/// there has to belong to `uid` and be writable by nobody else; one of psc's own, with nothing in it but its files, is handed
/// over from the user that the server ran as before, and what is known is kept. Nothing else is changed: not what is shared,
/// and nothing that a user other than root could have put in its place. Below a directory of that user's own nothing is done:
/// the process that runs as that user makes what is missing.
///
/// Returns PSC_OK, also when no state_dir is configured: nothing was done then. PSC_ERR_FILE: it is not fit, psc_last_error
/// says why and what to do; psc would go on without it. PSC_ERR_SYSTEM (no descriptors or memory),
/// PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED. Works while checks are disabled. Any thread, also inside the log callback;
/// waits for the file system, and at most half a second for a process that is writing there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_make_state_dir(
    checker: *mut psc_checker,
    uid: c_uint,
    gid: c_uint,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed.
    unsafe {
        guard::call(checker, Place::Anywhere, |checker| {
            checker.make_state_dir(User { uid, gid })?;
            Ok(Code::Ok)
        })
    }
}
