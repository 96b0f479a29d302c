//! Faults of this machine.

use super::super::classify;
use super::super::transfer::LookupShortage;
use super::*;

/// Where nobody outside is at fault.
const THIS_MACHINE: &[(curl_sys::CURLcode, &str, &str)] = &[
    // 7.71 to 8.13. Through a proxy 7.88 has the other code.
    (
        NO_HOST,
        "getaddrinfo() thread failed to start",
        "limits on threads",
    ),
    (
        NO_HOST,
        "getaddrinfo() thread failed to start\n",
        "limits on threads",
    ),
    (
        NO_PROXY,
        "getaddrinfo() thread failed to start",
        "limits on threads",
    ),
    (NO_HOST, "getaddrinfo() thread failed", "limits on threads"),
    // 8.20 and newer.
    (
        FAILED_INIT,
        "Error 2 resolving check.example:443",
        "limits on memory, threads",
    ),
    (
        MEMORY,
        "Error 27 resolving check.example:443",
        "out of memory",
    ),
    (
        NO_HOST,
        "Could not resolve host: check.example (Memory allocation failure)",
        "out of memory",
    ),
    // All versions: code, general words, or words of their own.
    (MEMORY, "", "out of memory"),
    (MEMORY, "memory shortage", "out of memory"),
    (MEMORY, "Failed to alloc scratch buffer!", "out of memory"),
    (
        MEMORY,
        "could not allocate xfer_buf of 16384 bytes",
        "out of memory",
    ),
    (
        MEMORY,
        "SSL: Out of memory allocating for OID list",
        "out of memory",
    ),
    (
        MEMORY,
        "SSL: couldn't create a context: error:0A0C0100:SSL routines::malloc failure",
        "out of memory",
    ),
    (
        HANDSHAKE,
        "error:0A0C0100:SSL routines::malloc failure",
        "out of memory",
    ),
    (
        HANDSHAKE,
        "TLS connect error: error:0A0C0100:SSL routines::malloc failure",
        "out of memory",
    ),
    (
        HANDSHAKE,
        "error:1426F041:SSL routines:ssl_new:malloc failure",
        "out of memory",
    ),
    (
        HANDSHAKE,
        "OpenSSL SSL_connect: Cannot allocate memory in connection to check.example:443 ",
        "out of memory",
    ),
    (
        PEER,
        "SSL certificate problem: out of memory",
        "out of memory",
    ),
    (
        CERTPROBLEM,
        "could not load PEM client certificate from CURLOPT_SSLCERT_BLOB, OpenSSL error error:04800065:PEM routines::malloc failure, (no key found, wrong pass phrase, or wrong file format?)",
        "out of memory",
    ),
    (
        RECV,
        "OpenSSL SSL_read: error:0A0C0100:SSL routines::malloc failure, errno 0",
        "out of memory",
    ),
    (
        RECV,
        "Recv failure: Cannot allocate memory",
        "out of memory",
    ),
    (
        SEND,
        "Send failure: Cannot allocate memory",
        "out of memory",
    ),
    (FAILED_INIT, "", "libcurl cannot start"),
    // 7.88 and newer, also where no provider is there to ask.
    (HANDSHAKE, "Insufficient randomness", "no random numbers"),
    (
        HANDSHAKE,
        "error:12000090:random number generator::entropy source failure",
        "no random numbers",
    ),
    (
        HANDSHAKE,
        "TLS connect error: error:1200006C:random number generator::error retrieving entropy",
        "no random numbers",
    ),
    (
        HANDSHAKE,
        "error:2406C06E:random number generator:RAND_DRBG_instantiate:error retrieving entropy",
        "no random numbers",
    ),
    // OpenSSL itself.
    (
        MEMORY,
        "SSL: couldn't create a context: error:0A0000A1:SSL routines::library has no ciphers",
        "OpenSSL does not work",
    ),
    (
        MEMORY,
        "SSL: could not create a context: error:0A0000A1:SSL routines::library has no ciphers",
        "OpenSSL does not work",
    ),
    (
        MEMORY,
        "SSL: couldn't create a context (handle)!",
        "OpenSSL does not work",
    ),
    (
        HANDSHAKE,
        "error:0308010C:digital envelope routines::unsupported",
        "OpenSSL does not work",
    ),
    (
        HANDSHAKE,
        "error:0A0C0103:SSL routines::internal error",
        "OpenSSL does not work",
    ),
    (
        HANDSHAKE,
        "TLS connect error: error:0A080006:SSL routines::EVP lib",
        "TLS handshake with check.example failed",
    ),
    (HANDSHAKE, "Error setting ALPN", "OpenSSL does not work"),
    (HANDSHAKE, "Failed set SNI", "OpenSSL does not work"),
    (
        HANDSHAKE,
        "select/poll on SSL socket, errno: 4",
        "cannot wait for its sockets",
    ),
    (POLL, "", "cannot wait for its sockets"),
    (
        SEND,
        "select/poll returned error",
        "cannot wait for its sockets",
    ),
    (
        NOT_BUILT_IN,
        "OpenSSL was built without TLS 1.2 support",
        "psc needs libcurl 7.71",
    ),
    (
        NOT_BUILT_IN,
        "Unsupported proxy 'https://proxy.example', libcurl is built without the HTTPS-proxy support.",
        "psc needs libcurl 7.71",
    ),
    (
        ARGUMENT,
        "control code detected in credentials",
        "psc needs libcurl 7.71",
    ),
    (ABORTED, "Callback aborted", "its error 42"),
];

#[test]
fn a_fault_of_this_machine_blames_nobody_else() {
    for (code, message, part) in THIS_MACHINE {
        for context in [direct(), by_proxy()] {
            let error = classify(&transfer(*code, message), &context);
            let is_handshake = part.starts_with("TLS handshake");
            let expected = if is_handshake {
                Code::Tls
            } else {
                Code::System
            };
            assert_error(&error, expected, &[part], message);
            for other in ["name servers", "firewall", "TLS 1.2 or", "intercept"] {
                assert!(
                    is_handshake || !error.to_string().contains(other),
                    "{message}: {error}"
                );
            }
        }
    }
}

/// 8.14 and newer do not say that there is no thread, or try again until the time is up.
#[test]
fn a_look_up_that_could_not_be_begun_blames_no_name_server() {
    for (code, message) in [
        (NO_HOST, "Could not resolve host: check.example"),
        (NO_PROXY, "Could not resolve proxy: proxy.example"),
        (NO_HOST, "Could not resolve: check.example:443"),
        (TIMED_OUT, "Resolving timed out after 20000 milliseconds"),
        (FAILED_INIT, "Error 2 resolving check.example:443"),
    ] {
        for errno in [libc::EAGAIN, libc::EPERM] {
            let error = std::io::Error::from_raw_os_error(errno);
            let parts = [
                "no thread can be made",
                "limits on threads",
                &error.to_string(),
            ];
            let transfer = Transfer {
                lookup_shortage: Some(LookupShortage::Threads(std::io::Error::from_raw_os_error(
                    errno,
                ))),
                addresses: Vec::new(),
                ..transfer(code, message)
            };
            assert_error(
                &classify(&transfer, &direct()),
                Code::System,
                &parts,
                message,
            );
        }
        let transfer = Transfer {
            lookup_shortage: Some(LookupShortage::Descriptors),
            addresses: Vec::new(),
            ..transfer(code, message)
        };
        let error = classify(&transfer, &direct());
        assert_error(
            &error,
            Code::System,
            &["hardly a descriptor is left"],
            message,
        );
    }
}
