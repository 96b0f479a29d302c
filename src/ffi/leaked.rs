//! Objects of another process that were freed in this one: their memory stays, because giving it back could wait for a lock that
//! only that process's threads would release. They are kept in a list, so that a leak checker finds that this was meant.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The objects, each linked to the one before.
pub(super) struct Leaked<T>(AtomicPtr<T>);

/// In each object.
pub(super) struct Link<T>(AtomicPtr<T>);

impl<T> Link<T> {
    pub(super) const fn new() -> Link<T> {
        Link(AtomicPtr::new(ptr::null_mut()))
    }
}

impl<T> Leaked<T> {
    pub(super) const fn new() -> Leaked<T> {
        Leaked(AtomicPtr::new(ptr::null_mut()))
    }

    /// Without a lock or an allocation. `link`: the object's own.
    pub(super) fn add(&self, object: *mut T, link: &Link<T>) {
        let mut before = self.0.load(Ordering::SeqCst);
        loop {
            link.0.store(before, Ordering::SeqCst);
            match self
                .0
                .compare_exchange(before, object, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return,
                Err(now) => before = now,
            }
        }
    }
}
