//! The RSA public keys that the configuration pins.

use super::file;
use super::pem::{Block, Damage, Pem};
use crate::code::Code;
use crate::digest::sha256_hex;
use crate::error::Error;
use crate::selftest;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use std::path::Path;

/// Bytes in a file of keys or of a certificate.
pub const MAX_PEM: u64 = 1024 * 1024;
const MIN_RSA_BITS: i32 = 2048;
/// OpenSSL verifies nothing with a larger modulus; every answer would look forged.
const MAX_RSA_BITS: i32 = 16_384;
/// The same with a larger exponent, when the modulus has more than 3072 bits.
const MAX_EXPONENT_BITS: i32 = 64;
/// More keys than a rotation ever needs; bounds the work an answer can cause.
const MAX_KEYS: usize = 16;

/// An RSA public key of 2048 to 16384 bits.
#[derive(Clone)]
pub struct PublicKey {
    /// Or why OpenSSL cannot say what it is, which is not the file's fault.
    pub key: Result<PKey<Public>, Error>,
    /// `SHA256:` and the hex digest of the `SubjectPublicKeyInfo` in DER.
    pub fingerprint: String,
}

/// One or more public keys of a PEM file; anything else in it is refused.
pub fn read(path: &Path, advice: &'static str) -> Result<Vec<PublicKey>, Error> {
    let bytes = file::read(path, MAX_PEM, advice)?;
    keys_of(&bytes).map_err(|problem| {
        let name = crate::text::quoted(&path.to_string_lossy());
        Error::new(Code::File, format!("{name}: {problem}"), advice)
    })
}

fn keys_of(bytes: &[u8]) -> Result<Vec<PublicKey>, String> {
    let pem = Pem::read(bytes);
    if let Some(line) = pem.stray {
        return Err(format!(
            "has parts of a PEM block outside of any block (line {line})"
        ));
    }
    if pem.blocks.len() > MAX_KEYS {
        return Err(format!("holds more than {MAX_KEYS} keys"));
    }
    if pem.blocks.is_empty() {
        return Err("contains no PEM public key".to_owned());
    }
    pem.blocks.iter().map(public_key).collect()
}

fn public_key(block: &Block) -> Result<PublicKey, String> {
    let line = block.line;
    if block.label.ends_with("PRIVATE KEY") {
        return Err(format!(
            "holds a private key (line {line}); only public keys belong here"
        ));
    }
    if block.label != "PUBLIC KEY" {
        let label = crate::text::quoted(&block.label);
        return Err(format!(
            "holds a block `{label}` (line {line}); only `PUBLIC KEY` is allowed"
        ));
    }
    let unreadable = || format!("holds a public key that cannot be read (line {line})");
    let der = match &block.der {
        Ok(der) => der,
        Err(Damage::NotBase64) => return Err(unreadable()),
        Err(damage) => {
            return Err(format!(
                "holds a block that {} (line {line})",
                damage.text()
            ));
        }
    };
    let read = || {
        let Ok(key) = PKey::public_key_from_der(der) else {
            return Ok(None);
        };
        if key.id() != Id::RSA {
            return Ok(Some((None, String::new(), key)));
        }
        let (Ok(canonical), Ok(rsa)) = (key.public_key_to_der(), key.rsa()) else {
            return Ok(None);
        };
        Ok(Some((Some(rsa), sha256_hex(&canonical), key)))
    };
    match selftest::with_selftest(selftest::keys, read) {
        Ok(Some((Some(rsa), digest, key))) => {
            check_numbers(&rsa)?;
            Ok(PublicKey {
                key: Ok(key),
                fingerprint: format!("SHA256:{digest}"),
            })
        }
        Ok(Some((None, ..))) => Err(format!("holds a public key that is not RSA (line {line})")),
        Ok(None) => Err(unreadable()),
        // Known by its fingerprint all the same: what it has signed before is.
        Err(error) => Ok(PublicKey {
            key: Err(error),
            fingerprint: format!("SHA256:{}", sha256_hex(der)),
        }),
    }
}

/// OpenSSL takes any two numbers for a key. With an exponent of 1 everybody can sign; with others here nobody can.
fn check_numbers(rsa: &Rsa<Public>) -> Result<(), String> {
    let (modulus, exponent) = (rsa.n(), rsa.e());
    let (bits, exponent_bits) = (modulus.num_bits(), exponent.num_bits());
    if bits < MIN_RSA_BITS {
        return Err(format!(
            "holds an RSA key of {bits} bits; at least {MIN_RSA_BITS} are needed"
        ));
    }
    if bits > MAX_RSA_BITS {
        return Err(format!(
            "holds an RSA key of {bits} bits; at most {MAX_RSA_BITS} can be used"
        ));
    }
    if !modulus.is_odd() {
        return Err("holds an RSA key whose modulus is even: it is no key".to_owned());
    }
    if !exponent.is_odd() {
        return Err("holds an RSA key whose public exponent is even: it is no key".to_owned());
    }
    if exponent_bits < 2 {
        return Err(
            "holds an RSA key whose public exponent is 1: everybody could sign for it".to_owned(),
        );
    }
    if exponent_bits > MAX_EXPONENT_BITS {
        return Err(format!(
            "holds an RSA key with a public exponent of {exponent_bits} bits; at most {MAX_EXPONENT_BITS} can be used"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::{BigNum, BigNumRef};

    fn public_pem(bits: u32) -> String {
        let rsa = Rsa::generate(bits).unwrap();
        String::from_utf8(PKey::from_rsa(rsa).unwrap().public_key_to_pem().unwrap()).unwrap()
    }

    #[test]
    fn several_keys_and_comments_are_read() {
        let (old, new) = (public_pem(2048), public_pem(2048));
        let keys =
            keys_of(format!("# old\n{old}\nnew:\r\n{}", new.replace('\n', "\r\n")).as_bytes())
                .unwrap();
        assert_eq!(keys.len(), 2);
        assert_ne!(keys[0].fingerprint, keys[1].fingerprint);
        assert_eq!(keys[0].fingerprint.len(), 7 + 64);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_key() {
        let pem = public_pem(2048);
        let plain = keys_of(pem.as_bytes()).unwrap().remove(0).fingerprint;
        let utf16: Vec<u8> = "\u{feff}"
            .encode_utf16()
            .chain(pem.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        for marked in [format!("\u{feff}{pem}").into_bytes(), utf16] {
            assert_eq!(keys_of(&marked).unwrap()[0].fingerprint, plain);
        }
    }

    /// A key of the modulus `2^top + low` and that exponent.
    fn made_up_pem(top: i32, low: u32, exponent: &BigNumRef) -> String {
        let mut modulus = BigNum::from_u32(low).unwrap();
        modulus.set_bit(top).unwrap();
        let rsa = Rsa::from_public_components(modulus, exponent.to_owned().unwrap()).unwrap();
        String::from_utf8(PKey::from_rsa(rsa).unwrap().public_key_to_pem().unwrap()).unwrap()
    }

    #[test]
    fn numbers_that_are_no_key_are_refused_with_the_reason() {
        let small = |exponent| BigNum::from_u32(exponent).unwrap();
        let mut long = small(1);
        long.set_bit(64).unwrap();
        let cases = [
            (made_up_pem(2047, 1, &small(0)), "exponent is even"),
            (made_up_pem(2047, 1, &small(1)), "exponent is 1"),
            (made_up_pem(2047, 1, &small(2)), "exponent is even"),
            (made_up_pem(2047, 1, &small(65_536)), "exponent is even"),
            (made_up_pem(2047, 0, &small(65_537)), "modulus is even"),
            (made_up_pem(2047, 6, &small(65_537)), "modulus is even"),
            (made_up_pem(16_384, 1, &small(65_537)), "at most 16384"),
            (made_up_pem(4095, 1, &long), "exponent of 65 bits"),
            (made_up_pem(2047, 1, &long), "exponent of 65 bits"),
        ];
        for (pem, expected) in cases {
            let problem = keys_of(pem.as_bytes()).err().unwrap_or_default();
            assert!(problem.contains(expected), "{problem:?} lacks {expected:?}");
        }
        let mut longest = small(1);
        longest.set_bit(63).unwrap();
        for (top, exponent) in [(2047, small(3)), (16_383, small(65_537)), (4095, longest)] {
            assert!(keys_of(made_up_pem(top, 1, &exponent).as_bytes()).is_ok());
        }
    }

    #[test]
    fn other_contents_are_refused_with_the_reason() {
        let good = public_pem(2048);
        let private = Rsa::generate(2048).unwrap().private_key_to_pem().unwrap();
        let cases = [
            (public_pem(1024).into_bytes(), "1024 bits"),
            (private, "private key"),
            (b"junk".to_vec(), "no PEM"),
            (vec![0xff, 0xfe], "no PEM"),
            (
                good.replacen(
                    '\n',
                    "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
                    1,
                )
                .into_bytes(),
                "is encrypted",
            ),
            (
                format!("{good}\n-----BEGIN PUBLIC KEY-----").into_bytes(),
                "does not end (line 11)",
            ),
            (good.replace("END", "DNE").into_bytes(), "does not end"),
            (
                good.replace("-----BEGIN", "  -----BEGIN").into_bytes(),
                "outside",
            ),
            (good.repeat(MAX_KEYS + 1).into_bytes(), "more than"),
            (
                b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_vec(),
                "cannot be read",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
                "CERTIFICATE",
            ),
        ];
        for (pem, expected) in cases {
            let problem = keys_of(&pem).err().unwrap_or_default();
            assert!(problem.contains(expected), "{problem:?} lacks {expected:?}");
        }
    }
}
