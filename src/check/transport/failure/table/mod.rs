//! libcurl's own words, of versions 7.71 to 8.22, and whom they must not blame: what an administrator is told of each.

mod machine;
mod network;
mod proxies;
mod tls;

use super::super::route::Route;
use super::super::tls::Policy;
use super::facts::{Facts, Parties};
use super::words::Words;
use crate::code::Code;
use crate::failure::Failure;
use crate::libcurl::Error;

const UNSUPPORTED_PROTOCOL: curl_sys::CURLcode = 1;
const FAILED_INIT: curl_sys::CURLcode = 2;
const NOT_BUILT_IN: curl_sys::CURLcode = 4;
const NO_PROXY: curl_sys::CURLcode = 5;
const NO_HOST: curl_sys::CURLcode = 6;
const NO_CONNECT: curl_sys::CURLcode = 7;
const PARTIAL: curl_sys::CURLcode = 18;
const MEMORY: curl_sys::CURLcode = 27;
const TIMED_OUT: curl_sys::CURLcode = 28;
const HANDSHAKE: curl_sys::CURLcode = 35;
const ABORTED: curl_sys::CURLcode = 42;
const ARGUMENT: curl_sys::CURLcode = 43;
const GOT_NOTHING: curl_sys::CURLcode = 52;
const SEND: curl_sys::CURLcode = 55;
const RECV: curl_sys::CURLcode = 56;
const CERTPROBLEM: curl_sys::CURLcode = 58;
const CIPHER: curl_sys::CURLcode = 59;
const PEER: curl_sys::CURLcode = 60;
const ENCODING: curl_sys::CURLcode = 61;
const BADFILE: curl_sys::CURLcode = 77;
const PROXY: curl_sys::CURLcode = super::CURLE_PROXY;
const CLIENTCERT: curl_sys::CURLcode = super::CURLE_SSL_CLIENTCERT;
const POLL: curl_sys::CURLcode = super::CURLE_UNRECOVERABLE_POLL;

fn facts(code: curl_sys::CURLcode, words: &str) -> Facts {
    let mut error = Error::new(code);
    if !words.is_empty() {
        error.set_extra(words.to_owned());
    }
    Facts {
        code,
        words: Words::of(&error),
        status: 0,
        connect_status: 0,
        socks_reply: 0,
        server_verdict: 1,
        proxy_verdict: 1,
        os_errno: 0,
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        is_connected: false,
        is_encrypted: false,
        client_certificate_was_asked_for: false,
        policy: Policy {
            security_level: 2,
            ..Policy::default()
        },
        no_look_up: None,
    }
}

fn parties(route: Route) -> Parties {
    Parties {
        server: "check.example".to_owned(),
        route,
        client_certificate: None,
        truststore: "/ca.pem".to_owned(),
    }
}

fn direct() -> Parties {
    parties(Route::Direct)
}

fn by_proxy() -> Parties {
    parties(Route::Proxy("http://proxy.example:3128".to_owned()))
}

fn assert_told(failure: &Failure, code: Code, parts: &[&str], row: &str) {
    let text = failure.text();
    assert_eq!(failure.code, code, "{row}: {text}");
    for part in parts {
        assert!(text.contains(part), "{row}: `{part}` is missing: {text}");
    }
}

const DNS: &str = "check your DNS";
