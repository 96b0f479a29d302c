//! Why calls failed: a text per thread, so that no other thread can pull it away from under its reader.

use super::per_thread::PerThread;
use crate::fork_guard::ForkGuard;
use crate::sync::lock;
use crate::text;
use std::ffi::{CString, c_char};
use std::sync::Mutex;

type Texts = PerThread<CString>;

pub struct LastErrors(Mutex<Texts>);

/// This is a child, and the texts were locked when it was forked.
pub struct Forked;

impl LastErrors {
    pub fn new() -> LastErrors {
        LastErrors(Mutex::new(PerThread::new()))
    }

    /// Of this thread; `None`: its last call did not fail.
    pub fn set(&self, guard: &ForkGuard, text: Option<&str>) {
        // Not cut: every problem of a configuration is named.
        let text = text.map(|text| CString::new(text::printable(text)).unwrap_or_default());
        // A child that may not is told so by `get`.
        let _ = self.with(guard, |texts| texts.set(text));
    }

    /// The text of this thread, valid until it sets another one.
    pub fn get(&self, guard: &ForkGuard) -> Result<Option<*const c_char>, Forked> {
        self.with(guard, |texts| texts.get().map(|text| text.as_ptr()))
    }

    fn with<T>(
        &self,
        guard: &ForkGuard,
        access: impl FnOnce(&mut Texts) -> T,
    ) -> Result<T, Forked> {
        if guard.is_forked() {
            let texts = self.0.try_lock();
            return texts
                .map(|mut texts| access(&mut texts))
                .map_err(|_| Forked);
        }
        // A child that is forked meanwhile by another thread finds the handle forked.
        let _call = guard.enter();
        Ok(access(&mut lock(&self.0)))
    }
}
