//! Faults of this machine or process: memory, threads, descriptors, random numbers, an OpenSSL that does not work. Nobody else
//! is to blame for them, whatever libcurl's code says.

use super::curl_message::CurlMessage;
use super::setup;
use super::transfer::{Context, LookupShortage, Transfer};
use crate::code::Code;
use crate::error::Error;
use crate::libcurl;
use crate::libcurl::constants::{CURLE_NOT_BUILT_IN, CURLE_UNRECOVERABLE_POLL};

/// libcurl's, OpenSSL's, the C library's and the resolver's words.
const NO_MEMORY: [&str; 8] = [
    "malloc failure",
    "out of memory",
    "Out of memory",
    "memory shortage",
    "A memory function failed",
    "annot allocate memory",
    "Memory allocation failure",
    "ould not allocate",
];
/// OpenSSL's where it has no generator, or that one nothing to begin with.
const NO_RANDOMNESS: [&str; 6] = [
    "Insufficient randomness",
    "random number generator",
    "PRNG not seeded",
    "random bytes",
    "entropy",
    "drbg",
];
/// OpenSSL's where its configuration or its providers leave it unable to work, and libcurl's where it gets nothing from it.
const BROKEN_OPENSSL: [&str; 13] = [
    "library has no ciphers",
    "fetch failed",
    "unable to fetch",
    "initialization error",
    "common libcrypto routines",
    "digital envelope routines::unsupported",
    "digital envelope routines::operation not supported",
    "create a context",
    "create an SSL structure",
    "Failed set SNI",
    "Error setting ALPN",
    "SSL_set_session failed",
    "SSL_set_fd failed",
];
const NO_THREAD: &str = "getaddrinfo() thread failed";
const POLL_FAILED: &str = "select/poll";
/// An error of OpenSSL's own, not what the other side has said or done.
const OWN_INTERNAL_ERROR: &str = "SSL routines::internal error";

/// OpenSSL's where something of its own failed below, and libcurl's where it was refused good material. Of keys whose strength
/// could not be computed it says that they are too weak, and a server has nothing in common with who offers nothing.
const FROM_BELOW: [&str; 14] = [
    "SSL routines::EC lib",
    "SSL routines::copy parameters failed",
    "certificate key too weak",
    "alert handshake failure",
    "SSL routines::EVP lib",
    " lib)",
    "SSL routines::bad ",
    "SSL routines::decryption failed",
    "SSL routines::digest check failed",
    "no ciphers available",
    "SSL: couldn't get ",
    "importing CA certificate blob",
    "CURLOPT_SSLCERT_BLOB",
    "CURLOPT_SSLKEY_BLOB",
];
/// How OpenSSL's errors begin, and those of its TLS, which may be about what the other side has said.
const OPENSSL_ERROR: &str = "error:";
const TLS_ERROR: &str = "error:0A";

const NOT_BUILT_FOR_THIS: [curl_sys::CURLcode; 4] = [
    CURLE_NOT_BUILT_IN,
    curl_sys::CURLE_UNKNOWN_OPTION,
    curl_sys::CURLE_BAD_FUNCTION_ARGUMENT,
    curl_sys::CURLE_FUNCTION_NOT_FOUND,
];

/// Whether it may be for want of memory at one moment, whatever it is called.
pub fn is_transient(error: &libcurl::Error) -> bool {
    let message = CurlMessage::of(error);
    error.code() == curl_sys::CURLE_OUT_OF_MEMORY
        || message.contains_any(&NO_MEMORY)
        || message.contains_any(&BROKEN_OPENSSL)
        || message.contains_any(&FROM_BELOW)
        || message.contains(OWN_INTERNAL_ERROR)
        || (message.contains(OPENSSL_ERROR) && !message.contains(TLS_ERROR))
}

/// The failure, when this machine is at fault.
pub fn classify(transfer: &Transfer, context: &Context) -> Option<Error> {
    let message = &transfer.message;
    // Before 8.5 libcurl calls a header line that is too long out of memory, without words of its own.
    if transfer.code == curl_sys::CURLE_OUT_OF_MEMORY && transfer.http_status != 0 {
        return None;
    }
    if message.contains_any(&NO_MEMORY) {
        return Some(Error::system(format!("out of memory{message}")));
    }
    if message.contains(NO_THREAD) || transfer.lookup_shortage.is_some() {
        return Some(lookup_shortage(transfer, context));
    }
    if message.contains_any(&NO_RANDOMNESS) {
        return Some(broken_openssl(format!(
            "OpenSSL has no random numbers in this process{message}"
        )));
    }
    if message.contains_any(&BROKEN_OPENSSL) || message.contains(OWN_INTERNAL_ERROR) {
        return Some(broken_openssl(format!(
            "OpenSSL does not work in this process{message}"
        )));
    }
    if message.contains(POLL_FAILED) || transfer.code == CURLE_UNRECOVERABLE_POLL {
        return Some(Error::system(format!(
            "this process cannot wait for its sockets{message}"
        )));
    }
    match transfer.code {
        curl_sys::CURLE_OUT_OF_MEMORY => Some(Error::system(format!("out of memory{message}"))),
        curl_sys::CURLE_FAILED_INIT => {
            Some(Error::system(format!("libcurl cannot start{message}")))
        }
        code if NOT_BUILT_FOR_THIS.contains(&code) => {
            Some(setup::unsuitable_libcurl(&message.to_string()))
        }
        _ => None,
    }
}

/// The look-up of a name could not be begun, which says nothing about the name.
fn lookup_shortage(transfer: &Transfer, context: &Context) -> Error {
    let why = match &transfer.lookup_shortage {
        Some(LookupShortage::Descriptors) => "hardly a descriptor is left".to_owned(),
        Some(LookupShortage::Threads(error)) => format!("no thread can be made for it: {error}"),
        None => "no thread could be made for it".to_owned(),
    };
    Error::new(
        Code::System,
        format!(
            "the name {} cannot be looked up{}: {why}",
            context.server, transfer.message
        ),
        "check the limits on threads, processes, memory and open files of this process (ulimit -u, the pids limit of its container or service, seccomp)",
    )
}

fn broken_openssl(reason: String) -> Error {
    Error::new(
        Code::System,
        reason,
        "check the configuration of OpenSSL in this process (openssl.cnf, OPENSSL_CONF, OPENSSL_MODULES, its providers, FIPS mode) and its limits on memory",
    )
}
