//! SHA-256 as text.

use openssl::sha::Sha256;

/// The lower-case hex SHA-256 of `bytes`.
///
/// By the functions that need no provider: those that do leave their result uninitialized where OpenSSL's configuration has
/// switched the provider off.
pub fn sha256_hex(bytes: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(bytes);
    hex::encode(digest.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    #[test]
    fn a_known_digest() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
