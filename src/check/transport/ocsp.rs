//! OCSP stapling (RFC 6066, section 8): a certificate that its issuer has revoked is refused, and one that says it must
//! come with a stapled response (RFC 7633) is refused without one. Where nothing usable is stapled, nothing is known: that is no
//! reason to refuse, since an attacker would leave it away.

#![allow(unsafe_code)]

use crate::panic::catch_panic;
use foreign_types::ForeignTypeRef;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspBasicResponse, OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::ssl::SslRef;
use openssl::x509::X509Ref;
use openssl_sys as ffi;
use std::ffi::{c_int, c_long, c_void};
use std::ptr;

/// TLS features (RFC 7633), of which "status request" is the only one in use.
const NID_TLSFEATURE: c_int = 1020;

/// Asks for a stapled response in the handshakes of this context.
///
/// # Safety
/// `context` is a live `SSL_CTX` of the OpenSSL that psc is linked with.
pub unsafe fn ask(context: *mut ffi::SSL_CTX) {
    type Callback = extern "C" fn(*mut ffi::SSL, *mut c_void) -> c_int;
    let callback: Callback = on_ocsp_response;
    // SAFETY: the caller's promise; the callback is a plain function of the type that OpenSSL documents for it.
    unsafe {
        ffi::SSL_CTX_ctrl(
            context,
            ffi::SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE,
            c_long::from(ffi::TLSEXT_STATUSTYPE_ocsp),
            ptr::null_mut(),
        );
        ffi::SSL_CTX_callback_ctrl__fixed_rust(
            context,
            ffi::SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
            Some(std::mem::transmute::<Callback, unsafe extern "C" fn()>(
                callback,
            )),
        );
    }
}

/// Called by OpenSSL when the server's certificate is verified, with or without a stapled response.
extern "C" fn on_ocsp_response(ssl: *mut ffi::SSL, _: *mut c_void) -> c_int {
    const ACCEPTED: c_int = 1;
    const REFUSED: c_int = 0;
    let acceptable = catch_panic(|| {
        // SAFETY: OpenSSL passes the connection that it is in the handshake of.
        let ssl = unsafe { SslRef::from_ptr(ssl) };
        is_acceptable(ssl)
    });
    match acceptable {
        Ok(true) => ACCEPTED,
        _ => REFUSED,
    }
}

fn is_acceptable(ssl: &SslRef) -> bool {
    match status(ssl) {
        Some(status) if status == OcspCertStatus::REVOKED => false,
        Some(status) if status == OcspCertStatus::GOOD => true,
        _ => !ssl
            .verified_chain()
            .and_then(|chain| chain.get(0))
            .is_some_and(must_be_stapled),
    }
}

/// What the stapled answer, signed by the issuer or its delegate and in force, says of the server's certificate.
fn status(ssl: &SslRef) -> Option<OcspCertStatus> {
    const CLOCK_LEEWAY: u32 = 300;
    let chain = ssl.verified_chain()?;
    let (certificate, issuer) = (chain.get(0)?, chain.get(1)?);
    let answer = OcspResponse::from_der(ssl.ocsp_status()?)
        .ok()?
        .basic()
        .ok()?;
    answer
        .verify(chain, ssl.ssl_context().cert_store(), OcspFlag::empty())
        .ok()?;
    [MessageDigest::sha1(), MessageDigest::sha256()]
        .into_iter()
        .find_map(|digest| {
            let id = OcspCertId::from_cert(digest, certificate, issuer).ok()?;
            in_force(&answer, &id, CLOCK_LEEWAY)
        })
}

fn in_force(answer: &OcspBasicResponse, id: &OcspCertId, leeway: u32) -> Option<OcspCertStatus> {
    let status = answer.find_status(id)?;
    status.check_validity(leeway, None).ok()?;
    Some(status.status)
}

fn must_be_stapled(certificate: &X509Ref) -> bool {
    // SAFETY: looks into a certificate that lives through the call.
    unsafe { ffi::X509_get_ext_by_NID(certificate.as_ptr(), NID_TLSFEATURE, -1) >= 0 }
}
