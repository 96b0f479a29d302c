//! Names, time and connections.

use super::super::classify;
use super::*;
use crate::error::Retry;
use std::net::IpAddr;

#[test]
fn names_that_are_not_resolved() {
    for (code, message) in [
        (NO_HOST, "Couldn't resolve host 'check.example'"),
        (NO_HOST, "Could not resolve host: check.example"),
        (
            NO_HOST,
            "Could not resolve host: check.example (No address associated with hostname)",
        ),
        (NO_HOST, "Could not resolve: check.example:443"),
        (NO_HOST, ""),
    ] {
        let error = classify(&transfer(code, message), &direct());
        let parts = ["the name check.example cannot be resolved", DNS];
        assert_error(&error, Code::Network, &parts, message);
        assert_eq!(error.retry, Retry::Unanswered, "{message}");
    }
    for (code, message) in [
        (NO_PROXY, "Couldn't resolve proxy 'proxy.example'"),
        (NO_PROXY, "Could not resolve proxy: proxy.example"),
        // A SOCKS proxy's, before 8.
        (NO_HOST, "Could not resolve host: proxy.example"),
    ] {
        let error = classify(&transfer(code, message), &by_proxy());
        let parts = [
            "the name of the proxy http://proxy.example:3128 cannot be resolved",
            DNS,
        ];
        assert_error(&error, Code::Network, &parts, message);
    }
}

#[test]
fn the_time_was_up() {
    let unresolved = |message: &str| Transfer {
        addresses: Vec::new(),
        ..transfer(TIMED_OUT, message)
    };
    for message in [
        "Resolving timed out after 20000 milliseconds",
        "Failed to resolve host 'check.example' with timeout after 20001 ms",
        "Failed to resolve 'check.example' with timeout after 20001 ms",
        "name lookup timed out",
        "Connection timed out after 20000 milliseconds",
        "",
    ] {
        let error = classify(&unresolved(message), &direct());
        let parts = [
            "timed out: the name servers did not answer for check.example",
            DNS,
        ];
        assert_error(&error, Code::Network, &parts, message);
        assert_eq!(error.retry, Retry::Unanswered, "{message}");
        assert!(!error.to_string().contains("firewall"), "{message}");
        let error = classify(&unresolved(message), &by_proxy());
        let part = "the name servers did not answer for the proxy http://proxy.example:3128";
        assert_error(&error, Code::Network, &[part], message);
    }
    for (is_connected, is_encrypted, part) in [
        (false, false, "timed out: cannot connect to check.example"),
        (
            true,
            false,
            "check.example accepts the connection and does not go on",
        ),
        (true, true, "no complete answer from check.example"),
    ] {
        for message in [
            "Connection timed out after 20000 milliseconds",
            "Connection timeout after 20001 ms",
            "Connection time-out",
            "connect timeout",
            "SSL connection timeout",
            "Operation timed out after 60000 milliseconds with 0 bytes received",
        ] {
            let transfer = Transfer {
                is_connected,
                is_encrypted,
                ..transfer(TIMED_OUT, message)
            };
            let error = classify(&transfer, &direct());
            assert_error(
                &error,
                Code::Network,
                &[part, "check your connection security"],
                message,
            );
            assert!(!error.to_string().contains("name server"), "{message}");
            assert_eq!(error.retry, Retry::Unanswered, "{message}");
        }
    }
    let message = "Proxy CONNECT aborted due to timeout";
    let part = "cannot connect to the proxy http://proxy.example:3128, or it does not answer";
    assert_error(
        &classify(&transfer(TIMED_OUT, message), &by_proxy()),
        Code::Network,
        &[part],
        message,
    );
}

#[test]
fn connections_that_cannot_be_made_tell_why() {
    const SECURITY: &str = "check your connection security";
    for message in [
        "Failed to connect to check.example port 443: Connection refused",
        "Failed to connect to check.example port 443 after 0 ms: Couldn't connect to server",
        "Failed to connect to check.example:443 after 0 ms: Could not connect to server",
    ] {
        for (errno, part) in [
            (0, "firewall"),
            (libc::ECONNREFUSED, "Connection refused"),
            (libc::EACCES, "httpd_can_network_connect"),
            (libc::EPERM, "rules of this machine"),
            (libc::ENETUNREACH, "has no way there"),
            (libc::EHOSTUNREACH, "has no way there"),
            (libc::EADDRNOTAVAIL, "ip_local_port_range"),
        ] {
            let transfer = Transfer {
                os_errno: errno,
                ..transfer(NO_CONNECT, message)
            };
            let error = classify(&transfer, &direct());
            let parts = ["cannot connect to check.example", part, SECURITY];
            assert_error(&error, Code::Network, &parts, message);
            assert_eq!(error.retry, Retry::Unanswered);
        }
        for errno in [libc::ENOBUFS, libc::ENOMEM, libc::EMFILE, libc::ENFILE] {
            let transfer = Transfer {
                os_errno: errno,
                ..transfer(NO_CONNECT, message)
            };
            assert_error(
                &classify(&transfer, &direct()),
                Code::System,
                &["limits"],
                message,
            );
        }
        let error = classify(&transfer(NO_CONNECT, message), &by_proxy());
        let parts = [
            "cannot connect to the proxy http://proxy.example:3128",
            SECURITY,
        ];
        assert_error(&error, Code::Network, &parts, message);
    }
}

#[test]
fn a_name_that_leads_nowhere_is_blocked_by_name_servers() {
    let to = |addresses: &[&str], code, message: &str, server_verify_result| Transfer {
        addresses: addresses
            .iter()
            .map(|text| text.parse::<IpAddr>().expect("an address"))
            .collect(),
        server_verify_result,
        ..transfer(code, message)
    };
    let refused =
        "Failed to connect to check.example port 443 after 0 ms: Couldn't connect to server";
    for addresses in [
        &["0.0.0.0"] as &[&str],
        &["::"],
        &["127.0.0.1"],
        &["::1", "127.0.0.1"],
    ] {
        let error = classify(&to(addresses, NO_CONNECT, refused, 1), &direct());
        let part = format!("the name servers answer {} for check.example", addresses[0]);
        assert_error(&error, Code::Network, &[&part, DNS], addresses[0]);
        assert_eq!(error.retry, Retry::Unanswered);
    }
    // Where this machine's own web server answers.
    let wrong_name =
        "SSL: no alternative certificate subject name matches target host name 'check.example'";
    let error = classify(&to(&["0.0.0.0"], PEER, wrong_name, 0), &direct());
    assert_error(
        &error,
        Code::Tls,
        &["the name servers answer 0.0.0.0", DNS],
        wrong_name,
    );
    for (addresses, server, proxy_route) in [
        (
            &["192.0.2.1", "127.0.0.1"] as &[&str],
            "check.example",
            Route::Direct,
        ),
        (&["127.0.0.1"], "localhost", Route::Direct),
        (&["127.0.0.1"], "127.0.0.1", Route::Direct),
        (&["127.0.0.1"], "app.localhost", Route::Direct),
        (&["127.0.0.1"], "intranet", Route::Direct),
        (
            &["127.0.0.1"],
            "check.example",
            Route::Proxy("p".to_owned()),
        ),
    ] {
        let context = Context {
            server: server.to_owned(),
            ..context(proxy_route)
        };
        let error = classify(&to(addresses, NO_CONNECT, refused, 1), &context);
        assert!(
            !error.to_string().contains("name servers answer"),
            "{server} {addresses:?}"
        );
    }
}

const OTHERS: [(curl_sys::CURLcode, &str, Code, &str, Retry); 16] = [
    (
        HANDSHAKE,
        "OpenSSL SSL_connect: Connection reset by peer in connection to check.example:443 ",
        Code::Network,
        "broke off in the TLS handshake",
        Retry::Unanswered,
    ),
    (
        HANDSHAKE,
        "OpenSSL SSL_connect: SSL_ERROR_ZERO_RETURN in connection to check.example:443 ",
        Code::Network,
        "broke off in the TLS handshake",
        Retry::Unanswered,
    ),
    (
        HANDSHAKE,
        "error:0A000126:SSL routines::unexpected eof while reading",
        Code::Network,
        "broke off in the TLS handshake",
        Retry::Unanswered,
    ),
    (
        HANDSHAKE,
        "error:0A00010B:SSL routines::wrong version number",
        Code::Tls,
        "does not speak TLS",
        Retry::Interval,
    ),
    (
        HANDSHAKE,
        "TLS connect error: error:0A0000C6:SSL routines::packet length too long",
        Code::Tls,
        "does not speak TLS",
        Retry::Interval,
    ),
    (
        HANDSHAKE,
        "error:0A000458:SSL routines::tlsv1 unrecognized name",
        Code::Tls,
        "does not know that name",
        Retry::Interval,
    ),
    (
        HANDSHAKE,
        "error:0A000438:SSL routines::tlsv1 alert internal error",
        Code::Tls,
        "TLS handshake with check.example failed",
        Retry::Interval,
    ),
    (
        HANDSHAKE,
        "error:0A000148:SSL routines::invalid status response",
        Code::Tls,
        "lacks the proof",
        Retry::Interval,
    ),
    (
        RECV,
        "Recv failure: Connection reset by peer",
        Code::Network,
        "broke off",
        Retry::Interval,
    ),
    (
        GOT_NOTHING,
        "Empty reply from server",
        Code::Network,
        "broke off",
        Retry::Interval,
    ),
    (
        PARTIAL,
        "transfer closed with 10 bytes remaining to read",
        Code::Network,
        "broke off",
        Retry::Interval,
    ),
    (
        UNSUPPORTED_PROTOCOL,
        "Received HTTP/0.9 when not allowed",
        Code::Network,
        "does not speak HTTP",
        Retry::Interval,
    ),
    (
        8,
        "Invalid status line",
        Code::Network,
        "does not speak HTTP",
        Retry::Interval,
    ),
    (
        ENCODING,
        "Unsolicited Transfer-Encoding (gzip) found",
        Code::Response,
        "compressed",
        Retry::Interval,
    ),
    (
        BADFILE,
        "error setting certificate verify locations:  CAfile: /ca.pem CApath: none",
        Code::File,
        "truststore",
        Retry::Interval,
    ),
    (
        BADFILE,
        "error adding trust anchors from file: /ca.pem",
        Code::File,
        "/ca.pem",
        Retry::Interval,
    ),
];

/// Where the other side, or the way there, is at fault, and no policy or limit of this machine's.
#[test]
fn the_other_side_and_the_way_there() {
    for (code, message, expected, part, retry) in OTHERS {
        let error = classify(&transfer(code, message), &direct());
        assert_error(&error, expected, &[part], message);
        assert_eq!(error.retry, retry, "{message}");
    }
    // A header line that is too long, before 8.5.
    let transfer = Transfer {
        http_status: 200,
        ..transfer(MEMORY, "")
    };
    assert_error(
        &classify(&transfer, &direct()),
        Code::Response,
        &["larger than"],
        "header",
    );
}
