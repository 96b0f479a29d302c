//! Panics end here: none may cross into C or end a thread of the host's process. So does the stack of a child that was forked in
//! the host's log callback and has returned from it: it is unwound out of psc, past all that only the parent's threads could
//! go on with.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Unwinds like a panic, but is none.
struct ForkExit;

/// What `body` returns, or the text of its panic.
///
/// `AssertUnwindSafe`: psc's shared data is replaced as a whole and its locks are not poisoned (see `sync`).
pub fn catch_panic<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        if payload.is::<ForkExit>() {
            resume_unwind(payload);
        }
        crate::text::quoted(&text_of(payload))
    })
}

/// In a forked child: leaves for [`catch_fork_exit`].
pub fn unwind_forked_child() -> ! {
    resume_unwind(Box::new(ForkExit))
}

/// What `body` returns; `None` in a forked child that unwinds.
pub fn catch_fork_exit<T>(body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<ForkExit>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

fn text_of(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<&'static str>() {
        Ok(text) => return (*text).to_owned(),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            // Dropping a payload of an unknown kind could panic again.
            std::mem::forget(other);
            "panic without text".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text() {
        assert_eq!(catch_panic(|| 7), Ok(7));
        assert_eq!(
            catch_panic(|| -> () { panic!("number {}", 1) }),
            Err("number 1".to_owned())
        );
        let odd = catch_panic(|| -> () { std::panic::panic_any(1_u8) });
        assert_eq!(odd, Err("panic without text".to_owned()));
    }

    #[test]
    fn a_forked_child_unwinds_past_catch_panic() {
        let mut went_on = false;
        let left = catch_fork_exit(|| {
            let _ = catch_panic(|| unwind_forked_child());
            went_on = true;
        });
        assert_eq!((left, went_on), (None, false));
        assert_eq!(catch_fork_exit(|| catch_panic(|| 7)), Some(Ok(7)));
    }
}
