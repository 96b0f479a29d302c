//! Certificates of the other side that cannot be verified.

use super::transfer::{Context, Transfer};
use crate::code::Code;
use crate::error::{Error, Retry};
use openssl_sys::{
    X509_V_ERR_CA_MD_TOO_WEAK, X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID,
    X509_V_ERR_CERT_REVOKED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_EE_KEY_TOO_SMALL,
    X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_UNSPECIFIED, X509_V_OK,
};
use std::ffi::c_int;

/// Results up to this mean that OpenSSL has found no fault, or has seen no certificate.
pub const NOT_JUDGED: c_int = X509_V_ERR_UNSPECIFIED;

const CHECK_TRUSTSTORE: &str = "check the truststore (the system's ca-certificates, or certificate_path), and whether a proxy intercepts the connection";
const CHECK_NAME: &str = "check `url` and the proxy setting, and whether something else answers at that address (a login page, an intercepting proxy)";
const THEIR_OPERATOR: &str =
    "the operator of that server must act, or a proxy intercepts the connection";

pub fn classify(transfer: &Transfer, context: &Context) -> Error {
    let (whose, verdict) = if transfer.proxy_verify_result > NOT_JUDGED {
        ("the proxy's", transfer.proxy_verify_result)
    } else {
        ("the server's", transfer.server_verify_result)
    };
    let level = transfer.policy.security_level;
    let is_too_weak = (X509_V_ERR_EE_KEY_TOO_SMALL..=X509_V_ERR_CA_MD_TOO_WEAK).contains(&verdict);
    if is_too_weak && transfer.policy.is_stricter_than_psc() {
        let what = format!(
            "{whose} certificate chain uses keys or digests that are too weak for the security level {level} of this machine"
        );
        return unverified(
            transfer,
            context,
            &what,
            "the policy of OpenSSL on this machine (openssl.cnf, CipherString @SECLEVEL, update-crypto-policies) is stricter than psc's: change it, or the operator of that server must act",
        );
    }
    let (what, advice) = match verdict {
        X509_V_ERR_CERT_NOT_YET_VALID => (
            "certificate is not valid yet",
            "check the clock of this machine",
        ),
        X509_V_ERR_CERT_HAS_EXPIRED => (
            "certificate has expired",
            "check the clock of this machine; if it is right, the operator of that server must act",
        ),
        X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        | X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        | X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE => (
            "certificate is not signed by a trusted authority",
            CHECK_TRUSTSTORE,
        ),
        X509_V_ERR_EE_KEY_TOO_SMALL..=X509_V_ERR_CA_MD_TOO_WEAK => (
            "certificate chain uses keys or digests that are too weak",
            THEIR_OPERATOR,
        ),
        X509_V_ERR_CERT_REVOKED => (
            "certificate has been revoked",
            "the operator of that server must act, or someone intercepts the connection",
        ),
        X509_V_ERR_HOSTNAME_MISMATCH => (
            "certificate is not for the host name that was asked for",
            CHECK_NAME,
        ),
        // libcurl's own comparison leaves no result.
        X509_V_OK | NOT_JUDGED if is_about_the_name(transfer) => (
            "certificate is not for the host name that was asked for",
            CHECK_NAME,
        ),
        _ => (
            "certificate cannot be verified",
            "check the clock of this machine, the truststore (ca-certificates, certificate_path), and whether a proxy intercepts the connection",
        ),
    };
    let error = unverified(transfer, context, &format!("{whose} {what}"), advice);
    match verdict {
        X509_V_ERR_CERT_NOT_YET_VALID | X509_V_ERR_CERT_HAS_EXPIRED => error.retried(Retry::Clock),
        _ => error,
    }
}

/// The words of libcurl 7 and 8.
fn is_about_the_name(transfer: &Transfer) -> bool {
    transfer.message.contains_any(&[
        "no alternative certificate subject name",
        "does not match target",
        "common name",
    ])
}

fn unverified(transfer: &Transfer, context: &Context, what: &str, advice: &'static str) -> Error {
    let reason = format!(
        "verification with the truststore {} failed: {what}{}",
        context.truststore, transfer.message
    );
    Error::new(Code::Tls, reason, advice)
}
