//! libcurl's errors, proxy answers and HTTP statuses as reasons and advice for an administrator.
//!
//! `transfer` has what a failed transfer is judged by, `curl_message` what libcurl says; then a file for each party that can be at fault:
//! `local` is this one, and comes first. A message that blames the wrong party costs somebody a day.

mod certificate;
mod connect;
mod curl_message;
mod handshake;
mod http_status;
mod local;
mod proxy;
mod resolve;
mod setup;
#[cfg(test)]
mod tests;
mod transfer;

pub use http_status::classify as from_status;
pub use local::is_transient;
pub use setup::{foreign_tls, from_setup, no_socket, no_trust};

use super::proxy_route;
use super::response_handler::{self, ResponseHandler};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::libcurl::constants::{
    CURLE_PROXY, CURLE_SSL_CLIENTCERT, CURLE_TOO_LARGE, CURLE_WEIRD_SERVER_REPLY,
};
use crate::libcurl::{self, Easy2};
use transfer::{Context, Transfer};

const PROXY_HUNG_UP: &str = "Proxy CONNECT aborted";

/// The transfer broke off.
pub fn from_transfer(
    easy: &Easy2<ResponseHandler>,
    error: &libcurl::Error,
    config: &CheckConfig,
) -> Error {
    if let Some((variable, problem)) = proxy_route::unusable(error, config) {
        return Error::new(
            Code::Network,
            format!("no proxy can be read from the environment variable {variable}: {problem}"),
            "mend the variable and start the host anew, or set proxy_url",
        );
    }
    classify(&Transfer::of(easy, error), &Context::of(config))
}

fn classify(transfer: &Transfer, context: &Context) -> Error {
    let error =
        local::classify(transfer, context).unwrap_or_else(|| classify_remote(transfer, context));
    match resolve::nowhere(transfer, context) {
        Some(address) if matches!(error.code, Code::Network | Code::Tls) => {
            let (reason, advice) = resolve::blocked(address, &error.reason, context);
            Error {
                reason,
                advice,
                ..error
            }
        }
        _ => error,
    }
}

fn classify_remote(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    if message.starts_with("Unsupported proxy") || message.contains("pre-proxy") {
        return proxy::unreadable(transfer, context);
    }
    match transfer.code {
        // A proxy has refused CONNECT: a receive error to libcurl 7, a connection that cannot be made to libcurl 8.
        _ if transfer.http_status == 0 && transfer.connect_status >= 300 => {
            proxy::refused(transfer, context)
        }
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY => {
            resolve::failed(transfer, context)
        }
        CURLE_PROXY => proxy::socks(transfer.socks_reply, transfer, context),
        curl_sys::CURLE_COULDNT_CONNECT => match proxy::reply_in_message(transfer) {
            Some(reply) => proxy::socks(reply, transfer, context),
            None => connect::failed(transfer, context),
        },
        curl_sys::CURLE_OPERATION_TIMEDOUT => connect::timed_out(transfer, context),
        curl_sys::CURLE_PEER_FAILED_VERIFICATION if handshake::is_alert_of_expiry(transfer) => {
            handshake::client_certificate(transfer, context)
        }
        curl_sys::CURLE_PEER_FAILED_VERIFICATION
        | curl_sys::CURLE_SSL_ISSUER_ERROR
        | curl_sys::CURLE_SSL_INVALIDCERTSTATUS => certificate::classify(transfer, context),
        CURLE_SSL_CLIENTCERT => handshake::client_certificate(transfer, context),
        curl_sys::CURLE_SSL_CONNECT_ERROR
        | curl_sys::CURLE_SSL_CIPHER
        | curl_sys::CURLE_USE_SSL_FAILED
        | curl_sys::CURLE_SSL_ENGINE_NOTFOUND
        | curl_sys::CURLE_SSL_SHUTDOWN_FAILED => handshake::classify(transfer, context),
        _ => classify_other(transfer, context),
    }
}

fn classify_other(transfer: &Transfer, context: &Context) -> Error {
    let message = &transfer.message;
    match transfer.code {
        curl_sys::CURLE_SSL_CERTPROBLEM => {
            handshake::unusable_client_certificate(transfer, context)
        }
        curl_sys::CURLE_SSL_CACERT_BADFILE => Error::new(
            Code::File,
            format!(
                "the certificate authorities in {} cannot be used{message}",
                context.truststore
            ),
            "check the truststore: certificate_path, or the system's ca-certificates",
        ),
        // What libcurl before 8.5 calls a header line that is too long.
        curl_sys::CURLE_OUT_OF_MEMORY | CURLE_TOO_LARGE => response_handler::too_large(),
        curl_sys::CURLE_BAD_CONTENT_ENCODING => Error::compressed(&message.to_string()),
        curl_sys::CURLE_UNSUPPORTED_PROTOCOL | CURLE_WEIRD_SERVER_REPLY => Error::new(
            Code::Network,
            format!("{} does not speak HTTP as agreed{message}", context.server),
            "check that `url` names a security update check server, and whether something on the way answers in its place",
        ),
        curl_sys::CURLE_SEND_ERROR | curl_sys::CURLE_RECV_ERROR
            if message.contains(PROXY_HUNG_UP) =>
        {
            proxy::aborted(transfer, context)
        }
        // TLS 1.3 servers refuse a client certificate after the handshake, as an alert in the first answer.
        curl_sys::CURLE_SEND_ERROR | curl_sys::CURLE_RECV_ERROR if message.contains("alert") => {
            handshake::classify(transfer, context)
        }
        curl_sys::CURLE_SEND_ERROR
        | curl_sys::CURLE_RECV_ERROR
        | curl_sys::CURLE_GOT_NOTHING
        | curl_sys::CURLE_PARTIAL_FILE
        | curl_sys::CURLE_HTTP2
        | curl_sys::CURLE_HTTP2_STREAM => connect::broken(transfer, context),
        // Nobody is blamed for what psc does not know.
        code => Error::new(
            Code::System,
            format!("libcurl ended the check with its error {code}{message}"),
            "please report it to the makers of the program that makes the check",
        ),
    }
}
