//! Signatures that do not verify, each in its own way. Each function is one fault.

use crate::envelope::{self, sign};
use crate::error::Error;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer};
use std::sync::OnceLock;

type Key = PKey<Private>;

pub fn other_key(_: &Key, data: &str) -> Result<Vec<u8>, Error> {
    static OTHER: OnceLock<Key> = OnceLock::new();
    let key = match OTHER.get() {
        Some(key) => key,
        None => {
            let key = crate::certificate::rsa_key(2048)?;
            OTHER.get_or_init(|| key)
        }
    };
    sign(key, MessageDigest::sha256(), data.as_bytes())
}

pub fn over_decoded(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    let decoded = STANDARD
        .decode(data)
        .map_err(|cause| Error::at("data", cause))?;
    sign(key, MessageDigest::sha256(), &decoded)
}

pub fn over_other_text(key: &Key, _: &str) -> Result<Vec<u8>, Error> {
    sign(
        key,
        MessageDigest::sha256(),
        envelope::encode(b"{}").as_bytes(),
    )
}

pub fn sha1(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    sign(key, MessageDigest::sha1(), data.as_bytes())
}

pub fn sha384(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    sign(key, MessageDigest::sha384(), data.as_bytes())
}

pub fn sha512(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    sign(key, MessageDigest::sha512(), data.as_bytes())
}

pub fn pss(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    signer.set_rsa_padding(Padding::PKCS1_PSS)?;
    signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    Ok(signer.sign_oneshot_to_vec(data.as_bytes())?)
}

/// The padded hash without the name of the digest in front.
pub fn raw(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    encrypt(key, &sha256(data.as_bytes()), Padding::PKCS1)
}

/// Short padding, then the right digest, then garbage: what verifiers that do not look at the end
/// of the block take for a signature.
pub fn trailing_garbage(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    // DigestInfo of SHA-256 (RFC 8017, section 9.2).
    const DIGEST_INFO: &[u8] =
        b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let mut block = vec![0x00, 0x01];
    block.extend([0xff; 8]);
    block.push(0x00);
    block.extend(DIGEST_INFO);
    block.extend(sha256(data.as_bytes()));
    block.resize(key.size(), 0x42);
    encrypt(key, &block, Padding::NONE)
}

pub fn garbage(key: &Key, _: &str) -> Result<Vec<u8>, Error> {
    // The first byte keeps it below every modulus.
    Ok((0..key.size())
        .map(|index| (index * 37 % 251) as u8)
        .collect())
}

pub fn one_byte(_: &Key, _: &str) -> Result<Vec<u8>, Error> {
    Ok(vec![1])
}

pub fn short(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    let mut signature = good(key, data)?;
    signature.pop();
    Ok(signature)
}

pub fn long(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    let mut signature = good(key, data)?;
    signature.push(0);
    Ok(signature)
}

pub fn flipped_bit(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    let mut signature = good(key, data)?;
    if let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    Ok(signature)
}

pub fn zero(key: &Key, _: &str) -> Result<Vec<u8>, Error> {
    Ok(vec![0; key.size()])
}

pub fn all_ff(key: &Key, _: &str) -> Result<Vec<u8>, Error> {
    Ok(vec![0xff; key.size()])
}

fn good(key: &Key, data: &str) -> Result<Vec<u8>, Error> {
    sign(key, MessageDigest::sha256(), data.as_bytes())
}

fn encrypt(key: &Key, block: &[u8], padding: Padding) -> Result<Vec<u8>, Error> {
    let mut signature = vec![0; key.size()];
    key.rsa()?.private_encrypt(block, &mut signature, padding)?;
    Ok(signature)
}
