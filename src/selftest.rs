//! Whether this process's OpenSSL does what psc needs of it, found out with a key, a signature and a certificate that are
//! known to be good.
//!
//! OpenSSL says "no" to a signature that is wrong and to one that it cannot verify because its configuration has switched
//! the algorithm off, or memory is short. The one is a forgery, the other a fault of this process.

use crate::error::Error;
use crate::sys;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Public};
use openssl::rsa::Padding;
use openssl::sign::Verifier;
use openssl::x509::X509;

/// Made once for this, of a key of 2048 bits that was thrown away: `openssl pkey -pubout -outform DER`, `openssl req -x509
/// -outform DER`, `openssl dgst -sha256 -sign`.
const PUBLIC_KEY: &[u8] = include_bytes!("selftest/public_key.der");
const CERTIFICATE: &[u8] = include_bytes!("selftest/certificate.der");
const SIGNATURE: &[u8] = include_bytes!("selftest/signature.bin");
const SIGNED: &[u8] = b"psc";

/// What `work` comes to; `known` does the same with what is known to be good. `Ok(None)` is a "no" that may be OpenSSL's
/// fault: it counts, and is what this returns, where OpenSSL says yes to what is known, and then no once more. An error:
/// OpenSSL cannot tell.
pub fn with_selftest<T>(
    known: impl Fn() -> Result<(), Error>,
    mut work: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    ensure_usable()?;
    if let Ok(Some(value)) = work() {
        return Ok(Some(value));
    }
    known()?;
    work()
}

/// Whether OpenSSL may be called at all; what is not [`with_selftest`] asks this before.
pub fn ensure_usable() -> Result<(), Error> {
    if sys::openssl::is_over() {
        Err(Error::openssl_is_over())
    } else {
        Ok(())
    }
}

/// All that a check needs; else there is no use in sending anything.
pub fn check() -> Result<(), Error> {
    signatures()?;
    random()
}

/// Whether a signature can be verified.
pub fn signatures() -> Result<(), Error> {
    passed("cannot verify any signature", || {
        let key = public_key()?;
        is_signature(&key, SIGNATURE, SIGNED)
    })
}

/// Whether a public key can be read.
pub fn keys() -> Result<(), Error> {
    passed("cannot read any public key", || {
        let key = public_key()?;
        Ok(key.rsa()?.size() > 0 && !key.public_key_to_der()?.is_empty())
    })
}

/// Whether a certificate, and the key in it, can be read.
pub fn certificates() -> Result<(), Error> {
    passed("cannot read any certificate", || {
        let of_certificate = X509::from_der(CERTIFICATE)?.public_key()?;
        let key = public_key()?;
        Ok(of_certificate.public_eq(&key))
    })
}

/// Whether a key is found to be the same as itself.
pub fn comparisons<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), Error> {
    passed("cannot compare keys", || {
        let itself = PKey::public_key_from_der(&key.public_key_to_der()?)?;
        Ok(itself.public_eq(key))
    })
}

/// RSA PKCS#1 v1.5 with SHA-256.
pub fn is_signature<T: HasPublic>(
    key: &PKeyRef<T>,
    signature: &[u8],
    signed: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = Verifier::new(MessageDigest::sha256(), key)?;
    verifier.set_rsa_padding(Padding::PKCS1)?;
    // A signature that cannot be one at all is an error with some of OpenSSL's versions.
    Ok(verifier
        .verify_oneshot(signature, signed)
        .unwrap_or_default())
}

fn random() -> Result<(), Error> {
    passed("has no random numbers", || {
        openssl::rand::rand_bytes(&mut [0; 16]).map(|()| true)
    })
}

fn public_key() -> Result<PKey<Public>, ErrorStack> {
    PKey::public_key_from_der(PUBLIC_KEY)
}

fn passed(problem: &str, test: impl FnOnce() -> Result<bool, ErrorStack>) -> Result<(), Error> {
    ensure_usable()?;
    // What is left there by others is not the reason.
    sys::openssl::clear_errors();
    match test() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::openssl(problem, ErrorStack::get())),
        Err(errors) => Err(Error::openssl(problem, errors)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use std::cell::Cell;

    #[test]
    fn a_sound_openssl_passes() {
        for test in [check, signatures, keys, certificates] {
            test().unwrap();
        }
        let key = public_key().unwrap();
        assert!(!is_signature(&key, SIGNATURE, b"other").unwrap());
        assert!(!is_signature(&key, b"", SIGNED).unwrap());
    }

    fn broken() -> Result<(), Error> {
        passed("cannot", || Ok(false))
    }

    #[test]
    fn a_no_counts_where_openssl_works_and_says_it_twice() {
        let wrong = || Ok(None::<()>);
        assert_eq!(with_selftest(signatures, wrong).unwrap(), None);
        let cannot_tell = with_selftest(broken, wrong).unwrap_err();
        assert_eq!(cannot_tell.code, Code::System);
        assert!(with_selftest(signatures, || Err::<Option<()>, _>(Error::system(""))).is_err());
        let tries = Cell::new(0);
        let second_time = with_selftest(signatures, || {
            tries.set(tries.get() + 1);
            Ok((tries.get() == 2).then_some(()))
        });
        assert_eq!(second_time.unwrap(), Some(()));
    }
}
