//! TLS handshakes that fail for another reason than the other side's certificate.

use super::transfer::{Context, Transfer};
use super::{certificate, connect};
use crate::code::Code;
use crate::error::Error;

const THEIR_OPERATOR: &str =
    "the check server's operator must act, or someone intercepts the connection";
const THIS_POLICY: &str = "the policy of OpenSSL on this machine (openssl.cnf, OPENSSL_CONF, update-crypto-policies) forbids what the check server offers: change it, or the operator of that server must act";
const EITHER_POLICY: &str = "the operator of that server must act, a proxy intercepts the connection, or the policy of OpenSSL on this machine (openssl.cnf, update-crypto-policies) is too strict";

/// OpenSSL's where the policy of this machine leaves it nothing to offer.
const NOTHING_TO_OFFER: [&str; 6] = [
    "no ciphers available",
    "no protocols available",
    "failed setting cipher list",
    "failed setting TLS 1.3 cipher suite",
    "failed setting curves list",
    "failed setting signature algorithms",
];
/// OpenSSL's where what the server has chosen is below what is accepted here.
const TOO_WEAK: [&str; 12] = [
    "key too small",
    "md too weak",
    "unsafe legacy renegotiation disabled",
    "unsupported protocol",
    "version too low",
    "legacy sigalg disallowed",
    "wrong signature type",
    "no suitable signature algorithm",
    "wrong curve",
    "unsupported elliptic curve",
    "no suitable key share",
    "digital envelope routines::invalid digest",
];
/// Alerts (RFC 8446, section 6.2) of a server that accepts nothing of what it was offered.
const REFUSED_OFFERS: [&str; 4] = [
    "alert protocol version",
    "alert handshake failure",
    "alert insufficient security",
    "alert no application protocol",
];
/// Alerts that are about the client's certificate; `handshake failure` is one before TLS 1.3, once it was asked for.
const ABOUT_OUR_CERTIFICATE: [&str; 3] = ["certificate", "unknown ca", "access denied"];
/// What answers there speaks something else.
const NO_TLS: [&str; 4] = [
    "wrong version number",
    "unknown protocol",
    "http request",
    "packet length too long",
];

pub fn classify(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    let server = &context.server;
    if transfer
        .server_verify_result
        .max(transfer.proxy_verify_result)
        > certificate::NOT_JUDGED
    {
        return certificate::classify(transfer, context);
    }
    if message.contains_any(&NOTHING_TO_OFFER) {
        return tls(
            format!("the TLS policy of this machine leaves nothing to offer{message}"),
            "check the policy of OpenSSL on this machine (openssl.cnf, OPENSSL_CONF, update-crypto-policies): TLS 1.2 or newer is needed, and a cipher for it",
        );
    }
    if is_about_our_certificate(transfer, context) {
        return client_certificate(transfer, context);
    }
    if is_cut_off(transfer) {
        let after = match context.client_certificate {
            None if transfer.client_certificate_requested => connect::AFTER_REQUEST,
            _ => "",
        };
        return Error::unanswered(
            format!("the connection to {server} broke off in the TLS handshake{after}{message}"),
            "check your connection security: the network, a firewall on the way, and whether a proxy must be set",
        );
    }
    if message.contains("status response") {
        return tls(
            format!(
                "the server's certificate has been revoked, or lacks the proof that it is not{message}"
            ),
            THEIR_OPERATOR,
        );
    }
    if message.contains_any(&NO_TLS) {
        return tls(
            format!("what answers in the place of {server} does not speak TLS{message}"),
            "check host and port in `url` and the proxy setting, and whether a login page (captive portal) or a proxy answers",
        );
    }
    if message.contains("unrecognized name") {
        return tls(
            format!("what answers in the place of {server} does not know that name{message}"),
            "check `url`, and whether its name leads to the right address",
        );
    }
    if message.contains_any(&REFUSED_OFFERS) || message.contains_any(&TOO_WEAK) {
        return no_common_ground(transfer, context);
    }
    tls(
        format!("the TLS handshake with {server} failed{message}"),
        "check whether a proxy or firewall interferes with the connection; TLS 1.2 or newer is needed",
    )
}

/// Neither side is wrong by itself.
fn no_common_ground(transfer: &Transfer, context: &Context) -> Error {
    let (message, server) = (&transfer.message, &context.server);
    if let Some(rule) = transfer.policy.rule() {
        return tls(
            format!("the TLS policy of this machine ({rule}) and {server} do not fit{message}"),
            THIS_POLICY,
        );
    }
    if message.contains_any(&TOO_WEAK) && !message.contains("unsupported protocol") {
        return tls(
            format!(
                "{server} wants a weaker handshake than psc and OpenSSL on this machine accept{message}"
            ),
            EITHER_POLICY,
        );
    }
    tls(
        format!("{server} has no version or cipher of TLS in common with this machine{message}"),
        "TLS 1.2 or newer is needed: the operator of that server must act, a proxy intercepts the connection, or the policy of OpenSSL on this machine (openssl.cnf, update-crypto-policies) is too strict",
    )
}

/// The server has refused the client certificate, or wants one and gets none.
pub fn client_certificate(transfer: &Transfer, context: &Context) -> Error {
    let (message, server) = (&transfer.message, &context.server);
    match &context.client_certificate {
        Some(path) => tls(
            format!("{server} refused the client certificate ({path}){message}"),
            "check client_certificate_path, and the clock of this machine; the certificate may be too old: try upgrading or reinstalling",
        ),
        None => tls(
            format!("{server} wants a client certificate, and none is configured{message}"),
            "set client_certificate_path; if it is set, its file is missing: try upgrading or reinstalling",
        ),
    }
}

fn is_about_our_certificate(transfer: &Transfer, context: &Context) -> bool {
    let message = &transfer.message;
    if message.contains("certificate required") {
        return true;
    }
    let asked_for = transfer.client_certificate_requested;
    message.contains("alert")
        && ((asked_for && message.contains("alert handshake failure"))
            || ((asked_for || context.client_certificate.is_some())
                && message.contains_any(&ABOUT_OUR_CERTIFICATE)))
}

/// libcurl takes the server's alert that the client's certificate has expired for a fault of the server's certificate, and then
/// has no verdict on that.
pub fn is_alert_of_expiry(transfer: &Transfer) -> bool {
    transfer
        .message
        .starts_with("SSL certificate verification failed")
        && transfer
            .server_verify_result
            .max(transfer.proxy_verify_result)
            <= certificate::NOT_JUDGED
}

/// It was read at configuration, and OpenSSL or libcurl does not take it now.
pub fn unusable_client_certificate(transfer: &Transfer, context: &Context) -> Error {
    let path = context.client_certificate.as_deref().unwrap_or_default();
    let message = &transfer.message;
    if message.contains_any(&["key too small", "md too weak"]) {
        return Error::new(
            Code::File,
            format!(
                "the client certificate {path} is too weak for the TLS policy of this machine{message}"
            ),
            "try upgrading or reinstalling, for a newer certificate, or change the policy of OpenSSL (openssl.cnf, update-crypto-policies)",
        );
    }
    Error::new(
        Code::File,
        format!("the client certificate {path} cannot be used{message}"),
        "check client_certificate_path; try upgrading or reinstalling",
    )
}

/// The words of libcurl 7 and 8 for a connection that ends before the handshake does; `SSL_connect:` goes before an errno.
fn is_cut_off(transfer: &Transfer) -> bool {
    let message = &transfer.message;
    message.contains_any(&[
        "reset",
        "SSL_ERROR_SYSCALL",
        "SSL_ERROR_ZERO_RETURN",
        "unexpected eof",
        "Recv failure",
        "Send failure",
    ]) || message.contains("SSL_connect: ") && !message.contains("SSL_ERROR_SSL")
}

fn tls(reason: String, advice: &'static str) -> Error {
    Error::new(Code::Tls, reason, advice)
}
