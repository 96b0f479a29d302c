//! What proxies say: HTTP proxies to CONNECT (RFC 9110, section 9.3.6), SOCKS proxies to a request (RFC 1928, section 6).

use super::transfer::{Context, Transfer};
use super::{connect, resolve};
use crate::code::Code;
use crate::error::{Error, Retry};
use crate::libcurl::constants::{
    CURLPX_BAD_VERSION, CURLPX_CLOSED, CURLPX_GSSAPI, CURLPX_GSSAPI_PERMSG,
    CURLPX_GSSAPI_PROTECTION, CURLPX_IDENTD, CURLPX_IDENTD_DIFFER, CURLPX_LONG_HOSTNAME,
    CURLPX_LONG_PASSWD, CURLPX_LONG_USER, CURLPX_NO_AUTH, CURLPX_RECV_ADDRESS, CURLPX_RECV_AUTH,
    CURLPX_RECV_CONNECT, CURLPX_RECV_REQACK, CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED,
    CURLPX_REPLY_COMMAND_NOT_SUPPORTED, CURLPX_REPLY_CONNECTION_REFUSED,
    CURLPX_REPLY_GENERAL_SERVER_FAILURE, CURLPX_REPLY_HOST_UNREACHABLE,
    CURLPX_REPLY_NETWORK_UNREACHABLE, CURLPX_REPLY_NOT_ALLOWED, CURLPX_REPLY_TTL_EXPIRED,
    CURLPX_REPLY_UNASSIGNED, CURLPX_REQUEST_FAILED, CURLPX_RESOLVE_HOST, CURLPX_SEND_AUTH,
    CURLPX_SEND_CONNECT, CURLPX_SEND_REQUEST, CURLPX_UNKNOWN_FAIL, CURLPX_UNKNOWN_MODE,
    CURLPX_USER_REJECTED,
};
use std::ffi::c_long;

const CHECK_SETTING: &str = "check the proxy setting: scheme, user and password";
const CHECK_RULES: &str = "check the rules of the proxy, and whether it can reach the check server";
const CHECK_REACH: &str = "check the proxy, and whether it can reach the check server";
pub const CAPTIVE_PORTAL: &str = "it looks like a login page (captive portal): log in there, or let this machine reach the check server directly";

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
pub fn socks(reply: c_long, transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    let (what, advice, retry) = match reply {
        CURLPX_RESOLVE_HOST => return resolve::unresolved(context, message),
        CURLPX_LONG_HOSTNAME => (
            "cannot be given so long a host name",
            CHECK_SETTING,
            Retry::Interval,
        ),
        CURLPX_LONG_PASSWD | CURLPX_LONG_USER | CURLPX_NO_AUTH | CURLPX_RECV_AUTH
        | CURLPX_SEND_AUTH | CURLPX_USER_REJECTED => (
            "refused the user or password, or wants them",
            CHECK_SETTING,
            Retry::Interval,
        ),
        CURLPX_GSSAPI
        | CURLPX_GSSAPI_PERMSG
        | CURLPX_GSSAPI_PROTECTION
        | CURLPX_IDENTD
        | CURLPX_IDENTD_DIFFER
        | CURLPX_UNKNOWN_MODE => (
            "wants an authentication that psc does not have",
            CHECK_SETTING,
            Retry::Interval,
        ),
        CURLPX_CLOSED | CURLPX_RECV_ADDRESS | CURLPX_RECV_CONNECT | CURLPX_RECV_REQACK
        | CURLPX_SEND_CONNECT | CURLPX_SEND_REQUEST => {
            ("closed the connection", CHECK_REACH, Retry::Unanswered)
        }
        CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED => (
            "does not support this type of address",
            CHECK_RULES,
            Retry::Interval,
        ),
        CURLPX_REPLY_COMMAND_NOT_SUPPORTED => {
            ("does not support connections", CHECK_RULES, Retry::Interval)
        }
        CURLPX_REPLY_CONNECTION_REFUSED => (
            "found the connection to the check server refused",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        CURLPX_REPLY_GENERAL_SERVER_FAILURE => {
            ("has a general failure", CHECK_RULES, Retry::Unanswered)
        }
        CURLPX_REPLY_HOST_UNREACHABLE => (
            "cannot reach the check server's host",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        CURLPX_REPLY_NETWORK_UNREACHABLE => (
            "cannot reach the check server's network",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        CURLPX_REPLY_NOT_ALLOWED => (
            "does not allow the connection",
            CHECK_RULES,
            Retry::Interval,
        ),
        CURLPX_REPLY_TTL_EXPIRED => (
            "found the check server too far away (TTL expired)",
            CHECK_RULES,
            Retry::Unanswered,
        ),
        CURLPX_REPLY_UNASSIGNED | CURLPX_REQUEST_FAILED | CURLPX_UNKNOWN_FAIL => (
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
pub fn reply_in_message(transfer: &Transfer) -> Option<c_long> {
    let message = &transfer.message;
    if message.contains_any(&["complete SOCKS5 connection"]) {
        // RFC 1928's replies 1 to 8.
        const REPLIES: [c_long; 8] = [
            CURLPX_REPLY_GENERAL_SERVER_FAILURE,
            CURLPX_REPLY_NOT_ALLOWED,
            CURLPX_REPLY_NETWORK_UNREACHABLE,
            CURLPX_REPLY_HOST_UNREACHABLE,
            CURLPX_REPLY_CONNECTION_REFUSED,
            CURLPX_REPLY_TTL_EXPIRED,
            CURLPX_REPLY_COMMAND_NOT_SUPPORTED,
            CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED,
        ];
        let reply = usize::try_from(message.number()?).ok()?.checked_sub(1)?;
        return Some(
            REPLIES
                .get(reply)
                .copied()
                .unwrap_or(CURLPX_REPLY_UNASSIGNED),
        );
    }
    if message.contains("complete SOCKS4 connection") {
        return Some(match message.number() {
            Some(92) => CURLPX_IDENTD,
            Some(93) => CURLPX_IDENTD_DIFFER,
            _ => CURLPX_REQUEST_FAILED,
        });
    }
    [
        ("No authentication method was acceptable", CURLPX_NO_AUTH),
        (
            "User was rejected by the SOCKS5 server",
            CURLPX_USER_REJECTED,
        ),
        ("GSSAPI", CURLPX_GSSAPI_PERMSG),
        ("GSS-API", CURLPX_GSSAPI),
        ("onnection to proxy closed", CURLPX_CLOSED),
        ("SOCKS4 reply has wrong version", CURLPX_BAD_VERSION),
        ("initial SOCKS5 response", CURLPX_BAD_VERSION),
        ("SOCKS5 reply has wrong", CURLPX_BAD_VERSION),
        ("SOCKS5 connect request", CURLPX_SEND_REQUEST),
        ("SOCKS4 connect request", CURLPX_SEND_REQUEST),
        ("SOCKS5 sub-negotiation", CURLPX_RECV_AUTH),
        ("initial SOCKS5 request", CURLPX_SEND_CONNECT),
        ("Failed receiving connect request ack", CURLPX_RECV_REQACK),
        ("mode attempted to be used by server", CURLPX_UNKNOWN_MODE),
        ("for SOCKS5 connect", CURLPX_RESOLVE_HOST),
        ("for SOCKS4 connect", CURLPX_RESOLVE_HOST),
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
    Error::unanswered(
        format!(
            "the proxy{} closed the connection{}",
            context.proxy(),
            transfer.message
        ),
        broken.advice,
    )
}
