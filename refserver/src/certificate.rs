//! Makes keys and certificates: the good ones of `keygen` and the bad ones of the TLS faults.

use crate::error::Error;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameRef};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// A certificate with its private key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// What a new certificate is to say; every fault is a difference from the default.
pub(crate) struct Profile<'a> {
    pub common_name: &'a str,
    pub role: Role,
    pub subject_alt_names: &'a [SubjectAltName],
    /// Days from now.
    pub valid_from: i64,
    pub valid_to: i64,
    pub digest: MessageDigest,
    /// Further extensions: object identifier and DER value.
    pub extensions: &'a [(&'a str, &'a [u8])],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ca,
    Server,
    Client,
}

pub(crate) enum SubjectAltName {
    Dns(&'static str),
    Ip(&'static str),
    Email(&'static str),
}

impl<'a> Profile<'a> {
    pub fn ca(common_name: &'a str) -> Profile<'a> {
        Profile {
            common_name,
            role: Role::Ca,
            subject_alt_names: &[],
            valid_from: -1,
            valid_to: 3650,
            digest: MessageDigest::sha256(),
            extensions: &[],
        }
    }

    pub fn server() -> Profile<'a> {
        Profile {
            role: Role::Server,
            subject_alt_names: &[
                SubjectAltName::Dns("localhost"),
                SubjectAltName::Ip("127.0.0.1"),
                SubjectAltName::Ip("::1"),
            ],
            ..Profile::ca("localhost")
        }
    }

    pub fn client(common_name: &'a str) -> Profile<'a> {
        Profile {
            role: Role::Client,
            ..Profile::ca(common_name)
        }
    }
}

pub(crate) fn ec_key() -> Result<PKey<Private>, Error> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

pub(crate) fn rsa_key(bits: u32) -> Result<PKey<Private>, Error> {
    Ok(PKey::from_rsa(Rsa::generate(bits)?)?)
}

/// A certificate over a fresh EC key, signed by `issuer`, or by itself without one.
pub(crate) fn issue(profile: &Profile<'_>, issuer: Option<&Identity>) -> Result<Identity, Error> {
    issue_for(ec_key()?, profile, issuer)
}

pub(crate) fn issue_for(
    key: PKey<Private>,
    profile: &Profile<'_>,
    issuer: Option<&Identity>,
) -> Result<Identity, Error> {
    let subject = name(profile.common_name)?;
    let issuer_name: &X509NameRef = match issuer {
        Some(issuer) => issuer.certificate.subject_name(),
        None => &subject,
    };
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = serial()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(issuer_name)?;
    let (from, to) = (
        days_from_now(profile.valid_from)?,
        days_from_now(profile.valid_to)?,
    );
    builder.set_not_before(&from)?;
    builder.set_not_after(&to)?;
    builder.set_pubkey(&key)?;
    add_extensions(&mut builder, profile, issuer)?;
    builder.sign(issuer.map_or(&key, |issuer| &issuer.key), profile.digest)?;
    Ok(Identity {
        certificate: builder.build(),
        key,
    })
}

fn add_extensions(
    builder: &mut X509Builder,
    profile: &Profile<'_>,
    issuer: Option<&Identity>,
) -> Result<(), Error> {
    let mut constraints = BasicConstraints::new();
    let mut usage = KeyUsage::new();
    if profile.role == Role::Ca {
        constraints.ca();
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature();
    }
    builder.append_extension(constraints.critical().build()?)?;
    builder.append_extension(usage.critical().build()?)?;
    match profile.role {
        Role::Ca => {}
        Role::Server => builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?,
        Role::Client => builder.append_extension(ExtendedKeyUsage::new().client_auth().build()?)?,
    }

    let issuer_certificate = issuer.map(|issuer| &*issuer.certificate);
    let key_identifier =
        SubjectKeyIdentifier::new().build(&builder.x509v3_context(issuer_certificate, None))?;
    builder.append_extension(key_identifier)?;
    if issuer.is_some() {
        let key_identifier = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&builder.x509v3_context(issuer_certificate, None))?;
        builder.append_extension(key_identifier)?;
    }
    if !profile.subject_alt_names.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in profile.subject_alt_names {
            match name {
                SubjectAltName::Dns(name) => names.dns(name),
                SubjectAltName::Ip(address) => names.ip(address),
                SubjectAltName::Email(address) => names.email(address),
            };
        }
        let names = names.build(&builder.x509v3_context(issuer_certificate, None))?;
        builder.append_extension(names)?;
    }
    for (object, der) in profile.extensions {
        let object = Asn1Object::from_str(object)?;
        let value = Asn1OctetString::new_from_bytes(der)?;
        builder.append_extension(X509Extension::new_from_der(&object, false, &value)?)?;
    }
    Ok(())
}

fn name(common_name: &str) -> Result<X509Name, Error> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, common_name)?;
    Ok(builder.build())
}

fn serial() -> Result<openssl::asn1::Asn1Integer, Error> {
    let mut number = BigNum::new()?;
    number.rand(127, MsbOption::MAYBE_ZERO, false)?;
    Ok(number.to_asn1_integer()?)
}

fn days_from_now(days: i64) -> Result<Asn1Time, Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    Ok(Asn1Time::from_unix(now + days * DAY)?)
}
