//! HTTP statuses other than 200.

use super::proxy::CAPTIVE_PORTAL;
use crate::code::Code;
use crate::error::{Error, Retry};

/// `body` is what came with it: a page for people, of which nothing is shown.
pub fn classify(http_status: i32, retry_after: Option<u64>, body: &[u8]) -> Error {
    let (what, advice) = match http_status {
        300..=303 | 305..=399 => (
            "a redirect, which is never followed",
            "something on the way redirects the check, for instance a login page (captive portal): check `url` and the network",
        ),
        // nginx's words for a client certificate that is missing or that it refuses.
        400 if mentions(body, b"SSL certificate") => (
            "the server wants another client certificate",
            "check client_certificate_path; the certificate may be missing or too old: try upgrading or reinstalling",
        ),
        400 | 405 | 411 | 413 | 415 | 422 => (
            "the server does not accept the request",
            "check that passenger_version, server_identifier and `url` are right, and whether this version is still supported",
        ),
        401 | 403 => (
            "the server denies access",
            "check client_certificate_path, and whether a proxy or firewall blocks the check",
        ),
        404 | 410 => (
            "not found: there is no check at this address",
            "check `url`",
        ),
        // Beyond the tunnel: the proxy that psc goes through has let it pass.
        407 => (
            "the server, or a gateway before it, wants a proxy's authentication",
            "check `url`; the check server's operator must act, or something intercepts the connection",
        ),
        429 => (
            "a rate limit: the server has had too many requests from this address",
            "nothing to do unless it lasts: the check is repeated, you can also try again later",
        ),
        511 => (
            "the network wants a login, and something on the way answers in the server's place",
            CAPTIVE_PORTAL,
        ),
        500..=599 => (
            "the server, or a gateway before it, has a problem",
            "nothing to do unless it lasts: the check is repeated, you can also try again later",
        ),
        _ => (
            "not the agreed answer",
            "check `url` and proxies on the way",
        ),
    };
    let retry = match (http_status, retry_after) {
        (429 | 503, Some(seconds)) => Retry::After(seconds),
        _ => Retry::Interval,
    };
    Error::new(Code::Http, format!("HTTP {http_status}: {what}"), advice).retried(retry)
}

fn mentions(body: &[u8], message: &[u8]) -> bool {
    body.windows(message.len()).any(|part| part == message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirects_are_called_so() {
        for http_status in [300, 301, 302, 303, 305, 307, 308, 399] {
            let error = classify(http_status, None, b"");
            assert!(error.reason.contains("redirect"), "{http_status}");
        }
        for http_status in [204, 304, 400, 407, 511] {
            let error = classify(http_status, None, b"");
            assert!(!error.to_string().contains("redirect"), "{http_status}");
        }
    }

    /// The words that administrators grep for.
    #[test]
    fn statuses_have_their_words() {
        for (http_status, message) in [
            (404, &["HTTP 404", "not found"] as &[&str]),
            (429, &["HTTP 429", "rate limit", "try again later"]),
            (500, &["HTTP 500", "try again later"]),
            (503, &["HTTP 503", "try again later"]),
            (418, &["HTTP 418"]),
            (511, &["HTTP 511", "captive portal"]),
        ] {
            let text = classify(http_status, None, b"").to_string();
            for message in message {
                assert!(text.contains(message), "{http_status}: {text}");
            }
        }
    }

    #[test]
    fn a_page_about_the_client_certificate_is_understood() {
        let page = b"<html><head><title>400 No required SSL certificate was sent</title></head>";
        assert!(
            classify(400, None, page)
                .to_string()
                .contains("client_certificate_path")
        );
        assert!(
            !classify(400, None, b"Bad Request")
                .to_string()
                .contains("client_certificate_path")
        );
    }
}
