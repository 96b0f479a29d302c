//! OCSP stapling (RFC 6066, section 8) and certificates that demand it (RFC 7633). Each function is one fault.

use super::tls::context_builder;
use crate::certificate::{Identity, Profile, ec_key, issue};
use crate::error::Error;
use crate::keys::ca;
use crate::log;
use crate::ocsp::{self, Status};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ssl::SslContext;
use std::path::Path;

/// The TLS features extension with status_request (5) as the one feature: object identifier and DER value.
const MUST_STAPLE: (&str, &[u8]) = ("1.3.6.1.5.5.7.1.24", b"\x30\x03\x02\x01\x05");

#[derive(Clone, Copy)]
enum Staple {
    Nothing,
    Garbage,
    Signed(Status),
    /// Names the certificate by its SHA-256 digest.
    WithSha256(Status),
    /// In the name of the CA, signed with another key.
    Forged(Status),
}

pub fn good(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[], Staple::Signed(Status::Good))
}

pub fn revoked(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[], Staple::Signed(Status::Revoked))
}

pub fn revoked_sha256(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[], Staple::WithSha256(Status::Revoked))
}

pub fn garbage(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[], Staple::Garbage)
}

pub fn must_staple(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[MUST_STAPLE], Staple::Nothing)
}

pub fn must_staple_good(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[MUST_STAPLE], Staple::Signed(Status::Good))
}

pub fn must_staple_forged(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[MUST_STAPLE], Staple::Forged(Status::Good))
}

pub fn must_staple_outdated(dir: &Path) -> Result<SslContext, Error> {
    stapled(dir, &[MUST_STAPLE], Staple::Signed(Status::WasGood))
}

/// The response is made anew for every client that asks for one, so that it is always fresh.
fn stapled(dir: &Path, extensions: &[(&str, &[u8])], staple: Staple) -> Result<SslContext, Error> {
    let ca = ca(dir)?;
    let profile = Profile {
        extensions,
        ..Profile::server()
    };
    let server = issue(&profile, Some(&ca))?;
    let mut builder = context_builder(&server, &[])?;
    let forger = Identity {
        key: ec_key()?,
        ..ca.clone()
    };
    let response = move || {
        let (signer, status, digest) = match staple {
            Staple::Nothing => return Ok(None),
            Staple::Garbage => return Ok(Some(b"no OCSP response".to_vec())),
            Staple::Signed(status) => (&ca, status, MessageDigest::sha1()),
            Staple::WithSha256(status) => (&ca, status, MessageDigest::sha256()),
            Staple::Forged(status) => (&forger, status, MessageDigest::sha1()),
        };
        ocsp::response(&server.certificate, signer, status, digest).map(Some)
    };
    builder.set_status_callback(move |ssl| match response() {
        Ok(None) => Ok(false),
        Ok(Some(response)) => ssl.set_ocsp_status(&response).map(|()| true),
        Err(cause) => {
            log::error(&cause.to_string());
            Err(ErrorStack::get())
        }
    })?;
    Ok(builder.build())
}
