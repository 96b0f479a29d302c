//! libcurl's own words, of versions 7.71 to 8.22, and whom they must not blame: what an administrator is told of each.

mod local;
mod network;
mod proxies;
mod tls;

use super::super::proxy_route::Route;
use super::super::tls::Policy;
use super::curl_message::CurlMessage;
use super::transfer::{Context, Transfer};
use crate::code::Code;
use crate::error::Error;
use crate::libcurl;

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

fn transfer(code: curl_sys::CURLcode, message: &str) -> Transfer {
    let mut error = libcurl::Error::new(code);
    if !message.is_empty() {
        error.set_extra(message.to_owned());
    }
    Transfer {
        code,
        message: CurlMessage::of(&error),
        http_status: 0,
        connect_status: 0,
        socks_reply: 0,
        server_verify_result: 1,
        proxy_verify_result: 1,
        os_errno: 0,
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        is_connected: false,
        is_encrypted: false,
        client_certificate_requested: false,
        policy: Policy {
            security_level: 2,
            ..Policy::default()
        },
        lookup_shortage: None,
    }
}

fn context(route: Route) -> Context {
    Context {
        server: "check.example".to_owned(),
        route,
        client_certificate: None,
        truststore: "/ca.pem".to_owned(),
    }
}

fn direct() -> Context {
    context(Route::Direct)
}

fn by_proxy() -> Context {
    context(Route::Proxy("http://proxy.example:3128".to_owned()))
}

fn assert_error(error: &Error, code: Code, parts: &[&str], case: &str) {
    let text = error.to_string();
    assert_eq!(error.code, code, "{case}: {text}");
    for part in parts {
        assert!(text.contains(part), "{case}: `{part}` is missing: {text}");
    }
}

const DNS: &str = "check your DNS";
