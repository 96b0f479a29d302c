//! libcurl's errors, proxy answers and HTTP statuses as reasons and advice for an administrator.
//!
//! `facts` has what a failure is judged by, and `words` what libcurl says; then a file for each party that can be at fault:
//! `machine` is this one, and comes first. A message that blames the wrong party costs somebody a day.

mod certificate;
mod connect;
mod facts;
mod handshake;
mod machine;
mod proxy;
mod resolve;
mod status;
#[cfg(test)]
mod table;
mod words;

pub use machine::may_pass;
pub use status::failure as of_status;

use super::{Exchange, route};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::failure::{Failure, Retry};
use crate::libcurl::{Easy2, Error, Version};
use facts::{Facts, Parties};

// libcurl's codes that `curl-sys` does not name (include/curl/curl.h).
const CURLE_NOT_BUILT_IN: curl_sys::CURLcode = 4;
const CURLE_WEIRD_SERVER_REPLY: curl_sys::CURLcode = 8;
/// A failed handshake with a SOCKS proxy (7.73 and newer).
const CURLE_PROXY: curl_sys::CURLcode = 97;
const CURLE_SSL_CLIENTCERT: curl_sys::CURLcode = 98;
const CURLE_UNRECOVERABLE_POLL: curl_sys::CURLcode = 99;
const CURLE_TOO_LARGE: curl_sys::CURLcode = 100;

const PROXY_HUNG_UP: &str = "Proxy CONNECT aborted";

/// Nothing is sent without something to trust.
pub fn no_trust() -> Failure {
    Failure::new(
        Code::File,
        "there are no certificate authorities to verify the server with",
        "install the system's ca-certificates, or set certificate_path",
    )
}

/// libcurl refused an option.
pub fn of_setup(error: &Error) -> Failure {
    match error.code() {
        curl_sys::CURLE_OUT_OF_MEMORY => {
            Failure::system("out of memory or descriptors: libcurl cannot be set up")
        }
        _ => unfit_libcurl(&format!(": {error}")),
    }
}

fn unfit_libcurl(why: &str) -> Failure {
    let version = Version::get();
    Failure::new(
        Code::System,
        format!("this libcurl ({}) cannot be set up{why}", version.version()),
        "psc needs libcurl 7.71 or newer, built with OpenSSL",
    )
}

/// libcurl brings a TLS library that psc's verification rules cannot be set in.
pub fn foreign_tls() -> Failure {
    let version = Version::get();
    Failure::new(
        Code::System,
        format!(
            "this libcurl uses {} and not OpenSSL as psc does",
            version.ssl_version().unwrap_or("no TLS")
        ),
        "link or install the OpenSSL flavour of libcurl, 7.71 or newer",
    )
}

/// libcurl calls it a failure to connect, and the network is not to blame.
pub fn no_socket(reason: &std::io::Error) -> Failure {
    Failure::system(format!("no descriptor for a socket: {reason}"))
}

/// The transfer broke off.
pub fn of_transfer(easy: &Easy2<Exchange>, error: &Error, config: &CheckConfig) -> Failure {
    if let Some((variable, problem)) = route::unusable(error, config) {
        return Failure::new(
            Code::Network,
            format!("no proxy can be read from the environment variable {variable}: {problem}"),
            "mend the variable and start the host anew, or set proxy_url",
        );
    }
    judged(&Facts::of(easy, error), &Parties::of(config))
}

/// The status of the server's answer; 0 when there was none.
pub fn status(easy: &Easy2<Exchange>) -> i32 {
    i32::try_from(easy.response_code()).unwrap_or(0)
}

fn judged(facts: &Facts, parties: &Parties) -> Failure {
    let failure = machine::failure(facts, parties).unwrap_or_else(|| of_others(facts, parties));
    let failure = match resolve::nowhere(facts, parties) {
        Some(address) if matches!(failure.code, Code::Network | Code::Tls) => {
            let (reason, advice) = resolve::blocked(address, &failure.reason, parties);
            Failure {
                reason,
                advice,
                ..failure
            }
        }
        _ => failure,
    };
    failure.with_status(facts.status)
}

fn of_others(facts: &Facts, parties: &Parties) -> Failure {
    let words = &facts.words;
    if words.start_with("Unsupported proxy") || words.contain("pre-proxy") {
        return proxy::unreadable(facts, parties);
    }
    match facts.code {
        // A proxy has refused CONNECT: a receive error to libcurl 7, a connection that cannot be made to libcurl 8.
        _ if facts.status == 0 && facts.connect_status >= 300 => proxy::refused(facts, parties),
        curl_sys::CURLE_COULDNT_RESOLVE_HOST | curl_sys::CURLE_COULDNT_RESOLVE_PROXY => {
            resolve::failed(facts, parties)
        }
        CURLE_PROXY => proxy::socks(facts.socks_reply, facts, parties),
        curl_sys::CURLE_COULDNT_CONNECT => match proxy::reply_in_words(facts) {
            Some(reply) => proxy::socks(reply, facts, parties),
            None => connect::failed(facts, parties),
        },
        curl_sys::CURLE_OPERATION_TIMEDOUT => connect::timed_out(facts, parties),
        curl_sys::CURLE_PEER_FAILED_VERIFICATION if handshake::is_alert_of_expiry(facts) => {
            handshake::client_certificate(facts, parties)
        }
        curl_sys::CURLE_PEER_FAILED_VERIFICATION
        | curl_sys::CURLE_SSL_ISSUER_ERROR
        | curl_sys::CURLE_SSL_INVALIDCERTSTATUS => certificate::failure(facts, parties),
        CURLE_SSL_CLIENTCERT => handshake::client_certificate(facts, parties),
        curl_sys::CURLE_SSL_CONNECT_ERROR
        | curl_sys::CURLE_SSL_CIPHER
        | curl_sys::CURLE_USE_SSL_FAILED
        | curl_sys::CURLE_SSL_ENGINE_NOTFOUND
        | curl_sys::CURLE_SSL_SHUTDOWN_FAILED => handshake::failure(facts, parties),
        _ => of_files_and_transfers(facts, parties),
    }
}

fn of_files_and_transfers(facts: &Facts, parties: &Parties) -> Failure {
    let words = &facts.words;
    match facts.code {
        curl_sys::CURLE_SSL_CERTPROBLEM => handshake::unusable_client_certificate(facts, parties),
        curl_sys::CURLE_SSL_CACERT_BADFILE => Failure::new(
            Code::File,
            format!(
                "the certificate authorities in {} cannot be used{words}",
                parties.truststore
            ),
            "check the truststore: certificate_path, or the system's ca-certificates",
        ),
        // What libcurl before 8.5 calls a header line that is too long.
        curl_sys::CURLE_OUT_OF_MEMORY | CURLE_TOO_LARGE => super::too_large(),
        curl_sys::CURLE_BAD_CONTENT_ENCODING => Failure::compressed(&words.to_string()),
        curl_sys::CURLE_UNSUPPORTED_PROTOCOL | CURLE_WEIRD_SERVER_REPLY => Failure::new(
            Code::Network,
            format!("{} does not speak HTTP as agreed{words}", parties.server),
            "check that `url` names a security update check server, and whether something on the way answers in its place",
        ),
        curl_sys::CURLE_SEND_ERROR | curl_sys::CURLE_RECV_ERROR if words.contain(PROXY_HUNG_UP) => {
            proxy::aborted(facts, parties)
        }
        // TLS 1.3 servers refuse a client certificate after the handshake, as an alert in the first answer.
        curl_sys::CURLE_SEND_ERROR | curl_sys::CURLE_RECV_ERROR if words.contain("alert") => {
            handshake::failure(facts, parties)
        }
        curl_sys::CURLE_SEND_ERROR
        | curl_sys::CURLE_RECV_ERROR
        | curl_sys::CURLE_GOT_NOTHING
        | curl_sys::CURLE_PARTIAL_FILE
        | curl_sys::CURLE_HTTP2
        | curl_sys::CURLE_HTTP2_STREAM => connect::broken(facts, parties),
        // Nobody is blamed for what psc does not know.
        code => Failure::new(
            Code::System,
            format!("libcurl ended the check with its error {code}{words}"),
            "please report it to the makers of the program that makes the check",
        ),
    }
}

fn unanswered(reason: String, advice: &'static str) -> Failure {
    Failure::new(Code::Network, reason, advice).retried(Retry::Unanswered)
}
