//! What libcurl does not ask of TLS by itself: a security level, and names in subjectAltName only.

#![allow(unsafe_code)]

use super::ocsp;
use crate::libcurl::Version;
use crate::panic::catch_panic;
use foreign_types::ForeignTypeRef;
use openssl::x509::X509Ref;
use openssl_sys as ffi;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

/// OpenSSL's level 2: 112 bits, so no RSA below 2048 bits and no SHA-1 in the chain.
const SECURITY_LEVEL: c_int = 2;

unsafe extern "C" {
    fn SSL_CTX_set_cert_cb(
        context: *mut ffi::SSL_CTX,
        callback: Option<extern "C" fn(*mut ffi::SSL, *mut c_void) -> c_int>,
        argument: *mut c_void,
    );
}

/// What the configuration of OpenSSL on this machine asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub security_level: c_int,
    pub forbids_tls_1_2: bool,
    pub forbids_tls_1_3: bool,
}

impl Policy {
    pub fn is_stricter_than_psc(self) -> bool {
        self.security_level > SECURITY_LEVEL
    }

    /// What in it is stricter than psc; `None` when nothing is known to be.
    pub fn rule(self) -> Option<String> {
        match self {
            Policy {
                forbids_tls_1_2: true,
                ..
            } => Some("it forbids TLS 1.2".to_owned()),
            Policy {
                forbids_tls_1_3: true,
                ..
            } => Some("it forbids TLS 1.3".to_owned()),
            _ if self.is_stricter_than_psc() => {
                Some(format!("security level {}", self.security_level))
            }
            _ => None,
        }
    }
}

/// Called by libcurl with its `SSL_CTX` before a handshake, the proxy's as well as the server's.
///
/// libcurl accepts the certificate's common name where there is no subjectAltName; RFC 9110, section 4.3.4, does not.
///
/// `asked_for` is set when the other side asks for a client certificate; it must live as long as the context. Returns the
/// policy of this machine.
pub fn harden(context: *mut c_void, asked_for: &AtomicBool) -> Policy {
    let context: *mut ffi::SSL_CTX = context.cast();
    if context.is_null() {
        return Policy::default();
    }
    // SAFETY: a live SSL_CTX of the same OpenSSL: `post` has checked that. The callback is a plain function: nothing is
    // registered that would outlive psc's code.
    unsafe {
        let security_level = ffi::SSL_CTX_get_security_level(context);
        let options = ffi::SSL_CTX_get_options(context);
        // The system's policy may ask for more.
        ffi::SSL_CTX_set_security_level(context, security_level.max(SECURITY_LEVEL));
        SSL_CTX_set_cert_cb(
            context,
            Some(note_request),
            ptr::from_ref(asked_for).cast_mut().cast(),
        );
        ffi::SSL_CTX_set_verify(
            context,
            ffi::SSL_VERIFY_PEER,
            Some(require_alternative_name),
        );
        // libcurl has set it where the environment has SSLKEYLOGFILE: the secrets of a check are nobody's.
        ffi::SSL_CTX_set_keylog_callback(context, None);
        ocsp::ask(context);
        Policy {
            security_level,
            forbids_tls_1_2: options & ffi::SSL_OP_NO_TLSv1_2 != 0,
            forbids_tls_1_3: options & ffi::SSL_OP_NO_TLSv1_3 != 0,
        }
    }
}

/// Called by OpenSSL when the other side has asked for a certificate, whether or not there is one.
extern "C" fn note_request(_: *mut ffi::SSL, asked_for: *mut c_void) -> c_int {
    const GO_ON: c_int = 1;
    // SAFETY: what `harden` was given, which lives as long as the transfer.
    unsafe { &*asked_for.cast::<AtomicBool>() }.store(true, Ordering::Relaxed);
    GO_ON
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
    if catch_panic(|| has_alternative_name(certificate)).is_ok_and(|found| found) {
        return 1;
    }
    // SAFETY: as above.
    unsafe { ffi::X509_STORE_CTX_set_error(store, ffi::X509_V_ERR_HOSTNAME_MISMATCH) };
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
