//! Checks that cannot begin: a libcurl that does not fit, nothing to trust, no socket.

use crate::code::Code;
use crate::error::Error;
use crate::libcurl::{self, Version};

/// Nothing is sent without something to trust.
pub fn no_trust() -> Error {
    Error::new(
        Code::File,
        "there are no certificate authorities to verify the server with",
        "install the system's ca-certificates, or set certificate_path",
    )
}

/// libcurl refused an option.
pub fn from_setup(error: &libcurl::Error) -> Error {
    match error.code() {
        curl_sys::CURLE_OUT_OF_MEMORY => {
            Error::system("out of memory or descriptors: libcurl cannot be set up")
        }
        _ => unsuitable_libcurl(&format!(": {error}")),
    }
}

pub fn unsuitable_libcurl(why: &str) -> Error {
    let version = Version::get();
    Error::new(
        Code::System,
        format!("this libcurl ({}) cannot be set up{why}", version.version()),
        "psc needs libcurl 7.71 or newer, built with OpenSSL",
    )
}

/// libcurl brings a TLS library that psc's verification rules cannot be set in.
pub fn foreign_tls() -> Error {
    let version = Version::get();
    Error::new(
        Code::System,
        format!(
            "this libcurl uses {} and not OpenSSL as psc does",
            version.ssl_version().unwrap_or("no TLS")
        ),
        "link or install the OpenSSL flavour of libcurl, 7.71 or newer",
    )
}

/// libcurl calls it a failure to connect, and the network is not to blame.
pub fn no_socket(reason: &std::io::Error) -> Error {
    Error::system(format!("no descriptor for a socket: {reason}"))
}
