//! A client certificate whose time is over, as every vendor's is one day.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};
use std::time::{SystemTime, UNIX_EPOCH};

/// PEM of a certificate that has expired an hour ago, and of its key.
pub fn expired_client_certificate() -> Vec<u8> {
    let made = || -> Result<Vec<u8>, openssl::error::ErrorStack> {
        let key = PKey::from_rsa(Rsa::generate(2048)?)?;
        let mut name = X509NameBuilder::new()?;
        name.append_entry_by_text("CN", "expired")?;
        let name = name.build();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.expect("a clock").as_secs()).expect("seconds");
        let mut builder = X509::builder()?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_not_before(&*Asn1Time::from_unix(now - 7200)?)?;
        builder.set_not_after(&*Asn1Time::from_unix(now - 3600)?)?;
        builder.set_pubkey(&key)?;
        builder.sign(&key, MessageDigest::sha256())?;
        let mut pem = builder.build().to_pem()?;
        pem.extend(key.private_key_to_pem_pkcs8()?);
        Ok(pem)
    };
    made().expect("a certificate")
}
