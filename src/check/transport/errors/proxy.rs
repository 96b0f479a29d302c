//! What proxies say: HTTP proxies to CONNECT (RFC 9110, section 9.3.6), SOCKS proxies to a request (RFC 1928, section 6).

use super::transfer::{Context, Transfer};
use super::{connect, resolve, unanswered};
use crate::code::Code;
use crate::error::{Error, Retry};

const CHECK_SETTING: &str = "check the proxy setting: scheme, user and password";
const CHECK_RULES: &str = "check the rules of the proxy, and whether it can reach the check server";
const CHECK_REACH: &str = "check the proxy, and whether it can reach the check server";
pub const CAPTIVE_PORTAL: &str = "it looks like a login page (captive portal): log in there, or let this machine reach the check server directly";

/// `CURLPX_RESOLVE_HOST`: libcurl itself could not resolve the server's name for the proxy.
pub const NOT_RESOLVED: i64 = 27;

/// A proxy has refused CONNECT.
pub fn refused(transfer: &Transfer, context: &Context) -> Error {
    let name = context.proxy();
    let server = &context.server;
    let http_status = transfer.connect_status;
    let (reason, advice, retry) = match http_status {
        300..=399 => (
            format!("the proxy{name} redirects the check elsewhere (status {http_status})"),
            CAPTIVE_PORTAL,
            Retry::Interval,
        ),
        511 => (
            format!("the proxy{name} wants a login to the network (status 511)"),
            CAPTIVE_PORTAL,
            Retry::Interval,
        ),
        // Some proxies say 401 to wrong credentials, 407 to missing ones.
        401 | 407 => (
            format!("the proxy{name} wants authentication (status {http_status})"),
            "check user and password in the proxy setting, and that the proxy accepts Basic authentication: psc offers no other",
            Retry::Interval,
        ),
        403 => (
            format!("the proxy{name} forbids the connection (status 403)"),
            "allow the check server's host and port in the proxy",
            Retry::Interval,
        ),
        502..=504 => (
            format!("the proxy{name} cannot reach {server} (status {http_status})"),
            CHECK_REACH,
            Retry::Unanswered,
        ),
        _ => (
            format!("the proxy{name} cannot connect to {server} (status {http_status})"),
            CHECK_REACH,
            Retry::Interval,
        ),
    };
    Error::new(Code::Network, reason, advice).retried(retry)
}

/// A SOCKS proxy has refused, or has not kept to its protocol.
pub fn socks(reply: i64, transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    // CURLPX_… of include/curl/curl.h.
    let (what, advice, retry) = match reply {
        NOT_RESOLVED => return resolve::unresolved(context, message),
        9 => (
            "cannot be given so long a host name",
            CHECK_SETTING,
            Retry::Interval,
        ),
        10..=12 | 14 | 28 | 33 => (
            "refused the user or password, or wants them",
            CHECK_SETTING,
            Retry::Interval,
        ),
        4..=8 | 32 => (
            "wants an authentication that psc does not have",
            CHECK_SETTING,
            Retry::Interval,
        ),
        3 | 13 | 15 | 16 | 29 | 30 => ("closed the connection", CHECK_REACH, Retry::Unanswered),
        17 => (
            "does not support this type of address",
            CHECK_RULES,
            Retry::Interval,
        ),
        18 => ("does not support connections", CHECK_RULES, Retry::Interval),
        19 => (
            "found the connection to the check server refused",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        20 => ("has a general failure", CHECK_RULES, Retry::Unanswered),
        21 => (
            "cannot reach the check server's host",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        22 => (
            "cannot reach the check server's network",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        23 => (
            "does not allow the connection",
            CHECK_RULES,
            Retry::Interval,
        ),
        24 => (
            "found the check server too far away (TTL expired)",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        25 | 26 | 31 => (
            "refused or failed to make the connection",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        _ => (
            "does not speak its protocol as agreed",
            CHECK_SETTING,
            Retry::Interval,
        ),
    };
    let reason = format!("the proxy{} {what}{message}", context.proxy());
    Error::new(Code::Network, reason, advice).retried(retry)
}

/// What libcurl before 7.73 calls a connection that could not be made, and newer ones a failed proxy handshake: the reply in
/// the words, as `CURLPX_…`.
pub fn reply_in_words(transfer: &Transfer) -> Option<i64> {
    let message = &transfer.message;
    if message.contains_any(&["complete SOCKS5 connection"]) {
        // RFC 1928's replies 1 to 8.
        const REPLIES: [i64; 8] = [20, 23, 22, 21, 19, 24, 18, 17];
        let reply = usize::try_from(message.number()?).ok()?.checked_sub(1)?;
        return Some(REPLIES.get(reply).copied().unwrap_or(25));
    }
    if message.contains("complete SOCKS4 connection") {
        return Some(match message.number() {
            Some(92) => 7,
            Some(93) => 8,
            _ => 26,
        });
    }
    [
        ("No authentication method was acceptable", 12),
        ("User was rejected by the SOCKS5 server", 33),
        ("GSSAPI", 5),
        ("GSS-API", 4),
        ("onnection to proxy closed", 3),
        ("SOCKS4 reply has wrong version", 2),
        ("initial SOCKS5 response", 2),
        ("SOCKS5 reply has wrong", 2),
        ("SOCKS5 connect request", 30),
        ("SOCKS4 connect request", 30),
        ("SOCKS5 sub-negotiation", 14),
        ("initial SOCKS5 request", 29),
        ("Failed receiving connect request ack", 16),
        ("mode attempted to be used by server", 32),
        ("for SOCKS5 connect", NOT_RESOLVED),
        ("for SOCKS4 connect", NOT_RESOLVED),
    ]
    .into_iter()
    .find(|(part, _)| message.contains(part))
    .map(|(_, reply)| reply)
}

/// A proxy's address that libcurl makes nothing of.
pub fn unreadable(transfer: &Transfer, context: &Context) -> Error {
    Error::new(
        Code::Network,
        format!(
            "the address of the proxy{} cannot be read{}",
            context.proxy(),
            transfer.message
        ),
        "check the proxy setting: scheme://host:port, without quotes and blanks, the scheme one of http, https, socks4, socks4a, socks5, socks5h, the port at most 65535",
    )
}

/// CONNECT was not answered.
pub fn aborted(transfer: &Transfer, context: &Context) -> Error {
    let broken = connect::broken(transfer, context);
    unanswered(
        format!(
            "the proxy{} closed the connection{}",
            context.proxy(),
            transfer.message
        ),
        broken.advice,
    )
}
