//! Certificates whose time is over, has not come, or is now.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Private};
use openssl::x509::{X509, X509Name};
use std::time::{SystemTime, UNIX_EPOCH};

/// PEM of a self-signed certificate of that common name, valid between two times in seconds from now.
pub fn self_signed(common_name: &str, key: &PKeyRef<Private>, from: i64, to: i64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("a clock").as_secs()).expect("seconds");
    let made = || -> Result<Vec<u8>, openssl::error::ErrorStack> {
        let mut name = X509Name::builder()?;
        name.append_entry_by_text("CN", common_name)?;
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_not_before(&*Asn1Time::from_unix(now + from)?)?;
        builder.set_not_after(&*Asn1Time::from_unix(now + to)?)?;
        builder.set_pubkey(key)?;
        builder.sign(key, MessageDigest::sha256())?;
        builder.build().to_pem()
    };
    made().expect("a certificate")
}
