//! Random numbers from the operating system, for nonces, keys and jitter.

use crate::error::Error;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// `N` random bytes. Fails rather than give weak ones.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Random bytes in place: no copy of a key is left behind.
pub fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    match OsRng.try_fill_bytes(bytes) {
        Ok(()) => Ok(()),
        Err(error) => Err(Error::system(format!(
            "no random numbers from the operating system: {error}"
        ))),
    }
}

/// A number from 0 to `highest`, both included; 0 when there is no randomness.
///
/// The remainder's bias is below 2^-32 for the spans psc uses; it only spreads load.
pub fn up_to(highest: u64) -> u64 {
    let random = OsRng.try_next_u64().unwrap_or(0);
    highest
        .checked_add(1)
        .and_then(|span| random.checked_rem(span))
        .unwrap_or(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ_and_numbers_stay_in_range() {
        assert_ne!(bytes::<16>().unwrap(), bytes::<16>().unwrap());
        assert_eq!(up_to(0), 0);
        assert!((0..1000).all(|_| up_to(3) <= 3));
        assert!((0..1000).any(|_| up_to(3) == 3));
    }
}
