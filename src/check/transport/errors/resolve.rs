//! Names: not resolved, not in time, or to an address that is nobody's.

use super::super::proxy_route::Route;
use super::curl_message::CurlMessage;
use super::transfer::{Context, Transfer};
use crate::error::Error;
use std::net::IpAddr;

const CHECK_DNS: &str = "check your DNS: the name servers of this machine (/etc/resolv.conf), or set a proxy that resolves names";
const CHECK_DNS_OF_PROXY: &str =
    "check your DNS: the name servers of this machine (/etc/resolv.conf); check the proxy setting";
const CHECK_FILTER: &str = "check your DNS: a filtering name server or /etc/hosts keeps the name from its address; let it resolve, or set a proxy that resolves names (check your connection security)";

/// libcurl could not resolve the server's name, or the proxy's.
pub fn failed(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    // libcurl before 8 calls the name of a SOCKS proxy a host's.
    let of_proxy = transfer.code == curl_sys::CURLE_COULDNT_RESOLVE_PROXY
        || message.name().is_some_and(|name| context.is_another(name));
    if of_proxy && context.route != Route::Direct {
        return Error::unanswered(
            format!(
                "the name of the proxy{} cannot be resolved{message}",
                context.proxy()
            ),
            CHECK_DNS_OF_PROXY,
        );
    }
    unresolved(context, message)
}

pub fn unresolved(context: &Context, message: &CurlMessage) -> Error {
    Error::unanswered(
        format!("the name {} cannot be resolved{message}", context.server),
        CHECK_DNS,
    )
}

/// The time was up before there was an address to connect to.
pub fn timed_out(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    let server = &context.server;
    let (name, advice) = match &context.route {
        Route::Direct => (server.clone(), CHECK_DNS),
        Route::Proxy(proxy) => (format!("the proxy {proxy}"), CHECK_DNS_OF_PROXY),
        Route::Either(proxy) => (
            format!("the proxy {proxy}, or for {server} if NO_PROXY names it"),
            CHECK_DNS_OF_PROXY,
        ),
    };
    Error::unanswered(
        format!("timed out: the name servers did not answer for {name}{message}"),
        advice,
    )
}

/// The address, of this machine or of none, that a name has which should have one elsewhere: what name servers answer that
/// block it.
pub fn nowhere(transfer: &Transfer, context: &Context) -> Option<IpAddr> {
    let is_public = context.server.trim_end_matches('.').contains('.')
        && context.server_address().is_none()
        && !is_of_this_machine(&context.server);
    let leads_nowhere = |address: &IpAddr| address.is_unspecified() || address.is_loopback();
    let addresses = &transfer.addresses;
    (is_public && context.route == Route::Direct && addresses.iter().all(leads_nowhere))
        .then(|| addresses.first().copied())
        .flatten()
}

/// `localhost` is this machine's by definition (RFC 6761, section 6.3).
fn is_of_this_machine(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.ends_with(".localdomain")
}

/// The reason of a check that went to such an address, and what to do about it.
pub fn blocked(address: IpAddr, reason: &str, context: &Context) -> (String, &'static str) {
    let server = &context.server;
    let reason = format!(
        "the name servers answer {address} for {server}, or /etc/hosts says so, which is no server's address: {reason}"
    );
    (reason, CHECK_FILTER)
}
