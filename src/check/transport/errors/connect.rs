//! Connections: not made, not in time, or broken off.

use super::super::proxy_route::Route;
use super::resolve;
use super::transfer::{Context, Transfer};
use crate::code::Code;
use crate::error::Error;
use crate::sys::errno;
use std::io;

const CHECK_SERVER: &str = "check your connection security: the network, the firewall (on SELinux systems httpd_can_network_connect), and whether a proxy must be set";
const CHECK_PROXY: &str =
    "check your connection security: the proxy setting, and whether the proxy runs";
const CHECK_BOTH: &str = "check your connection security: the network, the firewall, the proxy setting and whether the proxy runs";
const CHECK_RULES: &str = "check your connection security: rules of this machine do not permit it (SELinux: httpd_can_network_connect, AppArmor, seccomp, an outgoing firewall rule)";
const CHECK_ROUTES: &str = "check your connection security: the network of this machine has no way there (interfaces, routes, IPv6), or a proxy must be set";
const CHECK_PORTS: &str = "check your connection security: this machine has no local address or port left for it (net.ipv4.ip_local_port_range, connections that stay open)";

/// A sign that it wants one, and no proof.
pub const AFTER_REQUEST: &str = ", after the server asked for a client certificate and got none";

/// No connection could be made.
pub fn failed(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    let cause = (transfer.os_errno != 0).then(|| io::Error::from_raw_os_error(transfer.os_errno));
    if let Some(error) = cause.as_ref().filter(|error| errno::is_shortage(error)) {
        return Error::system(format!("no connection can be made{message}: {error}"));
    }
    let (to, general) = target(context);
    let advice = match transfer.os_errno {
        libc::EACCES | libc::EPERM => CHECK_RULES,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN => CHECK_ROUTES,
        libc::EADDRNOTAVAIL | libc::EAGAIN => CHECK_PORTS,
        _ => general,
    };
    let cause = cause.map_or(String::new(), |error| format!(": {error}"));
    Error::unanswered(format!("cannot connect to {to}{message}{cause}"), advice)
}

fn target(context: &Context) -> (String, &'static str) {
    let server = &context.server;
    match &context.route {
        Route::Direct => (server.clone(), CHECK_SERVER),
        Route::Proxy(name) => (format!("the proxy {name}"), CHECK_PROXY),
        Route::Either(name) => (
            format!("the proxy {name}, or to {server} if NO_PROXY names it"),
            CHECK_BOTH,
        ),
    }
}

/// The time was up.
pub fn timed_out(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    if is_resolving(transfer, context) {
        return resolve::timed_out(transfer, context);
    }
    let (to, advice) = target(context);
    if !transfer.is_connected {
        // Most versions of libcurl say the same of a proxy that is not reached and of one that does not answer.
        let or_not_answered = match context.route {
            Route::Direct => "",
            _ => ", or it does not answer",
        };
        let reason = format!("timed out: cannot connect to {to}{or_not_answered}{message}");
        return Error::unanswered(reason, advice);
    }
    let server = &context.server;
    let reason = if transfer.is_encrypted {
        format!("timed out: no complete answer from {server} in time{message}")
    } else {
        format!("timed out: {server} accepts the connection and does not go on with it{message}")
    };
    Error::unanswered(reason, advice)
}

fn is_resolving(transfer: &Transfer, context: &Context) -> bool {
    if transfer.message.contains_any(&[
        "Resolving timed out",
        "Failed to resolve",
        "name lookup timed out",
    ]) {
        return true;
    }
    let has_name = context.route != Route::Direct || context.server_address().is_none();
    has_name && transfer.addresses.is_empty()
}

/// The connection was made, and ended too early.
pub fn broken(transfer: &Transfer, context: &Context) -> Error {
    let (message, server) = (&transfer.message, &context.server);
    // The alert that says so may be lost when the server closes the connection.
    if transfer.client_certificate_requested && context.client_certificate.is_none() {
        return Error::new(
            Code::Network,
            format!("the connection to {server} broke off{AFTER_REQUEST}{message}"),
            "set client_certificate_path, if the server wants one; else check the network and proxies on the way",
        );
    }
    Error::new(
        Code::Network,
        format!("the connection to {server} broke off{message}"),
        "check the network and proxies on the way",
    )
}
