//! Step 5: who said it. Only this module makes an [`Authentic`].

use super::envelope::Envelope;
use crate::code::Code;
use crate::config::public_key::PublicKey;
use crate::error::Error;
use crate::selftest;

/// An answer that one of the pinned keys has signed.
pub struct Authentic {
    envelope: Envelope,
    decoded: Vec<u8>,
    key_fingerprint: String,
}

impl Authentic {
    /// RSA PKCS#1 v1.5 with SHA-256 over the text D as sent (docs/protocol.md, Answer), by any of the keys; D is decoded after that.
    ///
    /// `PSC_ERR_SIGNATURE`: it is not signed by them. `PSC_ERR_SYSTEM`: OpenSSL cannot tell.
    pub fn verify(envelope: Envelope, keys: &[PublicKey]) -> Result<Authentic, Error> {
        let signer = selftest::with_selftest(selftest::signatures, || signer(&envelope, keys))
            .map_err(cannot_tell)?
            .ok_or_else(forged)?;
        let decoded = envelope.decoded().ok_or_else(|| {
            Error::signed_response("the signed `data` of the answer is not canonical base64")
        })?;
        Ok(Authentic {
            key_fingerprint: signer.fingerprint.clone(),
            decoded,
            envelope,
        })
    }

    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What D decodes to.
    pub fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    /// Which key has signed.
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }
}

/// `None`: by none of the keys. An error: by none of those that OpenSSL can use, and there are others.
fn signer<'a>(envelope: &Envelope, keys: &'a [PublicKey]) -> Result<Option<&'a PublicKey>, Error> {
    let mut unusable = None;
    for pinned in keys {
        let key = match &pinned.key {
            Ok(key) => key,
            Err(error) => {
                unusable = Some(error.clone());
                continue;
            }
        };
        match selftest::is_signature(key, &envelope.signature, envelope.data.as_bytes()) {
            Ok(true) => return Ok(Some(pinned)),
            Ok(false) => {}
            Err(errors) => unusable = Some(Error::openssl("cannot use a pinned key", errors)),
        }
    }
    unusable.map_or(Ok(None), Err)
}

fn cannot_tell(error: Error) -> Error {
    Error {
        reason: format!("the answer cannot be verified: {}", error.reason),
        ..error
    }
}

fn forged() -> Error {
    Error::new(
        Code::Signature,
        "the answer is not signed by a pinned key (untrusted or forged signature)",
        "someone may be intercepting the connection, or the pinned key is out of date: look at proxies and certificate authorities on the way, and at server_public_key_path",
    )
}
