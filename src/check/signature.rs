//! Step 5: who said it. Only this module makes an [`Authentic`].

use super::envelope::Envelope;
use crate::code::Code;
use crate::config::keys::PublicKey;
use crate::failure::Failure;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::sign::Verifier;

/// An answer that one of the pinned keys has signed.
pub struct Authentic {
    envelope: Envelope,
    key_fingerprint: String,
}

impl Authentic {
    /// RSA PKCS#1 v1.5 with SHA-256 over the text D as sent (contract section 5), by any of the keys.
    pub fn verify(envelope: Envelope, keys: &[PublicKey]) -> Result<Authentic, Failure> {
        // An error of OpenSSL's is no signature: only Ok(true) counts.
        let signer = keys
            .iter()
            .find(|key| is_signed_by(&envelope, key).is_ok_and(|signed| signed));
        match signer {
            Some(key) => Ok(Authentic {
                key_fingerprint: key.fingerprint.clone(),
                envelope,
            }),
            None => Err(Failure::new(
                Code::Signature,
                "the answer is not signed by a pinned key (forged signature)",
                "someone may be intercepting the connection, or the pinned key is out of date: look at proxies and certificate authorities on the way, and at server_public_key_path",
            )
            .with_status(200)),
        }
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Which key has signed.
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }
}

fn is_signed_by(envelope: &Envelope, key: &PublicKey) -> Result<bool, ErrorStack> {
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key.key)?;
    verifier.set_rsa_padding(Padding::PKCS1)?;
    verifier.verify_oneshot(&envelope.signature, envelope.data.as_bytes())
}
