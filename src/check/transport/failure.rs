//! libcurl's errors, proxy answers and HTTP statuses as reasons and advice for an administrator.

use super::Exchange;
use super::options;
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::config::proxy::Proxy;
use crate::failure::{Failure, Retry};
use crate::sys::pipe;
use crate::text;
use curl::Error;
use curl::easy::Easy2;

/// libcurl's code for a failed proxy handshake (7.73 and newer), not named by `curl`.
const CURLE_PROXY: curl_sys::CURLcode = 97;
const CURLE_WEIRD_SERVER_REPLY: curl_sys::CURLcode = 8;
/// More than a look-up needs: a few name services, each with a file and a socket.
const PIPES_OF_A_LOOK_UP: usize = 4;
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
                curl::Version::get().version()
            ),
            "psc needs libcurl 7.71 or newer, built with OpenSSL",
        ),
    }
}

/// libcurl brings a TLS library that psc's verification rules cannot be set in.
pub fn foreign_tls() -> Failure {
    let version = curl::Version::get();
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

/// The transfer broke off.
pub fn of_transfer(easy: &mut Easy2<Exchange>, error: &Error, config: &CheckConfig) -> Failure {
    let detail = detail(error, config);
    let connect_code = options::connect_code(easy);
    let status = status(easy);
    match error.code() {
        curl_sys::CURLE_COULDNT_CONNECT if easy.get_ref().no_socket => {
            Failure::system("there is no descriptor, or no memory, for a socket")
        }
        // A look-up opens files and sockets of its own, and does not tell why it failed.
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY
            if !pipe::has_room(PIPES_OF_A_LOOK_UP) =>
        {
            Failure::system(format!(
                "no name can be resolved{detail}: hardly a descriptor is left"
            ))
        }
        // libcurl calls the name of a SOCKS proxy a host's.
        curl_sys::CURLE_COULDNT_RESOLVE_HOST if !names_proxy(&detail, config) => unanswered(
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
        // libcurl also says "receive error" when a proxy refuses CONNECT.
        _ if status == 0 && connect_code >= 300 => of_proxy_status(connect_code, config),
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
pub fn status(easy: &mut Easy2<Exchange>) -> i32 {
    easy.response_code()
        .ok()
        .and_then(|status| i32::try_from(status).ok())
        .unwrap_or(0)
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
        407 => (
        // Beyond the tunnel: the proxy that psc goes through has let it pass.
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

fn could_not_connect(detail: &str, config: &CheckConfig) -> Failure {
    if matches!(config.settings.proxy, Proxy::Server(_)) {
        return unanswered(
            format!("cannot connect to the proxy{}{detail}", proxy(config)),
            "check the proxy setting and whether the proxy runs",
        );
    }
    if matches!(config.settings.proxy, Proxy::Environment)
        && !detail.contains(config.settings.url.host())
    {
        return unanswered(
            format!("cannot connect to the proxy that the environment names{detail}"),
            "check https_proxy and ALL_PROXY in the environment of this process, or set the proxy",
        );
    }
    unanswered(
        format!("cannot connect to {}{detail}", place(config)),
        "check the network, the firewall (on SELinux systems httpd_can_network_connect), and whether a proxy must be set",
    )
}

fn of_proxy_status(status: i64, config: &CheckConfig) -> Failure {
    let name = proxy(config);
    let (reason, advice) = match status {
        // Some proxies say 401 to wrong credentials, 407 to missing ones.
        401 | 407 => (
            format!("the proxy{name} wants authentication (status {status})"),
            "check user and password in the proxy setting",
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

fn of_socks(easy: &Easy2<Exchange>, detail: &str, config: &CheckConfig) -> Failure {
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

fn of_certificate(easy: &Easy2<Exchange>, detail: &str) -> Failure {
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
    Failure::new(Code::Tls, format!("{whose} {what}{detail}"), advice)
}

fn of_handshake(easy: &Easy2<Exchange>, detail: &str, config: &CheckConfig) -> Failure {
    let judged = options::verify_result(easy).max(options::proxy_verify_result(easy));
    if judged > NOT_JUDGED {
        return of_certificate(easy, detail);
    }
    if ["reset", "SSL_ERROR_SYSCALL", "Recv failure", "Send failure"]
        .iter()
        .any(|words| detail.contains(words))
    {
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
fn is_about_our_certificate(detail: &str, config: &CheckConfig) -> bool {
    let presented = config.client_identity.is_some()
        && ["certificate", "unknown ca", "access denied"]
            .iter()
            .any(|words| detail.contains(words));
    presented || detail.contains("certificate required")
}

fn is_alert(detail: &str) -> bool {
    detail.contains("alert")
}

fn broken(detail: &str, config: &CheckConfig) -> Failure {
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

/// ` http://***@host:port`, or nothing when the proxy is not configured but the environment's.
fn proxy(config: &CheckConfig) -> String {
    config
        .settings
        .proxy
        .masked()
        .map(|masked| format!(" {}", text::quoted(&masked)))
        .unwrap_or_default()
}

/// Whether libcurl's words are about the configured proxy.
fn names_proxy(detail: &str, config: &CheckConfig) -> bool {
    match &config.settings.proxy {
        Proxy::Server(server) => {
            let host = &server.authority.host;
            host != config.settings.url.host() && detail.contains(host.as_str())
        }
        _ => false,
    }
}

/// libcurl's own words, in brackets. Words that hold a secret, or look as if they might, give way to its general ones.
fn detail(error: &Error, config: &CheckConfig) -> String {
    let secrets = config.settings.proxy.secrets();
    let holds_secret = |words: &str| {
        words.contains('@')
            || secrets
                .iter()
                .any(|secret| !secret.is_empty() && words.contains(secret))
    };
    let words = error
        .extra_description()
        .filter(|words| !holds_secret(words))
        .unwrap_or(error.description());
    format!(" ({})", text::quoted(words))
}
