//! The host's OpenSSL errors: the queue belongs to the thread, and nginx and Apache complain about what they find in it.

use crate::panic::catch_panic;
use openssl::error::ErrorStack;

/// Takes what the host has queued in this thread out of psc's way; puts it back, and nothing of psc's, when it goes. A mark in
/// the queue would not do: libcurl clears all of it before each handshake.
pub(super) struct HostErrors(Option<ErrorStack>);

impl HostErrors {
    pub(super) fn set_aside() -> HostErrors {
        HostErrors(queued())
    }
}

impl Drop for HostErrors {
    fn drop(&mut self) {
        drop(queued());
        if let Some(errors) = &self.0 {
            let _ = catch_panic(|| errors.errors().iter().for_each(openssl::error::Error::put));
        }
    }
}

/// `None` when there is a text in it that is not UTF-8.
fn queued() -> Option<ErrorStack> {
    catch_panic(ErrorStack::get).ok()
}
