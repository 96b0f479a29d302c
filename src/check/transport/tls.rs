//! What libcurl does not ask of TLS by itself: a security level, and names in subjectAltName only.

#![allow(unsafe_code)]

use super::staple;
use crate::contain::contained;
use crate::libcurl::Version;
use foreign_types::ForeignTypeRef;
use openssl::x509::X509Ref;
use openssl_sys as ffi;
use std::ffi::{c_int, c_void};

/// OpenSSL's level 2: 112 bits, so no RSA below 2048 bits and no SHA-1 in the chain.
const SECURITY_LEVEL: c_int = 2;
const X509_V_ERR_HOSTNAME_MISMATCH: c_int = 62;

/// Called by libcurl with its `SSL_CTX` before a handshake, the proxy's as well as the server's.
///
/// libcurl accepts the certificate's common name where there is no subjectAltName; RFC 9110, section 4.3.4, does not.
pub fn harden(context: *mut c_void) {
    let context: *mut ffi::SSL_CTX = context.cast();
    if context.is_null() {
        return;
    }
    // SAFETY: a live SSL_CTX of the same OpenSSL: `post` has checked that. The callback is a plain function: nothing is
    // registered that would outlive psc's code.
    unsafe {
        // The system's policy may ask for more.
        let level = ffi::SSL_CTX_get_security_level(context).max(SECURITY_LEVEL);
        ffi::SSL_CTX_set_security_level(context, level);
        ffi::SSL_CTX_set_verify(
            context,
            ffi::SSL_VERIFY_PEER,
            Some(require_alternative_name),
        );
        staple::ask(context);
    }
}

/// Whether libcurl hands out contexts of the OpenSSL that psc is linked with: the same version to the last letter.
pub fn libcurl_uses_our_openssl() -> bool {
    let ours = openssl::version::version();
    Version::get()
        .ssl_version()
        .and_then(|name| name.strip_prefix("OpenSSL/"))
        .is_some_and(|theirs| ours.split(' ').nth(1) == Some(theirs))
}

extern "C" fn require_alternative_name(
    preverified: c_int,
    store: *mut ffi::X509_STORE_CTX,
) -> c_int {
    // SAFETY: OpenSSL passes a live store; the certificate is borrowed from it.
    let certificate = unsafe {
        if preverified != 1 || ffi::X509_STORE_CTX_get_error_depth(store) != 0 {
            return preverified;
        }
        X509Ref::from_ptr(ffi::X509_STORE_CTX_get_current_cert(store))
    };
    if contained(|| has_alternative_name(certificate)).is_ok_and(|found| found) {
        return 1;
    }
    // SAFETY: as above.
    unsafe { ffi::X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH) };
    0
}

/// A name of the kinds that a host is compared with.
fn has_alternative_name(certificate: &X509Ref) -> bool {
    certificate.subject_alt_names().is_some_and(|names| {
        names
            .iter()
            .any(|name| name.dnsname().is_some() || name.ipaddress().is_some())
    })
}
