//! libcurl's beginning in a process.

use super::error::{Error, checked};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Prepares libcurl, once per process; it is never undone, since another user of it may be about. A failure is tried again
/// by the next call.
///
/// libcurl before 7.84 asks that no other thread uses it meanwhile: `psc_configure` calls this in the host's own thread.
pub fn init() -> Result<(), Error> {
    static DONE: AtomicBool = AtomicBool::new(false);
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if DONE.load(Ordering::Acquire) {
        return Ok(());
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !DONE.load(Ordering::Acquire) {
        // SAFETY: one call at a time, see above for older versions.
        checked(unsafe { curl_sys::curl_global_init(curl_sys::CURL_GLOBAL_ALL) })?;
        DONE.store(true, Ordering::Release);
    }
    Ok(())
}
