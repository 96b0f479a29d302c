//! What proxies say, and what is said of them.

use super::super::classify;
use super::*;
use crate::error::Retry;

#[test]
fn addresses_of_proxies_that_libcurl_cannot_read() {
    for (code, message) in [
        (
            NO_CONNECT,
            "Unsupported proxy scheme for 'ftp://user:secret@proxy.example'",
        ),
        (
            NO_PROXY,
            "Unsupported proxy scheme for 'ftp://user:secret@proxy.example'",
        ),
        (
            NO_PROXY,
            "Unsupported proxy syntax in '\"http://user:secret",
        ),
        (
            NO_PROXY,
            "Unsupported proxy syntax in 'http://user:secret@proxy.example:99999': Port number was not a decimal number between 0 and 65535",
        ),
        (NO_PROXY, "Unsupported pre-proxy type for 'secret'"),
    ] {
        let context = context(Route::Proxy("that https_proxy names".to_owned()));
        let error = classify(&transfer(code, message), &context);
        let parts = [
            "the proxy that https_proxy names cannot be read",
            "quotes",
            "65535",
        ];
        assert_error(&error, Code::Network, &parts, message);
        assert!(
            !error.to_string().contains("secret"),
            "{}",
            error.to_string()
        );
    }
}

#[test]
fn proxies_that_refuse() {
    for (http_status, part, retry) in [
        (302, "captive portal", Retry::Interval),
        (511, "captive portal", Retry::Interval),
        (407, "wants authentication", Retry::Interval),
        (403, "forbids", Retry::Interval),
        (500, "cannot connect to check.example", Retry::Interval),
        (502, "cannot reach check.example", Retry::Unanswered),
        (503, "cannot reach check.example", Retry::Unanswered),
        (504, "cannot reach check.example", Retry::Unanswered),
    ] {
        for (code, message) in [
            (
                RECV,
                format!("Received HTTP code {http_status} from proxy after CONNECT"),
            ),
            (
                RECV,
                format!("CONNECT tunnel failed, response {http_status}"),
            ),
            (
                NO_CONNECT,
                format!("CONNECT tunnel failed, response {http_status}"),
            ),
        ] {
            let transfer = Transfer {
                connect_status: http_status,
                ..transfer(code, &message)
            };
            let error = classify(&transfer, &by_proxy());
            let parts = [part, "the proxy http://proxy.example:3128"];
            assert_error(&error, Code::Network, &parts, &message);
            assert_eq!(error.retry, retry, "{message}");
        }
    }
    let message = "Proxy CONNECT aborted";
    let error = classify(&transfer(RECV, message), &by_proxy());
    assert_error(
        &error,
        Code::Network,
        &["the proxy http://proxy.example:3128 closed"],
        message,
    );
}

const SOCKS_REPLIES: [(curl_sys::CURLcode, &str, i64, &str, Retry); 14] = [
    (
        NO_CONNECT,
        "Can't complete SOCKS5 connection to check.example. (1)",
        0,
        "general failure",
        Retry::Unanswered,
    ),
    (
        NO_CONNECT,
        "Can't complete SOCKS5 connection to check.example. (2)",
        0,
        "does not allow",
        Retry::Interval,
    ),
    (
        NO_CONNECT,
        "Can't complete SOCKS5 connection to check.example. (5)",
        0,
        "refused",
        Retry::Unanswered,
    ),
    (
        NO_CONNECT,
        "Can't complete SOCKS5 connection to check.example. (6)",
        0,
        "TTL expired",
        Retry::Unanswered,
    ),
    (
        NO_CONNECT,
        "Can't complete SOCKS4 connection to 0.0.0.0:0. (91), request rejected or failed.",
        0,
        "refused or failed",
        Retry::Unanswered,
    ),
    (
        NO_CONNECT,
        "User was rejected by the SOCKS5 server (1 1).",
        0,
        "user or password",
        Retry::Interval,
    ),
    (
        NO_CONNECT,
        "No authentication method was acceptable.",
        0,
        "user or password",
        Retry::Interval,
    ),
    (
        NO_CONNECT,
        "connection to proxy closed",
        0,
        "closed the connection",
        Retry::Unanswered,
    ),
    (
        NO_CONNECT,
        "Received invalid version in initial SOCKS5 response.",
        0,
        "does not speak",
        Retry::Interval,
    ),
    (
        PROXY,
        "cannot complete SOCKS5 connection to check.example. (4)",
        21,
        "cannot reach the check server's host",
        Retry::Unanswered,
    ),
    (
        PROXY,
        "cannot complete SOCKS5 connection to check.example. (3)",
        22,
        "cannot reach the check server's network",
        Retry::Unanswered,
    ),
    (
        PROXY,
        "Failed to receive SOCKS response, proxy closed connection",
        15,
        "closed the connection",
        Retry::Unanswered,
    ),
    (
        PROXY,
        "Failed to resolve \"check.example\" for SOCKS5 connect.",
        27,
        DNS,
        Retry::Unanswered,
    ),
    (
        PROXY,
        "SOCKS5: the destination hostname is too long to be resolved remotely by the proxy.",
        9,
        "so long a host name",
        Retry::Interval,
    ),
];

/// Before 7.73 a SOCKS proxy's reply is in the words alone.
#[test]
fn replies_of_socks_proxies() {
    for (code, message, reply, part, retry) in SOCKS_REPLIES {
        let transfer = Transfer {
            socks_reply: reply,
            ..transfer(code, message)
        };
        let error = classify(&transfer, &by_proxy());
        assert_error(&error, Code::Network, &[part], message);
        assert_eq!(error.retry, retry, "{message}");
    }
}
