//! Panics end here: none may cross into C or end a thread of the host's process. So does a child that was forked in the host's
//! callback and has returned from it: it is led out of psc, past all that only the parent's threads could go on with.

use crate::sys::{process, thread};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Unwinds like a panic, but is none.
struct Departure;

/// What `body` returns, or the text of its panic.
///
/// `AssertUnwindSafe`: psc's shared data is replaced as a whole and its locks are not poisoned (see `sync`).
pub fn contained<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        if payload.is::<Departure>() {
            resume_unwind(payload);
        }
        crate::text::quoted(&text_of(payload))
    })
}

/// In a child that was forked in the host's callback, once that has returned: leaves for [`until_departure`]. No lock may be
/// taken on the way, and nothing given back that the parent's threads use. psc's own thread ends here.
pub fn depart() -> ! {
    if thread::is_ours() {
        process::end_thread();
    }
    resume_unwind(Box::new(Departure))
}

/// What `body` returns; `None` in a child that departs.
pub fn until_departure<T>(body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Departure>() => None,
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
        assert_eq!(contained(|| 7), Ok(7));
        assert_eq!(
            contained(|| -> () { panic!("number {}", 1) }),
            Err("number 1".to_owned())
        );
        let odd = contained(|| -> () { std::panic::panic_any(1_u8) });
        assert_eq!(odd, Err("panic without text".to_owned()));
    }

    #[test]
    fn who_departs_is_not_held_up() {
        let mut went_on = false;
        let left = until_departure(|| {
            let _ = contained(|| depart());
            went_on = true;
        });
        assert_eq!((left, went_on), (None, false));
        assert_eq!(until_departure(|| contained(|| 7)), Some(Ok(7)));
    }
}
