//! Panics end here: none may cross into C or end a thread of the host's process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `body` returns, or the text of its panic.
///
/// `AssertUnwindSafe`: psc's shared data is replaced as a whole and its locks are not poisoned (see `sync`).
pub fn contained<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| crate::text::quoted(&text_of(payload)))
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
}
