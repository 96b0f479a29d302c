//! What is known of a transfer that failed, and whom it was between: all that a failure is judged by.

use super::super::options;
use super::super::proxy_route::Route;
use super::super::response_handler::ResponseHandler;
use super::super::tls::Policy;
use super::curl_message::CurlMessage;
use crate::config::check_config::CheckConfig;
use crate::libcurl::constants::{CURLE_PROXY, CURLPX_RESOLVE_HOST};
use crate::libcurl::{self, Easy2};
use crate::sys::{pipe, threads};
use crate::text;
use std::ffi::{c_int, c_long};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

/// More than a look-up needs: a few name services, each with a file and a socket.
const PIPES_OF_A_LOOK_UP: usize = 4;

pub struct Transfer {
    pub code: curl_sys::CURLcode,
    pub message: CurlMessage,
    /// Of the server's answer; 0 when there was none.
    pub http_status: i32,
    /// Of a proxy's answer to CONNECT; 0 when there was none.
    pub connect_status: c_long,
    /// What a SOCKS proxy said (`CURLPX_…`); 0 when nothing.
    pub socks_reply: c_long,
    /// OpenSSL's verdict (`X509_V_…`) on the server's certificate, and on that of an https proxy.
    pub server_verify_result: c_int,
    pub proxy_verify_result: c_int,
    /// Why the last connection could not be made; 0 when that is not known.
    pub os_errno: i32,
    /// What was connected to, the first of it; empty before a name is resolved.
    pub addresses: Vec<IpAddr>,
    /// A TLS handshake was begun, with the server or an https proxy, and completed.
    pub is_connected: bool,
    pub is_encrypted: bool,
    pub client_certificate_requested: bool,
    pub policy: Policy,
    /// Why no look-up could be made now.
    pub lookup_shortage: Option<LookupShortage>,
}

#[derive(Debug)]
pub enum LookupShortage {
    Threads(io::Error),
    Descriptors,
}

impl Transfer {
    pub fn of(easy: &Easy2<ResponseHandler>, error: &libcurl::Error) -> Transfer {
        let exchange = easy.get_ref();
        let addresses = exchange.addresses.clone();
        let socks_reply = options::proxy_error(easy);
        Transfer {
            code: error.code(),
            message: CurlMessage::of(error),
            http_status: options::http_status(easy),
            connect_status: options::connect_code(easy),
            socks_reply,
            server_verify_result: options::verify_result(easy),
            proxy_verify_result: options::proxy_verify_result(easy),
            os_errno: options::os_errno(easy),
            is_connected: exchange.policy.is_some(),
            is_encrypted: options::is_encrypted(easy),
            client_certificate_requested: exchange.certificate_request.load(Ordering::Relaxed),
            policy: exchange.policy.unwrap_or_default(),
            lookup_shortage: may_be_lookup(error.code(), socks_reply, &addresses)
                .then(LookupShortage::now)
                .flatten(),
            addresses,
        }
    }
}

/// Most versions of libcurl say of a look-up that could not be begun what they say of a name that does not exist, or try
/// again until the time is up.
fn may_be_lookup(code: curl_sys::CURLcode, socks_reply: c_long, addresses: &[IpAddr]) -> bool {
    match code {
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY => true,
        CURLE_PROXY => socks_reply == CURLPX_RESOLVE_HOST,
        curl_sys::CURLE_OPERATION_TIMEDOUT | curl_sys::CURLE_FAILED_INIT => addresses.is_empty(),
        _ => false,
    }
}

impl LookupShortage {
    fn now() -> Option<LookupShortage> {
        if !pipe::has_room(PIPES_OF_A_LOOK_UP) {
            return Some(LookupShortage::Descriptors);
        }
        threads::shortage().map(LookupShortage::Threads)
    }
}

/// Who takes part in a check, as messages name them.
pub struct Context {
    /// The server's host name.
    pub server: String,
    pub route: Route,
    /// `None`: none is shown.
    pub client_certificate: Option<String>,
    pub truststore: String,
}

impl Context {
    pub fn of(config: &CheckConfig) -> Context {
        let settings = &config.settings;
        let identity = config.client_identity.as_ref();
        let path = settings.client_certificate_path.as_deref();
        Context {
            server: text::quoted(settings.url.host()),
            route: Route::of(config),
            client_certificate: identity
                .and(path)
                .map(|path| text::quoted(&path.to_string_lossy())),
            truststore: config
                .trust_store
                .as_deref()
                .map_or(String::new(), |trust_store| {
                    text::quoted(&trust_store.path().to_string_lossy())
                }),
        }
    }

    /// ` http://***@host:port` or ` that https_proxy names`; nothing when there is no proxy.
    pub fn proxy(&self) -> String {
        self.route.proxy()
    }

    /// Whether that name is not the server's.
    pub fn is_another(&self, name: &str) -> bool {
        let server = self.server.trim_end_matches('.');
        !name.trim_end_matches('.').eq_ignore_ascii_case(server)
    }

    /// The server's address, when the URL has one in place of a name.
    pub fn server_address(&self) -> Option<IpAddr> {
        self.server.parse().ok()
    }
}
