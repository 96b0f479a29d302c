//! Why calls failed: a text per thread, so that no other thread can pull it away from under its reader. They are the handle's,
//! not the thread's: a thread-local value with a destructor ends the process where there is no memory for it.

use crate::fork_guard::ForkGuard;
use crate::sync::{ThreadMark, lock};
use crate::text;
use std::ffi::{CString, c_char};
use std::sync::Mutex;

type Texts = Vec<(ThreadMark, CString)>;

pub struct LastErrors(Mutex<Texts>);

/// This is a child, and the texts were locked when it was forked.
pub struct Forked;

impl LastErrors {
    pub fn new() -> LastErrors {
        LastErrors(Mutex::default())
    }

    /// Of this thread; `None`: its last call did not fail.
    pub fn set(&self, guard: &ForkGuard, text: Option<&str>) {
        // Not cut: every problem of a configuration is named.
        let text = text.map(|text| CString::new(text::printable(text)).unwrap_or_default());
        // A child that may not is told so by `get`.
        let _ = self.with(guard, |texts| {
            let thread = ThreadMark::of_this_thread();
            texts.retain(|(of, _)| *of != thread);
            texts.extend(text.map(|text| (thread, text)));
        });
    }

    /// The text of this thread, valid until it sets another one.
    pub fn get(&self, guard: &ForkGuard) -> Result<Option<*const c_char>, Forked> {
        let thread = ThreadMark::of_this_thread();
        self.with(guard, |texts| {
            let own = texts.iter().find(|(of, _)| *of == thread);
            own.map(|(_, text)| text.as_ptr())
        })
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
