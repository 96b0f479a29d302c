//! The certificates of a CA bundle: one that is damaged costs no other.

use super::pem::{self, Block, Damage, Pem};
use crate::error::Error;
use crate::selftest;
use openssl::x509::X509;

/// Faults that are named; there may be thousands.
const MAX_SKIPPED: usize = 5;
/// OpenSSL's own form: a certificate followed by what it is trusted for (`X509_CERT_AUX`).
const WITH_SETTINGS: &str = "TRUSTED CERTIFICATE";

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const REJECT: u8 = 0xa0;
/// `serverAuth` and `anyExtendedKeyUsage` in DER.
const SERVER_PURPOSES: [&[u8]; 2] = [
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
    &[0x55, 0x1d, 0x25, 0x00],
];

/// What is trusted, as libcurl takes it: nothing that psc has not read itself.
#[derive(Default)]
pub struct CaBundle {
    pub pem: Vec<u8>,
    pub certificates: usize,
    skipped: Vec<String>,
    left_out: usize,
}

impl CaBundle {
    /// Adds what a file holds. An error: OpenSSL cannot tell.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        for (number, block) in (1_usize..).zip(Pem::read(bytes).blocks) {
            if let Some(problem) = self.add_block(&block)? {
                let line = block.line;
                self.skip(format!("{name}, block {number} (line {line}), {problem}"));
            }
        }
        Ok(())
    }

    /// What is wrong with a block, if anything. Other things than certificates are passed over.
    fn add_block(&mut self, block: &Block) -> Result<Option<&'static str>, Error> {
        let is_certificate = block.label.ends_with("CERTIFICATE");
        let der = match &block.der {
            Ok(der) => der,
            Err(damage) if is_certificate || *damage == Damage::Encrypted => {
                return Ok(Some(damage.text()));
            }
            Err(_) => return Ok(None),
        };
        if !is_certificate {
            return Ok(None);
        }
        let certificate = || Ok(X509::from_der(der).and_then(|read| read.to_der()).ok());
        let Some(certificate) = selftest::with_selftest(selftest::certificates, certificate)?
        else {
            return Ok(Some("is not a certificate that can be read"));
        };
        if block.label == WITH_SETTINGS {
            let settings = der.get(certificate.len()..).unwrap_or_default();
            match is_trusted_for_servers(settings) {
                Some(true) => {}
                Some(false) => {
                    return Ok(Some("says of itself that it is not trusted for servers"));
                }
                None => return Ok(Some("has trust settings that cannot be read")),
            }
        }
        pem::encode("CERTIFICATE", &certificate, &mut self.pem);
        self.certificates = self.certificates.saturating_add(1);
        Ok(None)
    }

    pub fn skip(&mut self, text: String) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(text);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// What was passed over, for people; `None` when nothing was.
    pub fn skipped(&self) -> Option<String> {
        if self.skipped.is_empty() {
            return None;
        }
        let text = self.skipped.join("; ");
        Some(match self.left_out {
            0 => text,
            more => format!("{text}; and {more} more"),
        })
    }
}

/// `SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] SEQUENCE OF OID OPTIONAL, … }`; nothing at all says nothing.
fn is_trusted_for_servers(settings: &[u8]) -> Option<bool> {
    if settings.is_empty() {
        return Some(true);
    }
    let (tag, mut rest, _) = element(settings)?;
    if tag != SEQUENCE {
        return None;
    }
    let mut trusted = true;
    while !rest.is_empty() {
        let (tag, content, after) = element(rest)?;
        match tag {
            SEQUENCE => trusted = trusted && names_servers(content)?,
            REJECT => trusted = trusted && !names_servers(content)?,
            _ => {}
        }
        rest = after;
    }
    Some(trusted)
}

fn names_servers(mut identifiers: &[u8]) -> Option<bool> {
    let mut found = false;
    while !identifiers.is_empty() {
        let (tag, identifier, after) = element(identifiers)?;
        found = found || tag == OBJECT_IDENTIFIER && SERVER_PURPOSES.contains(&identifier);
        identifiers = after;
    }
    Some(found)
}

/// Tag, content and what follows an element of DER. By hand: OpenSSL's reader of these settings is in no binding, and a crate
/// for a dozen lines would be one more in every host.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_settings_are_honoured() {
        const SERVER: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
        const MAIL: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 4];
        const ANY: &[u8] = &[6, 4, 0x55, 0x1d, 0x25, 0];
        let wrapped = |tag: u8, parts: &[&[u8]]| {
            let content = parts.concat();
            [
                &[tag, u8::try_from(content.len()).unwrap()],
                content.as_slice(),
            ]
            .concat()
        };
        let settings = |parts: &[&[u8]]| is_trusted_for_servers(&wrapped(SEQUENCE, parts));
        let (trust, reject) = (
            |parts| wrapped(SEQUENCE, parts),
            |parts| wrapped(REJECT, parts),
        );
        assert_eq!(is_trusted_for_servers(&[]), Some(true));
        assert_eq!(settings(&[]), Some(true));
        for (parts, expected) in [
            (vec![trust(&[SERVER])], true),
            (vec![trust(&[MAIL, SERVER])], true),
            (vec![trust(&[ANY])], true),
            (vec![trust(&[MAIL])], false),
            (vec![reject(&[SERVER])], false),
            (vec![reject(&[ANY])], false),
            (vec![reject(&[MAIL])], true),
            (vec![trust(&[SERVER]), reject(&[SERVER])], false),
            // An alias.
            (vec![wrapped(0x0c, &[b"name"])], true),
        ] {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            assert_eq!(settings(&parts), Some(expected), "{parts:?}");
        }
        for bad in [
            &[0x30][..],
            &[0x30, 5, 0],
            &[0x30, 2, 0x30, 9],
            &[0x31, 0],
            &[0x30, 0x84, 0, 0, 0, 0],
        ] {
            assert_eq!(is_trusted_for_servers(bad), None, "{bad:?}");
        }
    }
}
