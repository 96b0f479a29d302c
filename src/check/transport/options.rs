//! How libcurl is set up for a check.

#![allow(unsafe_code)]

use super::response_handler::ResponseHandler;
use crate::check::request::Request;
use crate::config::check_config::CheckConfig;
use crate::config::proxy::{Proxy, ProxyServer};
use crate::config::trust_store::TrustStore;
use crate::libcurl::constants::{
    CURL_NETRC_IGNORED, CURLAUTH_BASIC, CURLINFO_PROXY_ERROR, CURLINFO_PROXY_SSL_VERIFYRESULT,
    CURLMOPT_QUICK_EXIT, CURLOPT_QUICK_EXIT, CURLOPT_SOCKS5_AUTH,
};
use crate::libcurl::{self, Auth, Easy2, HttpVersion, List, Multi, ProxyType, SslVersion};
use openssl_sys as ffi;
use std::ffi::{CStr, c_char, c_int, c_long};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Seconds for name look-up, connect and handshake together.
const CONNECT_TIMEOUT: u64 = 20;

/// Stands for an environment variable that no proxy can be read from. libcurl refuses it, and names it in its message, where
/// it would use the proxy: it alone knows whether the server is among those that need none.
pub const UNUSABLE_PROXY: &str = "unusable://proxy-of-the-environment";

/// The headers of a request, in order.
pub const HEADERS: [&str; 3] = [
    "Content-Type: application/json",
    "Accept: */*", // as every version of Passenger sends it
    "Expect:",     // no wait for "100 Continue"
];

pub fn configured(
    config: &CheckConfig,
    trust_store: &TrustStore,
    request: &Request,
    timeout: Duration,
    certificate_request: &Arc<AtomicBool>,
) -> Result<Easy2<ResponseHandler>, libcurl::Error> {
    let mut easy = Easy2::new(ResponseHandler::new(certificate_request))?;
    easy.url(config.settings.url.as_str())?;
    easy.timeout(timeout)?;
    easy.connect_timeout(timeout.min(Duration::from_secs(CONNECT_TIMEOUT)))?;
    easy.http_version(HttpVersion::V11)?;
    easy.follow_location(false)?;
    easy.signal(false)?;
    // One check a day: no connection is kept.
    easy.fresh_connect(true)?;
    easy.forbid_reuse(true)?;
    set_long(
        &easy,
        curl_sys::CURLOPT_PROTOCOLS,
        c_long::from(curl_sys::CURLPROTO_HTTPS),
    )?;
    // Ends a hanging look-up at once. Unknown before libcurl 7.87: psc_stop then waits for its bound instead.
    let _ = set_long(&easy, CURLOPT_QUICK_EXIT, 1);
    tls(&mut easy, config, trust_store)?;
    proxy(&mut easy, config)?;
    easy.post(true)?;
    easy.post_fields_copy(request.body.as_bytes())?;
    let mut headers = List::new();
    for header in HEADERS {
        headers.append(header)?;
    }
    easy.http_headers(headers)?;
    Ok(easy)
}

/// TLS 1.2 or newer, peer and host verified, nothing trusted but the chosen store.
fn tls(
    easy: &mut Easy2<ResponseHandler>,
    config: &CheckConfig,
    trust_store: &TrustStore,
) -> Result<(), libcurl::Error> {
    easy.ssl_verify_peer(true)?;
    easy.ssl_verify_host(true)?;
    easy.ssl_min_max_version(SslVersion::Tlsv12, SslVersion::Default)?;
    set_long(
        easy,
        curl_sys::CURLOPT_PROXY_SSLVERSION,
        c_long::from(curl_sys::CURL_SSLVERSION_TLSv1_2),
    )?;
    // The places that libcurl was built with would otherwise stay trusted beside the chosen ones.
    for option in [
        curl_sys::CURLOPT_CAINFO,
        curl_sys::CURLOPT_CAPATH,
        curl_sys::CURLOPT_PROXY_CAINFO,
        curl_sys::CURLOPT_PROXY_CAPATH,
    ] {
        clear(easy, option)?;
    }
    let blobs = easy
        .ssl_cainfo_blob(&trust_store.pem)
        .and_then(|()| easy.proxy_ssl_cainfo_blob(&trust_store.pem));
    if blobs.is_err() {
        // libcurl before 7.77 (Red Hat 9) takes places only.
        if let Some(file) = &trust_store.file {
            easy.cainfo(file)?;
            easy.proxy_cainfo(file)?;
        }
        if let Some(directory) = &trust_store.directory {
            easy.capath(directory)?;
            easy.proxy_capath(directory)?;
        }
    }
    if let Some(identity) = &config.client_identity {
        easy.ssl_cert_type("PEM")?;
        easy.ssl_cert_blob(&identity.pem)?;
        easy.ssl_key_type("PEM")?;
        easy.ssl_key_blob(&identity.pem)?;
    }
    Ok(())
}

/// libcurl gets all that it would else ask the environment for: the proxy, those that need none, and no `.netrc`.
fn proxy(easy: &mut Easy2<ResponseHandler>, config: &CheckConfig) -> Result<(), libcurl::Error> {
    set_long(easy, curl_sys::CURLOPT_NETRC, CURL_NETRC_IGNORED)?;
    let (server, exceptions) = match &config.settings.proxy {
        Proxy::Direct => (None, c""),
        // A configured proxy is used for sure: NO_PROXY of the environment does not count.
        Proxy::Server(server) => (Some(Ok(server)), c""),
        Proxy::Environment => {
            let environment = &config.environment;
            let variable = environment.proxy.as_ref();
            (
                variable.map(|variable| variable.server.as_ref()),
                environment.no_proxy.as_c_str(),
            )
        }
    };
    set_text(easy, curl_sys::CURLOPT_NOPROXY, exceptions)?;
    match server {
        None => easy.proxy(""),
        Some(Ok(server)) => proxy_server(easy, server),
        Some(Err(_)) => easy.proxy(UNUSABLE_PROXY),
    }
}

fn proxy_server(
    easy: &mut Easy2<ResponseHandler>,
    server: &ProxyServer,
) -> Result<(), libcurl::Error> {
    easy.proxy(&server.url())?;
    easy.proxy_type(match server.scheme {
        "socks4" => ProxyType::Socks4,
        "socks4a" => ProxyType::Socks4a,
        "socks5" => ProxyType::Socks5,
        "socks5h" => ProxyType::Socks5Hostname,
        // An https proxy's type comes from the URL; libcurl lets the URL win.
        _ => ProxyType::Http,
    })?;
    set_long(easy, CURLOPT_SOCKS5_AUTH, CURLAUTH_BASIC)?;
    if server.scheme.starts_with("http") {
        easy.http_proxy_tunnel(true)?;
    }
    if let Some(credentials) = &server.credentials {
        easy.proxy_auth(Auth::Basic)?;
        set_text(easy, curl_sys::CURLOPT_PROXYUSERNAME, credentials.user())?;
        set_text(
            easy,
            curl_sys::CURLOPT_PROXYPASSWORD,
            credentials.password(),
        )?;
    }
    Ok(())
}

/// Ends a hanging look-up at once where libcurl has a pool of resolver threads; unknown to older ones, which look at the
/// transfer's own option.
pub fn quit_quickly(multi: &Multi) {
    // SAFETY: the handle lives; the option takes one long.
    unsafe { curl_sys::curl_multi_setopt(multi.raw(), CURLMOPT_QUICK_EXIT, c_long::from(1)) };
}

/// The status of the server's answer; 0 when there was none.
pub fn http_status(easy: &Easy2<ResponseHandler>) -> c_int {
    c_int::try_from(easy.response_code()).unwrap_or(0)
}

/// The status of a proxy's answer to CONNECT; 0 when there was none.
pub fn connect_code(easy: &Easy2<ResponseHandler>) -> c_long {
    long(easy, curl_sys::CURLINFO_HTTP_CONNECTCODE)
}

/// OpenSSL's verdict on an https proxy's certificate, as in [`verify_result`].
pub fn proxy_verify_result(easy: &Easy2<ResponseHandler>) -> c_int {
    c_int::try_from(long(easy, CURLINFO_PROXY_SSL_VERIFYRESULT))
        .unwrap_or(ffi::X509_V_ERR_UNSPECIFIED)
}

/// OpenSSL's verdict on the server's certificate (`X509_V_…`); 0 when it found no fault, 1 when it saw none.
pub fn verify_result(easy: &Easy2<ResponseHandler>) -> c_int {
    c_int::try_from(long(easy, curl_sys::CURLINFO_SSL_VERIFYRESULT))
        .unwrap_or(ffi::X509_V_ERR_UNSPECIFIED)
}

/// What a SOCKS proxy said (CURLPX_…); 0 when nothing.
pub fn proxy_error(easy: &Easy2<ResponseHandler>) -> c_long {
    long(easy, CURLINFO_PROXY_ERROR)
}

/// Why the last connection could not be made (`errno`); 0 when that is not known.
pub fn os_errno(easy: &Easy2<ResponseHandler>) -> c_int {
    c_int::try_from(long(easy, curl_sys::CURLINFO_OS_ERRNO)).unwrap_or(0)
}

/// Whether a TLS handshake was completed.
pub fn is_encrypted(easy: &Easy2<ResponseHandler>) -> bool {
    seconds(easy, curl_sys::CURLINFO_APPCONNECT_TIME) > 0.0
}

fn seconds(easy: &Easy2<ResponseHandler>, info: curl_sys::CURLINFO) -> f64 {
    let mut value: f64 = 0.0;
    // SAFETY: the handle lives; the infos given here are of the kind that writes one double.
    let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), info, &raw mut value) };
    if code == curl_sys::CURLE_OK {
        value
    } else {
        0.0
    }
}

fn long(easy: &Easy2<ResponseHandler>, info: curl_sys::CURLINFO) -> c_long {
    let mut value: c_long = 0;
    // SAFETY: the handle lives; the infos given here are of the kind that writes one long.
    let code = unsafe { curl_sys::curl_easy_getinfo(easy.raw(), info, &raw mut value) };
    if code == curl_sys::CURLE_OK { value } else { 0 }
}

fn set_long(
    easy: &Easy2<ResponseHandler>,
    option: curl_sys::CURLoption,
    value: c_long,
) -> Result<(), libcurl::Error> {
    // SAFETY: the handle lives; the options given here take one long.
    checked(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value) })
}

fn set_text(
    easy: &Easy2<ResponseHandler>,
    option: curl_sys::CURLoption,
    value: &CStr,
) -> Result<(), libcurl::Error> {
    // SAFETY: the handle lives; the options given here take a string, which libcurl copies.
    checked(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, value.as_ptr()) })
}

fn clear(
    easy: &Easy2<ResponseHandler>,
    option: curl_sys::CURLoption,
) -> Result<(), libcurl::Error> {
    // SAFETY: the handle lives; the options given here take a string, NULL for none.
    checked(unsafe { curl_sys::curl_easy_setopt(easy.raw(), option, ptr::null::<c_char>()) })
}

fn checked(code: curl_sys::CURLcode) -> Result<(), libcurl::Error> {
    if code == curl_sys::CURLE_OK {
        Ok(())
    } else {
        Err(libcurl::Error::new(code))
    }
}
