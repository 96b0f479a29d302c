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
        assert_ne!(random, two.as_str().split_at(16).1);
    }
}
