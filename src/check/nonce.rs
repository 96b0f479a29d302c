//! Step 1: what ties an answer to its request.

use crate::failure::Failure;
use crate::random;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::{SystemTime, UNIX_EPOCH};

/// Decimal microseconds since the epoch, then base64 of 16 random bytes (contract section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    pub fn new() -> Result<Nonce, Failure> {
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

    /// Whether it was made at that time, seconds since the epoch, give or take a day.
    pub fn is_of(&self, wall: i64) -> bool {
        const DIGITS_OF_MICROSECONDS: usize = 16;
        const DAY: u64 = 24 * 3600;
        let digits = self.0.get(..DIGITS_OF_MICROSECONDS);
        let made = digits.and_then(|digits| digits.parse::<i64>().ok());
        made.is_some_and(|made| (made / 1_000_000).abs_diff(wall) <= DAY)
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
        assert!(one.is_of(now) && !one.is_of(now + 100_000) && !one.is_of(0));
        assert_ne!(random, two.as_str().split_at(16).1);
    }
}
