//! libcurl's errors, proxy answers and HTTP statuses as reasons and advice for an administrator.

use super::Exchange;
use super::options;
use super::route::{self, Route};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::failure::{Failure, Retry};
use crate::libcurl::{Easy2, Error, Version};
use crate::sys::pipe;
use crate::text;
use std::fmt;

/// libcurl's code for a failed proxy handshake (7.73 and newer), not named by `curl`.
const CURLE_PROXY: curl_sys::CURLcode = 97;
/// More than a look-up needs: a few name services, each with a file and a socket.
const PIPES_OF_A_LOOK_UP: usize = 4;
const CURLE_WEIRD_SERVER_REPLY: curl_sys::CURLcode = 8;
const CURLE_TOO_LARGE: curl_sys::CURLcode = 100;

/// Nothing is sent without something to trust.
pub fn no_trust() -> Failure {
    Failure::new(
        Code::File,
        "there are no certificate authorities to verify the server with",
        "install the system's ca-certificates, or set certificate_path",
    )
}

/// libcurl refused an option.
pub fn of_setup(error: &Error) -> Failure {
    match error.code() {
        curl_sys::CURLE_OUT_OF_MEMORY => Failure::system("libcurl ran out of memory"),
        _ => Failure::new(
            Code::System,
            format!(
                "this libcurl ({}) cannot be set up: {error}",
                Version::get().version()
            ),
            "psc needs libcurl 7.71 or newer, built with OpenSSL",
        ),
    }
}

/// libcurl brings a TLS library that psc's verification rules cannot be set in.
pub fn foreign_tls() -> Failure {
    let version = Version::get();
    Failure::new(
        Code::System,
        format!(
            "this libcurl uses {} and not OpenSSL as psc does",
            version.ssl_version().unwrap_or("no TLS")
        ),
        "link or install the OpenSSL flavour of libcurl, 7.71 or newer",
    )
}

pub fn timeout(config: &CheckConfig) -> Failure {
    let seconds = config.settings.timeout;
    Failure::new(
        Code::Network,
        format!(
            "timed out: no answer from {} within {seconds} seconds",
            place(config)
        ),
        "check the network, a firewall on the way, and whether a proxy must be set",
    )
    .retried(Retry::Unanswered)
}

/// libcurl calls it a failure to connect, and the network is not to blame.
pub fn no_socket(reason: &std::io::Error) -> Failure {
    Failure::system(format!("no descriptor for a socket: {reason}"))
}

/// The transfer broke off.
pub fn of_transfer(easy: &Easy2<Exchange>, error: &Error, config: &CheckConfig) -> Failure {
    if let Some((variable, problem)) = route::unusable(error, config) {
        return Failure::new(
            Code::Network,
            format!("no proxy can be read from the environment variable {variable}: {problem}"),
            "mend the variable and start the host anew, or set proxy_url",
        );
    }
    let detail = Detail::of(error);
    let connect_code = options::connect_code(easy);
    let status = status(easy);
    match error.code() {
        // A proxy has refused CONNECT: a receive error to libcurl 7, a connection that cannot be made to libcurl 8.
        _ if status == 0 && connect_code >= 300 => of_proxy_status(connect_code, config),
        // A look-up opens files and sockets of its own, and does not tell why it failed.
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY
            if !pipe::has_room(PIPES_OF_A_LOOK_UP) =>
        {
            Failure::system(format!(
                "no name can be resolved{detail}: hardly a descriptor is left"
            ))
        }
        // libcurl before 8 calls the name of a SOCKS proxy a host's.
        curl_sys::CURLE_COULDNT_RESOLVE_HOST if !is_about_proxy(&detail, config) => unanswered(
            format!("the name {} cannot be resolved", place(config)),
            "check the name servers of this machine (/etc/resolv.conf), or set a proxy that resolves names",
        ),
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY => unanswered(
            format!("the name of the proxy{} cannot be resolved", proxy(config)),
            "check the proxy setting and the name servers of this machine",
        ),
        curl_sys::CURLE_COULDNT_CONNECT => could_not_connect(&detail, config),
        curl_sys::CURLE_OPERATION_TIMEDOUT => Failure {
            reason: format!("timed out: no complete answer from {} in time{detail}", place(config)),
            ..timeout(config)
        },
        CURLE_PROXY => of_socks(easy, &detail, config),
        curl_sys::CURLE_PEER_FAILED_VERIFICATION
        | curl_sys::CURLE_SSL_ISSUER_ERROR
        | curl_sys::CURLE_SSL_INVALIDCERTSTATUS => of_certificate(easy, &detail),
        curl_sys::CURLE_SSL_CONNECT_ERROR
        | curl_sys::CURLE_SSL_CIPHER
        | curl_sys::CURLE_USE_SSL_FAILED
        | curl_sys::CURLE_SSL_ENGINE_NOTFOUND
        | curl_sys::CURLE_SSL_SHUTDOWN_FAILED => of_handshake(easy, &detail, config),
        curl_sys::CURLE_SSL_CERTPROBLEM => Failure::new(
            Code::File,
            format!("the client certificate cannot be used{detail}"),
            "check client_certificate_path",
        ),
        curl_sys::CURLE_SSL_CACERT_BADFILE => Failure::new(
            Code::File,
            format!(
                "the certificate authorities in {} cannot be used{detail}",
                config.trust.as_deref().map_or(String::new(), |trust| text::quoted(&trust.path().to_string_lossy()))
            ),
            "check certificate_path, or the system's ca-certificates",
        ),
        // What libcurl before 8.5 calls a header line that is too long.
        curl_sys::CURLE_OUT_OF_MEMORY if status != 0 => super::too_large(),
        curl_sys::CURLE_OUT_OF_MEMORY => Failure::system("libcurl ran out of memory"),
        curl_sys::CURLE_FAILED_INIT => Failure::system(format!("libcurl cannot start{detail}")),
        curl_sys::CURLE_UNSUPPORTED_PROTOCOL | CURLE_WEIRD_SERVER_REPLY => Failure::new(
            Code::Network,
            format!("{} does not speak HTTP as agreed{detail}", place(config)),
            "check that `url` names a security update check server",
        ),
        CURLE_TOO_LARGE => super::too_large(),
        // TLS 1.3 servers refuse a client certificate after the handshake, as an alert in the first answer.
        curl_sys::CURLE_RECV_ERROR if is_alert(&detail) => of_handshake(easy, &detail, config),
        _ => broken(&detail, config),
    }
    .with_status(status)
}

/// The status of the server's answer; 0 when there was none.
pub fn status(easy: &Easy2<Exchange>) -> i32 {
    i32::try_from(easy.response_code()).unwrap_or(0)
}

/// An HTTP status other than 200.
pub fn of_status(status: i32, retry_after: Option<u64>) -> Failure {
    let (what, advice) = match status {
        300..=303 | 305..=399 => (
            "a redirect, which is never followed",
            "something on the way redirects the check, for instance a login page (captive portal): check `url` and the network",
        ),
        400 | 405 | 411 | 413 | 415 | 422 => (
            "the server does not accept the request",
            "check that passenger_version, server_identifier and `url` are right, and whether this version is still supported",
        ),
        401 | 403 => (
            "the server denies access",
            "check client_certificate_path, and whether a proxy or firewall blocks the check",
        ),
        404 | 410 => ("there is no check at this address", "check `url`"),
        // Beyond the tunnel: the proxy that psc goes through has let it pass.
        407 => (
            "the server, or a gateway before it, wants a proxy's authentication",
            "check `url`; the check server's operator must act, or something intercepts the connection",
        ),
        429 => (
            "the server has had too many requests from this address",
            "nothing to do unless it lasts: the check is repeated later",
        ),
        500..=599 => (
            "the server, or a gateway before it, has a problem",
            "nothing to do unless it lasts: the check is repeated later",
        ),
        _ => (
            "not the agreed answer",
            "check `url` and proxies on the way",
        ),
    };
    let retry = match (status, retry_after) {
        (429 | 503, Some(seconds)) => Retry::After(seconds),
        _ => Retry::Interval,
    };
    Failure::new(Code::Http, format!("HTTP status {status}: {what}"), advice)
        .with_status(status)
        .retried(retry)
}

fn unanswered(reason: String, advice: &'static str) -> Failure {
    Failure::new(Code::Network, reason, advice).retried(Retry::Unanswered)
}

fn could_not_connect(detail: &Detail, config: &CheckConfig) -> Failure {
    match Route::of(config) {
        Route::Direct => unanswered(
            format!("cannot connect to {}{detail}", place(config)),
            "check the network, the firewall (on SELinux systems httpd_can_network_connect), and whether a proxy must be set",
        ),
        Route::Proxy(name) => unanswered(
            format!("cannot connect to the proxy {name}{detail}"),
            "check the proxy setting and whether the proxy runs",
        ),
        Route::Either(name) => unanswered(
            format!(
                "cannot connect to the proxy {name}, or to {} if NO_PROXY names it{detail}",
                place(config)
            ),
            "check the network, the firewall, the proxy setting and whether the proxy runs",
        ),
    }
}

fn of_proxy_status(status: i64, config: &CheckConfig) -> Failure {
    let name = proxy(config);
    let (reason, advice) = match status {
        // Some proxies say 401 to wrong credentials, 407 to missing ones.
        401 | 407 => (
            format!("the proxy{name} wants authentication (status {status})"),
            "check user and password in the proxy setting, and that the proxy accepts Basic authentication: psc offers no other",
        ),
        403 => (
            format!("the proxy{name} forbids the connection (status 403)"),
            "allow the check server's host and port in the proxy",
        ),
        _ => (
            format!(
                "the proxy{name} cannot connect to {} (status {status})",
                place(config)
            ),
            "check the proxy, and whether it can reach the check server",
        ),
    };
    Failure::new(Code::Network, reason, advice)
}

fn of_socks(easy: &Easy2<Exchange>, detail: &Detail, config: &CheckConfig) -> Failure {
    const SETTING: &str = "check the proxy setting: scheme, user and password";
    const RULES: &str = "check the rules of the proxy, and whether it can reach the check server";
    // CURLPX_… of include/curl/curl.h.
    let (what, advice) = match options::proxy_error(easy) {
        27 => {
            return unanswered(
                format!("the name {} cannot be resolved{detail}", place(config)),
                "check the name servers of this machine, or let the proxy resolve the name (socks5h, socks4a)",
            );
        }
        10..=12 | 14 | 28 | 33 => ("refused the user or password, or wants them", SETTING),
        4..=8 => ("wants an authentication that psc does not have", SETTING),
        17 => ("does not support this type of address", RULES),
        18 => ("does not support connections", RULES),
        19 => ("found the connection to the check server refused", RULES),
        20 => ("has a general failure", RULES),
        21 => ("cannot reach the check server's host", RULES),
        22 => ("cannot reach the check server's network", RULES),
        23 => ("does not allow the connection", RULES),
        24 => ("found the check server too far away (TTL expired)", RULES),
        25 | 26 => ("refused or failed to make the connection", RULES),
        _ => ("does not speak its protocol as agreed", SETTING),
    };
    Failure::new(
        Code::Network,
        format!("the proxy{} {what}{detail}", proxy(config)),
        advice,
    )
}

/// Results up to this mean that OpenSSL has found no fault, or has seen no certificate.
const NOT_JUDGED: i64 = 1;

fn of_certificate(easy: &Easy2<Exchange>, detail: &Detail) -> Failure {
    let of_proxy = options::proxy_verify_result(easy);
    let (whose, verify_result) = if of_proxy > NOT_JUDGED {
        ("the proxy's", of_proxy)
    } else {
        ("the server's", options::verify_result(easy))
    };
    // X509_V_ERR_… of OpenSSL's x509_vfy.h.
    let (what, advice) = match verify_result {
        9 => (
            "certificate is not valid yet",
            "check the clock of this machine",
        ),
        10 => (
            "certificate has expired",
            "check the clock of this machine; if it is right, the operator of that server must act",
        ),
        2 | 18 | 19 | 20 | 21 => (
            "certificate is not signed by a trusted authority",
            "check the system's ca-certificates or certificate_path, and whether a proxy intercepts the connection",
        ),
        66..=68 => (
            "certificate chain uses keys or digests that are too weak",
            "the operator of that server must act, or a proxy intercepts the connection",
        ),
        23 => (
            "certificate has been revoked",
            "the operator of that server must act, or someone intercepts the connection",
        ),
        // libcurl's own comparison leaves no result.
        62 | 0 | 1 => (
            "certificate is not for the host name that was asked for",
            "check `url` and the proxy setting, and whether something else answers at that address",
        ),
        _ => (
            "certificate cannot be verified",
            "check the clock of this machine, its certificate authorities (ca-certificates, certificate_path), and whether a proxy intercepts the connection",
        ),
    };
    let retry = match verify_result {
        9 | 10 => Retry::Clock,
        _ => Retry::Interval,
    };
    Failure::new(Code::Tls, format!("{whose} {what}{detail}"), advice).retried(retry)
}

fn of_handshake(easy: &Easy2<Exchange>, detail: &Detail, config: &CheckConfig) -> Failure {
    let judged = options::verify_result(easy).max(options::proxy_verify_result(easy));
    if judged > NOT_JUDGED {
        return of_certificate(easy, detail);
    }
    if is_cut_off(detail) {
        return unanswered(
            format!(
                "the connection to {} broke off in the TLS handshake{detail}",
                place(config)
            ),
            "check the network, a firewall on the way, and whether a proxy must be set",
        );
    }
    if detail.contains("status response") {
        return Failure::new(
            Code::Tls,
            format!(
                "the server's certificate has been revoked, or lacks the proof that it is not{detail}"
            ),
            "the check server's operator must act, or someone intercepts the connection",
        );
    }
    if is_alert(detail) && is_about_our_certificate(detail, config) {
        let file = match &config.settings.client_certificate_path {
            Some(path) => text::quoted(&path.to_string_lossy()),
            None => "none is configured".to_owned(),
        };
        return Failure::new(
            Code::Tls,
            format!("the server refused the client certificate ({file}){detail}"),
            "check client_certificate_path",
        );
    }
    Failure::new(
        Code::Tls,
        format!("the TLS handshake with {} failed{detail}", place(config)),
        "TLS 1.2 or newer is needed; check whether a proxy or firewall interferes with the connection",
    )
}

/// Alerts are the server's: one about a certificate means the client's (RFC 8446, section 6.2).
fn is_about_our_certificate(detail: &Detail, config: &CheckConfig) -> bool {
    let presented = config.client_identity.is_some()
        && ["certificate", "unknown ca", "access denied"]
            .iter()
            .any(|words| detail.contains(words));
    presented || detail.contains("certificate required")
}

/// The words of libcurl 7 and 8 for a connection that ends before the handshake does.
fn is_cut_off(detail: &Detail) -> bool {
    [
        "reset",
        "SSL_ERROR_SYSCALL",
        "unexpected eof",
        "Recv failure",
        "Send failure",
    ]
    .iter()
    .any(|words| detail.contains(words))
}

fn is_alert(detail: &Detail) -> bool {
    detail.contains("alert")
}

fn broken(detail: &Detail, config: &CheckConfig) -> Failure {
    Failure::new(
        Code::Network,
        format!("the connection to {} broke off{detail}", place(config)),
        "check the network and proxies on the way",
    )
}

/// Where a check goes, for messages.
fn place(config: &CheckConfig) -> String {
    text::quoted(config.settings.url.host())
}

/// ` http://***@host:port` or ` that https_proxy names`; nothing when there is no proxy.
fn proxy(config: &CheckConfig) -> String {
    Route::of(config).proxy()
}

/// Whether the name that libcurl could not resolve is a proxy's.
fn is_about_proxy(detail: &Detail, config: &CheckConfig) -> bool {
    let server = config.settings.url.host().trim_end_matches('.');
    // "Could not resolve host: name", and perhaps why not.
    let name = detail
        .raw
        .split_once(": ")
        .and_then(|(_, rest)| rest.split_ascii_whitespace().next());
    let is_another =
        name.is_some_and(|name| !name.trim_end_matches('.').eq_ignore_ascii_case(server));
    is_another && Route::of(config) != Route::Direct
}

/// libcurl's own words: as they are, to judge by; as they may be shown, in brackets.
struct Detail {
    raw: String,
    shown: String,
}

impl Detail {
    fn of(error: &Error) -> Detail {
        let general = error.description();
        let raw = error.extra_description().unwrap_or(general);
        // A configured login is never in libcurl's words: it does not get it as part of a URL. The environment's can
        // be, before an @ as in any URL.
        let shown = if raw.contains('@') { general } else { raw };
        Detail {
            raw: raw.to_owned(),
            shown: text::quoted(shown),
        }
    }

    fn contains(&self, words: &str) -> bool {
        self.raw.contains(words)
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, " ({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirects_are_called_so() {
        for status in [300, 301, 302, 303, 305, 307, 308, 399] {
            assert!(
                of_status(status, None).reason.contains("redirect"),
                "{status}"
            );
        }
        for status in [204, 304, 400, 407] {
            assert!(
                !of_status(status, None).text().contains("redirect"),
                "{status}"
            );
        }
    }

    #[test]
    fn words_are_judged_as_they_are_and_shown_without_a_login() {
        let mut error = Error::new(curl_sys::CURLE_COULDNT_CONNECT);
        error.set_extra("Unsupported proxy scheme for 'ftp://user:alert@host'".to_owned());
        let detail = Detail::of(&error);
        assert!(detail.contains("alert"));
        assert_eq!(detail.to_string(), format!(" ({})", error.description()));
    }
}
