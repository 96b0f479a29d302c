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
use crate::libcurl::{self, constants};

const UNSUPPORTED_PROTOCOL: curl_sys::CURLcode = curl_sys::CURLE_UNSUPPORTED_PROTOCOL;
const FAILED_INIT: curl_sys::CURLcode = curl_sys::CURLE_FAILED_INIT;
const NOT_BUILT_IN: curl_sys::CURLcode = constants::CURLE_NOT_BUILT_IN;
const NO_PROXY: curl_sys::CURLcode = curl_sys::CURLE_COULDNT_RESOLVE_PROXY;
const NO_HOST: curl_sys::CURLcode = curl_sys::CURLE_COULDNT_RESOLVE_HOST;
const NO_CONNECT: curl_sys::CURLcode = curl_sys::CURLE_COULDNT_CONNECT;
const PARTIAL: curl_sys::CURLcode = curl_sys::CURLE_PARTIAL_FILE;
const MEMORY: curl_sys::CURLcode = curl_sys::CURLE_OUT_OF_MEMORY;
const TIMED_OUT: curl_sys::CURLcode = curl_sys::CURLE_OPERATION_TIMEDOUT;
const HANDSHAKE: curl_sys::CURLcode = curl_sys::CURLE_SSL_CONNECT_ERROR;
const ABORTED: curl_sys::CURLcode = curl_sys::CURLE_ABORTED_BY_CALLBACK;
const ARGUMENT: curl_sys::CURLcode = curl_sys::CURLE_BAD_FUNCTION_ARGUMENT;
const GOT_NOTHING: curl_sys::CURLcode = curl_sys::CURLE_GOT_NOTHING;
const SEND: curl_sys::CURLcode = curl_sys::CURLE_SEND_ERROR;
const RECV: curl_sys::CURLcode = curl_sys::CURLE_RECV_ERROR;
const CERTPROBLEM: curl_sys::CURLcode = curl_sys::CURLE_SSL_CERTPROBLEM;
const CIPHER: curl_sys::CURLcode = curl_sys::CURLE_SSL_CIPHER;
const PEER: curl_sys::CURLcode = curl_sys::CURLE_PEER_FAILED_VERIFICATION;
const ENCODING: curl_sys::CURLcode = curl_sys::CURLE_BAD_CONTENT_ENCODING;
const BADFILE: curl_sys::CURLcode = curl_sys::CURLE_SSL_CACERT_BADFILE;
const PROXY: curl_sys::CURLcode = constants::CURLE_PROXY;
const CLIENTCERT: curl_sys::CURLcode = constants::CURLE_SSL_CLIENTCERT;
const POLL: curl_sys::CURLcode = constants::CURLE_UNRECOVERABLE_POLL;

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
