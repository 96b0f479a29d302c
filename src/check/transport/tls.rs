//! What libcurl does not ask of TLS by itself: a security level, and names in subjectAltName only.

#![allow(unsafe_code)]

use super::staple;
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
        ffi::SSL_CTX_set_security_level(context, SECURITY_LEVEL);
        ffi::SSL_CTX_set_verify(
            context,
            ffi::SSL_VERIFY_PEER,
            Some(require_alternative_name),
        );
        staple::ask(context);
    }
}

/// Whether libcurl hands out contexts of the OpenSSL that psc is linked with.
pub fn libcurl_uses_our_openssl() -> bool {
    let ours = openssl::version::number() >> 28;
    curl::Version::get()
        .ssl_version()
        .and_then(|name| name.strip_prefix("OpenSSL/"))
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse::<i64>().ok())
        == Some(ours)
}

extern "C" fn require_alternative_name(
    preverified: c_int,
    store: *mut ffi::X509_STORE_CTX,
) -> c_int {
    // SAFETY: OpenSSL passes a live store; the certificate is borrowed from it.
    unsafe {
        if preverified != 1 || ffi::X509_STORE_CTX_get_error_depth(store) != 0 {
            return preverified;
        }
        let certificate = ffi::X509_STORE_CTX_get_current_cert(store);
        if ffi::X509_get_ext_by_NID(certificate, ffi::NID_subject_alt_name, -1) < 0 {
            ffi::X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
            return 0;
        }
    }
    1
}
