//! TLS handshakes that fail for another reason than the other side's certificate.

use super::facts::{Facts, Parties};
use super::{certificate, connect, unanswered};
use crate::code::Code;
use crate::failure::Failure;

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

pub fn failure(facts: &Facts, parties: &Parties) -> Failure {
    let words = &facts.words;
    let server = &parties.server;
    if facts.server_verdict.max(facts.proxy_verdict) > certificate::NOT_JUDGED {
        return certificate::failure(facts, parties);
    }
    if words.contain_any(&NOTHING_TO_OFFER) {
        return tls(
            format!("the TLS policy of this machine leaves nothing to offer{words}"),
            "check the policy of OpenSSL on this machine (openssl.cnf, OPENSSL_CONF, update-crypto-policies): TLS 1.2 or newer is needed, and a cipher for it",
        );
    }
    if is_about_our_certificate(facts, parties) {
        return client_certificate(facts, parties);
    }
    if is_cut_off(facts) {
        let after = match parties.client_certificate {
            None if facts.client_certificate_was_asked_for => connect::AFTER_REQUEST,
            _ => "",
        };
        return unanswered(
            format!("the connection to {server} broke off in the TLS handshake{after}{words}"),
            "check your connection security: the network, a firewall on the way, and whether a proxy must be set",
        );
    }
    if words.contain("status response") {
        return tls(
            format!(
                "the server's certificate has been revoked, or lacks the proof that it is not{words}"
            ),
            THEIR_OPERATOR,
        );
    }
    if words.contain_any(&NO_TLS) {
        return tls(
            format!("what answers in the place of {server} does not speak TLS{words}"),
            "check host and port in `url` and the proxy setting, and whether a login page (captive portal) or a proxy answers",
        );
    }
    if words.contain("unrecognized name") {
        return tls(
            format!("what answers in the place of {server} does not know that name{words}"),
            "check `url`, and whether its name leads to the right address",
        );
    }
    if words.contain_any(&REFUSED_OFFERS) || words.contain_any(&TOO_WEAK) {
        return no_common_ground(facts, parties);
    }
    tls(
        format!("the TLS handshake with {server} failed{words}"),
        "check whether a proxy or firewall interferes with the connection; TLS 1.2 or newer is needed",
    )
}

/// Neither side is wrong by itself.
fn no_common_ground(facts: &Facts, parties: &Parties) -> Failure {
    let (words, server) = (&facts.words, &parties.server);
    if let Some(rule) = facts.policy.rule() {
        return tls(
            format!("the TLS policy of this machine ({rule}) and {server} do not fit{words}"),
            THIS_POLICY,
        );
    }
    if words.contain_any(&TOO_WEAK) && !words.contain("unsupported protocol") {
        return tls(
            format!(
                "{server} wants a weaker handshake than psc and OpenSSL on this machine accept{words}"
            ),
            EITHER_POLICY,
        );
    }
    tls(
        format!("{server} has no version or cipher of TLS in common with this machine{words}"),
        "TLS 1.2 or newer is needed: the operator of that server must act, a proxy intercepts the connection, or the policy of OpenSSL on this machine (openssl.cnf, update-crypto-policies) is too strict",
    )
}

/// The server has refused the client certificate, or wants one and gets none.
pub fn client_certificate(facts: &Facts, parties: &Parties) -> Failure {
    let (words, server) = (&facts.words, &parties.server);
    match &parties.client_certificate {
        Some(path) => tls(
            format!("{server} refused the client certificate ({path}){words}"),
            "check client_certificate_path, and the clock of this machine; the certificate may be too old: try upgrading or reinstalling",
        ),
        None => tls(
            format!("{server} wants a client certificate, and none is configured{words}"),
            "set client_certificate_path; if it is set, its file is missing: try upgrading or reinstalling",
        ),
    }
}

fn is_about_our_certificate(facts: &Facts, parties: &Parties) -> bool {
    let words = &facts.words;
    if words.contain("certificate required") {
        return true;
    }
    let asked_for = facts.client_certificate_was_asked_for;
    words.contain("alert")
        && ((asked_for && words.contain("alert handshake failure"))
            || ((asked_for || parties.client_certificate.is_some())
                && words.contain_any(&ABOUT_OUR_CERTIFICATE)))
}

/// libcurl takes the server's alert that the client's certificate has expired for a fault of the server's certificate, and then
/// has no verdict on that.
pub fn is_alert_of_expiry(facts: &Facts) -> bool {
    facts
        .words
        .start_with("SSL certificate verification failed")
        && facts.server_verdict.max(facts.proxy_verdict) <= certificate::NOT_JUDGED
}

/// It was read at configuration, and OpenSSL or libcurl does not take it now.
pub fn unusable_client_certificate(facts: &Facts, parties: &Parties) -> Failure {
    let path = parties.client_certificate.as_deref().unwrap_or_default();
    let words = &facts.words;
    if words.contain_any(&["key too small", "md too weak"]) {
        return Failure::new(
            Code::File,
            format!(
                "the client certificate {path} is too weak for the TLS policy of this machine{words}"
            ),
            "try upgrading or reinstalling, for a newer certificate, or change the policy of OpenSSL (openssl.cnf, update-crypto-policies)",
        );
    }
    Failure::new(
        Code::File,
        format!("the client certificate {path} cannot be used{words}"),
        "check client_certificate_path; try upgrading or reinstalling",
    )
}

/// The words of libcurl 7 and 8 for a connection that ends before the handshake does; `SSL_connect:` goes before an errno.
fn is_cut_off(facts: &Facts) -> bool {
    let words = &facts.words;
    words.contain_any(&[
        "reset",
        "SSL_ERROR_SYSCALL",
        "SSL_ERROR_ZERO_RETURN",
        "unexpected eof",
        "Recv failure",
        "Send failure",
    ]) || words.contain("SSL_connect: ") && !words.contain("SSL_ERROR_SSL")
}

fn tls(reason: String, advice: &'static str) -> Failure {
    Failure::new(Code::Tls, reason, advice)
}
