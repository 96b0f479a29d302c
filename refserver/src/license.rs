//! License data: decryption, and whose it is.

use openssl::encrypt::Decrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, decrypt_aead};
use zeroize::Zeroizing;

const MAX_LICENSE: usize = 64 * 1024;

/// A license as it travels, base64 undone.
pub(crate) struct EncryptedLicense {
    pub key: Vec<u8>,
    pub iv: Vec<u8>,
    pub data: Vec<u8>,
    pub tag: Vec<u8>,
}

/// The license file, wiped when it goes, as is the one-time key. An error is the reason to refuse the request with.
pub(crate) fn decrypt(
    encrypted: &EncryptedLicense,
    key: &PKey<Private>,
    nonce: &str,
) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if encrypted.iv.len() != 12 {
        return Err("`license.iv` must be 12 bytes");
    }
    if encrypted.tag.len() != 16 {
        return Err("`license.tag` must be 16 bytes");
    }
    if encrypted.data.is_empty() || encrypted.data.len() > MAX_LICENSE {
        return Err("`license.data` must be 1 to 65536 bytes");
    }
    let one_time = unwrap(&encrypted.key, key).map_err(
        |_| "`license.key` does not decrypt: wrapped for another public key, or damaged",
    )?;
    if one_time.len() != 32 {
        return Err("`license.key` must hold 32 bytes");
    }
    let (iv, aad) = (Some(encrypted.iv.as_slice()), nonce.as_bytes());
    decrypt_aead(
        Cipher::aes_256_gcm(),
        &one_time,
        iv,
        aad,
        &encrypted.data,
        &encrypted.tag,
    )
    .map(Zeroizing::new)
    .map_err(|_| "`license.data` does not decrypt: damaged, or made for another request's nonce")
}

fn unwrap(wrapped: &[u8], key: &PKey<Private>) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut decrypter = Decrypter::new(key)?;
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    decrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
    decrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    let mut plain = Zeroizing::new(vec![0; decrypter.decrypt_len(wrapped)?]);
    let length = decrypter.decrypt(wrapped, &mut plain)?;
    plain.truncate(length);
    Ok(plain)
}

/// The first line, safe to print: at most 200 characters, all of them printable ASCII.
pub(crate) fn licensee(license: &[u8]) -> String {
    let line = license
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(line.trim_ascii());
    text.chars()
        .take(200)
        .flat_map(|c| {
            if c == '"' {
                vec![c]
            } else {
                c.escape_default().collect()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_licensee_is_one_printable_line() {
        assert_eq!(licensee(b"  ACME \"Inc\"\r\nsecond"), "ACME \"Inc\"");
        assert_eq!(
            licensee(b"a\x1b[31mb\xff\xc2\x85"),
            "a\\u{1b}[31mb\\u{fffd}\\u{85}"
        );
        assert_eq!(licensee(&[b'x'; 500]).len(), 200);
        assert_eq!(licensee(b""), "");
    }
}
