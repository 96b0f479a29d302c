//! The RSA public keys that the configuration pins, and the client's certificate.

use super::file;
use openssl::asn1::Asn1Time;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use std::fmt::Write;
use std::path::Path;
use zeroize::Zeroizing;

const LARGEST_PEM: u64 = 1024 * 1024;
const SMALLEST_RSA_BITS: i32 = 2048;
/// OpenSSL verifies nothing with a larger modulus; every answer would look forged.
const LARGEST_RSA_BITS: i32 = 16_384;
/// The same with a larger exponent, when the modulus has more than 3072 bits.
const LARGEST_EXPONENT_BITS: i32 = 64;
/// More keys than a rotation ever needs; bounds the work an answer can cause.
const MOST_KEYS: usize = 16;

/// An RSA public key of 2048 to 16384 bits.
#[derive(Clone)]
pub struct PublicKey {
    pub key: PKey<Public>,
    /// `SHA256:` and the hex digest of the `SubjectPublicKeyInfo` in DER.
    pub fingerprint: String,
}

/// One or more public keys of a PEM file; anything else in it is refused.
pub fn public_keys(path: &Path) -> Result<Vec<PublicKey>, String> {
    let pem = file::read(path, LARGEST_PEM)?;
    keys_of(&pem).map_err(|problem| {
        let name = crate::text::quoted(&path.to_string_lossy());
        format!("{name}: {problem}")
    })
}

fn keys_of(pem: &[u8]) -> Result<Vec<PublicKey>, String> {
    let text = std::str::from_utf8(pem).map_err(|_| "is not a PEM file".to_owned())?;
    let mut keys = Vec::new();
    for block in blocks(text)? {
        if keys.len() == MOST_KEYS {
            return Err(format!("holds more than {MOST_KEYS} keys"));
        }
        keys.push(public_key(&block)?);
    }
    if keys.is_empty() {
        return Err("contains no PEM public key".to_owned());
    }
    Ok(keys)
}

/// A PEM block (RFC 7468) with its label.
struct Block {
    label: String,
    pem: String,
}

fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines().map(str::trim_end) {
        let begin = label(line, "-----BEGIN ");
        open = match (open, begin, label(line, "-----END ")) {
            (None, Some(label), _) => Some(Block {
                label: label.to_owned(),
                pem: format!("{line}\n"),
            }),
            (None, None, Some(_)) => return Err("has an END line without its BEGIN".to_owned()),
            (None, None, None) if is_stray(line) => {
                return Err("has parts of a PEM block outside of any block".to_owned());
            }
            (None, None, None) => None,
            (Some(_), Some(_), _) => return Err("has a block that does not end".to_owned()),
            (Some(mut block), None, end) => {
                block.pem.push_str(line);
                block.pem.push('\n');
                match end {
                    Some(label) if label == block.label => {
                        blocks.push(block);
                        None
                    }
                    Some(_) => return Err("has BEGIN and END lines that do not match".to_owned()),
                    None => Some(block),
                }
            }
        };
    }
    match open {
        None => Ok(blocks),
        Some(_) => Err("has a block that does not end".to_owned()),
    }
}

/// Between blocks there may be comments, but nothing that was meant to be a block.
fn is_stray(line: &str) -> bool {
    let line = line.trim();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    line.contains("-----") || (line.len() >= 40 && line.bytes().all(is_base64))
}

fn label<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}

fn public_key(block: &Block) -> Result<PublicKey, String> {
    if block.label != "PUBLIC KEY" {
        let label = crate::text::quoted(&block.label);
        return Err(if block.label.ends_with("PRIVATE KEY") {
            "holds a private key; only public keys belong here".to_owned()
        } else {
            format!("holds a block `{label}`; only `PUBLIC KEY` is allowed")
        });
    }
    let key = PKey::public_key_from_pem(block.pem.as_bytes())
        .map_err(|_| "holds a public key that cannot be read".to_owned())?;
    if key.id() != Id::RSA {
        return Err("holds a public key that is not RSA".to_owned());
    }
    let rsa = key
        .rsa()
        .map_err(|_| "holds a public key that cannot be read".to_owned())?;
    check_numbers(&rsa)?;
    let der = key
        .public_key_to_der()
        .map_err(|_| "holds a public key that cannot be read".to_owned())?;
    let digest = openssl::sha::sha256(&der);
    Ok(PublicKey {
        key,
        fingerprint: format!("SHA256:{}", hex(&digest)),
    })
}

/// OpenSSL takes any two numbers for a key. With an exponent of 1 everybody can sign; with others here nobody can.
fn check_numbers(rsa: &Rsa<Public>) -> Result<(), String> {
    let (modulus, exponent) = (rsa.n(), rsa.e());
    let (bits, exponent_bits) = (modulus.num_bits(), exponent.num_bits());
    if bits < SMALLEST_RSA_BITS {
        return Err(format!(
            "holds an RSA key of {bits} bits; at least {SMALLEST_RSA_BITS} are needed"
        ));
    }
    if bits > LARGEST_RSA_BITS {
        return Err(format!(
            "holds an RSA key of {bits} bits; at most {LARGEST_RSA_BITS} can be used"
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
    if exponent_bits > LARGEST_EXPONENT_BITS {
        return Err(format!(
            "holds an RSA key with a public exponent of {exponent_bits} bits; at most {LARGEST_EXPONENT_BITS} can be used"
        ));
    }
    Ok(())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A client certificate with its key, as the PEM text of their file.
#[derive(Clone)]
pub struct ClientIdentity {
    pub pem: Zeroizing<Vec<u8>>,
}

/// Reads and checks the client's certificate and private key.
pub fn client_identity(path: &Path) -> Result<ClientIdentity, String> {
    let pem = file::read(path, LARGEST_PEM)?;
    check_identity(&pem).map_err(|problem| {
        let name = crate::text::quoted(&path.to_string_lossy());
        format!("{name}: {problem}")
    })?;
    Ok(ClientIdentity { pem })
}

fn check_identity(pem: &[u8]) -> Result<(), &'static str> {
    let certificate = X509::from_pem(pem).map_err(|_| "contains no readable PEM certificate")?;
    // Without a callback OpenSSL would ask for a passphrase on the terminal.
    let mut encrypted = false;
    let key = PKey::private_key_from_pem_callback(pem, |_| {
        encrypted = true;
        Ok(0)
    });
    let key = match key {
        Ok(key) => key,
        Err(_) if encrypted => {
            return Err("the private key is encrypted; psc cannot ask for its passphrase");
        }
        Err(_) => return Err("contains no readable PEM private key"),
    };
    let matches = certificate
        .public_key()
        .is_ok_and(|public| public.public_eq(&key));
    if !matches {
        return Err("the private key does not belong to the certificate");
    }
    let now = Asn1Time::days_from_now(0).map_err(|_| "cannot be compared with the clock")?;
    if certificate.not_after() < now {
        return Err("the certificate has expired, or the clock is wrong");
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
            (vec![0xff, 0xfe], "not a PEM"),
            (good.replace("END", "DNE").into_bytes(), "does not end"),
            (
                good.replace("-----BEGIN", "  -----BEGIN").into_bytes(),
                "outside",
            ),
            (good.repeat(MOST_KEYS + 1).into_bytes(), "more than"),
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
