//! The handle that C has a pointer to.

use super::leaked::{Leaked, Link};
use crate::checker::Checker;
use crate::log::Sink;
use crate::sys::reserve::Reserve;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A handle: one configuration, one log callback, at most one thread. Handles are independent of each other.
pub struct psc_checker {
    /// The host's share, which psc_free gives up; each call and the thread have their own. The handle itself goes with the
    /// last of them, so a callback may use it while, and after, another thread is in psc_free.
    checker: ManuallyDrop<Arc<Checker>>,
    link: Link<psc_checker>,
}

static LEAKED: Leaked<psc_checker> = Leaked::new();

impl psc_checker {
    /// A new one, for the host.
    pub(super) fn give(sink: Option<Sink>, reserve: Reserve) -> *mut psc_checker {
        let checker = Arc::new(Checker::new(sink, Some(reserve)));
        let handle = Box::into_raw(Box::new(psc_checker {
            checker: ManuallyDrop::new(Arc::clone(&checker)),
            link: Link::new(),
        }));
        checker.keep(Box::new(Owned(handle)));
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

    /// Without a share of its own: for signal handlers.
    ///
    /// # Safety
    /// NULL, or a handle that is not freed meanwhile.
    pub(super) unsafe fn borrow<'a>(handle: *const psc_checker) -> Option<&'a Checker> {
        // SAFETY: the caller's promise.
        unsafe { handle.as_ref() }.map(|handle| &**handle.checker)
    }

    /// Gives up the host's share.
    ///
    /// # Safety
    /// A handle that was not freed, and that nobody uses from here on.
    pub(super) unsafe fn release(handle: *mut psc_checker) {
        // SAFETY: the caller's promise.
        unsafe { ManuallyDrop::drop(&mut (*handle).checker) };
    }

    /// Leaves it where it is, without a lock or an allocation.
    ///
    /// # Safety
    /// As [`psc_checker::release`].
    pub(super) unsafe fn leak(handle: *mut psc_checker) {
        // SAFETY: the caller's promise.
        LEAKED.add(handle, unsafe { &(*handle).link });
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
