//! The client's certificate and its private key.

use super::file;
use super::pem::{self, Block, Damage, Pem};
use super::public_key::MAX_PEM;
use crate::code::Code;
use crate::error::{Error, Retry};
use crate::selftest;
use crate::text;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};
use std::path::Path;
use zeroize::Zeroizing;

const DAY: i64 = 24 * 3600;

pub struct ClientIdentity {
    /// Certificates and key as libcurl takes them: nothing that psc has not read itself.
    pub pem: Zeroizing<Vec<u8>>,
    /// For messages: the file and the certificate's subject.
    name: String,
    not_before: Date,
    not_after: Date,
}

struct Date {
    /// Seconds since the epoch.
    seconds: i64,
    text: String,
}

impl ClientIdentity {
    pub fn read(path: &Path, advice: &'static str) -> Result<ClientIdentity, Error> {
        let bytes = file::read(path, MAX_PEM, advice)?;
        let name = text::quoted(&path.to_string_lossy());
        let malformed = |problem: &str| {
            let reason = format!("the client certificate in {name} cannot be used: {problem}");
            Error::new(Code::File, reason, advice)
        };
        let blocks = Pem::read(&bytes).blocks;
        let (certificates, key) = parts(&blocks).map_err(|problem| malformed(&problem))?;
        let certificates = certificates
            .into_iter()
            .map(|(_, line, der)| {
                let certificate = || Ok(X509::from_der(der).ok());
                selftest::with_selftest(selftest::certificates, certificate)?
                    .ok_or_else(|| malformed(&format!("{NO_CERTIFICATE} (line {line})")))
            })
            .collect::<Result<Vec<X509>, Error>>()?;
        let certificate = certificates
            .first()
            .ok_or_else(|| malformed(NO_CERTIFICATE))?;
        let private = || Ok(PKey::private_key_from_der(key.2).ok());
        let private = selftest::with_selftest(selftest::keys, private)?;
        let private = private.ok_or_else(|| malformed(NO_KEY))?;
        let known = || selftest::certificates().and_then(|()| selftest::comparisons(&private));
        let belongs = || Ok(is_of(&private, certificate).then_some(()));
        selftest::with_selftest(known, belongs)?
            .ok_or_else(|| malformed("the private key does not belong to the certificate"))?;
        identity(&name, certificate, &certificates, key)
            .map_err(|errors| Error::openssl("cannot read the client certificate", errors))
    }

    /// Why it cannot be used at that time, in seconds since the epoch.
    pub fn validity_error(&self, now: i64) -> Option<Error> {
        let problem = if now > self.not_after.seconds {
            format!("has expired on {}", self.not_after.text)
        } else if now < self.not_before.seconds {
            format!("is not valid before {}", self.not_before.text)
        } else {
            return None;
        };
        let error = Error::new(
            Code::File,
            format!(
                "the client certificate {}, which the vendor of this program has issued, {problem}, or the clock is wrong",
                self.name
            ),
            "check the clock of this machine; if it is right, try upgrading or reinstalling the program, which brings a new one",
        );
        Some(error.retried(Retry::Clock))
    }
}

const NO_CERTIFICATE: &str = "contains no readable PEM certificate";
const NO_KEY: &str = "contains no readable PEM private key";

/// What stands in a block: its label, the line where it begins, and the DER.
type Part<'a> = (&'a str, usize, &'a [u8]);

/// The certificates and the key.
fn parts(blocks: &[Block]) -> Result<(Vec<Part<'_>>, Part<'_>), String> {
    let mut certificates = Vec::new();
    let mut key = None;
    for block in blocks {
        let is_key = block.label.ends_with("PRIVATE KEY");
        if !is_key && !block.label.ends_with("CERTIFICATE") {
            continue;
        }
        let line = block.line;
        let der = block.der.as_ref().map_err(|damage| match damage {
            Damage::Encrypted if is_key => {
                format!(
                    "the private key (line {line}) is encrypted, and psc asks nobody for a password"
                )
            }
            damage => format!("{} (line {line}) {}", block.label, damage.text()),
        })?;
        let part = (block.label.as_str(), line, der.as_slice());
        if !is_key {
            certificates.push(part);
        } else if key.is_none() {
            key = Some(part);
        }
    }
    match key {
        _ if certificates.is_empty() => Err(NO_CERTIFICATE.to_owned()),
        Some(key) => Ok((certificates, key)),
        None => Err(NO_KEY.to_owned()),
    }
}

fn is_of(key: &PKey<Private>, certificate: &X509) -> bool {
    certificate
        .public_key()
        .is_ok_and(|public| public.public_eq(key))
}

fn identity(
    file: &str,
    certificate: &X509Ref,
    all: &[X509],
    (label, _, key): Part,
) -> Result<ClientIdentity, ErrorStack> {
    let certificates = all
        .iter()
        .map(|certificate| certificate.to_der())
        .collect::<Result<Vec<_>, _>>()?;
    let lengths = certificates.iter().map(|der| pem::encoded_length(der));
    let length: usize = lengths.sum();
    let mut pem = Zeroizing::new(Vec::with_capacity(
        length.saturating_add(pem::encoded_length(key)),
    ));
    for certificate in &certificates {
        pem::encode("CERTIFICATE", certificate, &mut pem);
    }
    pem::encode(label, key, &mut pem);
    let mut subject = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let subject = subject
        .next()
        .and_then(|entry| entry.data().to_string().ok());
    let subject = subject.map_or(String::new(), |name| format!(" ({})", text::quoted(&name)));
    Ok(ClientIdentity {
        pem,
        name: format!("in {file}{subject}"),
        not_before: date(certificate.not_before())?,
        not_after: date(certificate.not_after())?,
    })
}

fn date(time: &Asn1TimeRef) -> Result<Date, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(Date {
        seconds: i64::from(since.days)
            .saturating_mul(DAY)
            .saturating_add(i64::from(since.secs)),
        text: time.to_string(),
    })
}
