//! The license data of a request (docs/protocol.md, License data): readable by the license key's owner alone, and only with
//! the nonce of this request.

use super::nonce::Nonce;
use crate::config::files::License;
use crate::error::Error;
use crate::random;
use crate::selftest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Encrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, encrypt_aead};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const TAG_BYTES: usize = 16;

/// The `license` object: a one-time AES-256-GCM key under RSA-OAEP with SHA-256, iv, data and tag, in base64.
pub fn sealed(license: &License, nonce: &Nonce) -> Result<Value, Error> {
    selftest::ensure_usable()?;
    let mut key = Zeroizing::new([0; 32]);
    random::fill(key.as_mut_slice())?;
    let iv = random::bytes::<12>()?;
    let failed = |errors: ErrorStack| Error::openssl("cannot encrypt the licence", errors);
    let mut tag = [0; TAG_BYTES];
    let data = encrypt_aead(
        Cipher::aes_256_gcm(),
        key.as_slice(),
        Some(&iv),
        nonce.as_str().as_bytes(),
        &license.text,
        &mut tag,
    )
    .map_err(failed)?;
    let wrapping_key = license.wrapping_key.key.as_ref().map_err(Clone::clone)?;
    let wrapped = wrap(wrapping_key, key.as_slice()).map_err(failed)?;
    Ok(json!({
        "key": STANDARD.encode(wrapped),
        "iv": STANDARD.encode(iv),
        "data": STANDARD.encode(data),
        "tag": STANDARD.encode(tag),
    }))
}

fn wrap(wrapping_key: &PKey<Public>, key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut encrypter = Encrypter::new(wrapping_key)?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let mut wrapped = vec![0; encrypter.encrypt_len(key)?];
    let written = encrypter.encrypt(key, &mut wrapped)?;
    wrapped.truncate(written);
    Ok(wrapped)
}

/// What may be shown of it.
pub fn shown(license: &License) -> String {
    format!("encrypted, {} bytes", license.text.len())
}
