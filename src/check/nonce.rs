//! Step 1: what ties an answer to its request.

use crate::error::Error;
use crate::random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{SystemTime, UNIX_EPOCH};

/// Characters of 16 bytes in base64.
const RANDOM_TEXT: usize = 24;

/// Decimal microseconds since the epoch, then base64 of 16 random bytes (docs/protocol.md, Request).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    pub fn new() -> Result<Nonce, Error> {
        // A clock before 1970 gives 0: the random part alone makes the nonce unique.
        let microseconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros());
        let random = random::bytes::<16>()?;
        Ok(Nonce(format!("{microseconds}{}", STANDARD.encode(random))))
    }

    /// A nonce of an earlier request: the host's, or one kept with its answer.
    pub fn of_request(text: &str) -> Nonce {
        Nonce(text.to_owned())
    }

    /// When it was made, seconds since the epoch by the clock of then; `None` when it is none of psc's.
    pub fn made(&self) -> Option<i64> {
        let random = self.0.len().checked_sub(RANDOM_TEXT)?;
        let (digits, random) = self.0.split_at_checked(random)?;
        STANDARD.decode(random).ok()?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let microseconds = digits.parse::<i64>().ok().filter(|_| is_number)?;
        Some(microseconds / 1_000_000)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_sixteen_random_bytes() {
        let (one, two) = (Nonce::new().unwrap(), Nonce::new().unwrap());
        let (digits, random) = one.as_str().split_at(16);
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(STANDARD.decode(random).unwrap().len(), 16);
        let now = digits.parse::<i64>().unwrap() / 1_000_000;
        assert_eq!(one.made(), Some(now));
        // Of a machine whose clock is not set.
        let early = Nonce(format!("7000000{random}"));
        assert_eq!(early.made(), Some(7));
        for text in [
            "",
            "1 of another request",
            random,
            &format!("-1{random}"),
            &format!("1é{random}"),
        ] {
            assert_eq!(Nonce::of_request(text).made(), None, "{text}");
        }
        assert_ne!(random, two.as_str().split_at(16).1);
    }
}
