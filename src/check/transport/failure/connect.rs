//! Connections: not made, not in time, or broken off.

use super::super::route::Route;
use super::facts::{Facts, Parties};
use super::{resolve, unanswered};
use crate::code::Code;
use crate::failure::Failure;
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
pub fn failed(facts: &Facts, parties: &Parties) -> Failure {
    let words = &facts.words;
    let cause = (facts.os_errno != 0).then(|| io::Error::from_raw_os_error(facts.os_errno));
    if let Some(error) = cause.as_ref().filter(|error| errno::is_shortage(error)) {
        return Failure::system(format!("no connection can be made{words}: {error}"));
    }
    let (to, general) = target(parties);
    let advice = match facts.os_errno {
        libc::EACCES | libc::EPERM => CHECK_RULES,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN => CHECK_ROUTES,
        libc::EADDRNOTAVAIL | libc::EAGAIN => CHECK_PORTS,
        _ => general,
    };
    let cause = cause.map_or(String::new(), |error| format!(": {error}"));
    unanswered(format!("cannot connect to {to}{words}{cause}"), advice)
}

fn target(parties: &Parties) -> (String, &'static str) {
    let server = &parties.server;
    match &parties.route {
        Route::Direct => (server.clone(), CHECK_SERVER),
        Route::Proxy(name) => (format!("the proxy {name}"), CHECK_PROXY),
        Route::Either(name) => (
            format!("the proxy {name}, or to {server} if NO_PROXY names it"),
            CHECK_BOTH,
        ),
    }
}

/// The time was up.
pub fn timed_out(facts: &Facts, parties: &Parties) -> Failure {
    let words = &facts.words;
    if is_resolving(facts, parties) {
        return resolve::timed_out(facts, parties);
    }
    let (to, advice) = target(parties);
    if !facts.is_connected {
        // Most versions of libcurl say the same of a proxy that is not reached and of one that does not answer.
        let or_not_answered = match parties.route {
            Route::Direct => "",
            _ => ", or it does not answer",
        };
        let reason = format!("timed out: cannot connect to {to}{or_not_answered}{words}");
        return unanswered(reason, advice);
    }
    let server = &parties.server;
    let reason = if facts.is_encrypted {
        format!("timed out: no complete answer from {server} in time{words}")
    } else {
        format!("timed out: {server} accepts the connection and does not go on with it{words}")
    };
    unanswered(reason, advice)
}

fn is_resolving(facts: &Facts, parties: &Parties) -> bool {
    if facts.words.contain_any(&[
        "Resolving timed out",
        "Failed to resolve",
        "name lookup timed out",
    ]) {
        return true;
    }
    let has_name = parties.route != Route::Direct || parties.server_address().is_none();
    has_name && facts.addresses.is_empty()
}

/// The connection was made, and ended too early.
pub fn broken(facts: &Facts, parties: &Parties) -> Failure {
    let (words, server) = (&facts.words, &parties.server);
    // The alert that says so may be lost when the server closes the connection.
    if facts.client_certificate_was_asked_for && parties.client_certificate.is_none() {
        return Failure::new(
            Code::Network,
            format!("the connection to {server} broke off{AFTER_REQUEST}{words}"),
            "set client_certificate_path, if the server wants one; else check the network and proxies on the way",
        );
    }
    Failure::new(
        Code::Network,
        format!("the connection to {server} broke off{words}"),
        "check the network and proxies on the way",
    )
}
