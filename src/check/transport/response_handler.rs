//! Collects what comes back: the body, and what of the headers matters.

use super::retry_after;
use super::tls::{self, Policy};
use crate::error::Error;
use crate::json;
use crate::libcurl::Handler;
use crate::sys::errno;
use crate::text;
use socket2::Socket;
use std::ffi::{c_int, c_void};
use std::io;
use std::net::IpAddr;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Bytes in an answer (docs/protocol.md, Answer).
pub const MAX_BODY: usize = 256 * 1024;
/// Bytes in all header lines of an exchange, the proxy's and interim answers included.
const MAX_HEADER: usize = 64 * 1024;
/// Addresses that are remembered; a name may have hundreds.
const MAX_ADDRESSES: usize = 8;

pub fn too_large() -> Error {
    Error::response(format!("the answer is larger than {MAX_BODY} bytes"))
}

/// Collects the answer, bounded before anything is buffered.
pub struct ResponseHandler {
    pub body: Vec<u8>,
    header_bytes: usize,
    /// The empty line has come: what follows is a trailer, or the head of another answer.
    head_ended: bool,
    pub overflow: Option<Overflow>,
    /// `Retry-After` of the answer in seconds (RFC 9110, section 10.2.3).
    pub retry_after: Option<u64>,
    /// Why there was none, when the limits of this process or system are to blame.
    pub no_socket: Option<io::Error>,
    /// What was connected to, the first of it; none before a name is resolved.
    pub addresses: Vec<IpAddr>,
    /// `Content-Encoding` of the answer (RFC 9110, section 8.4).
    content_encoding: Option<String>,
    /// Of OpenSSL on this machine; `None` before a TLS handshake begins.
    pub policy: Option<Policy>,
    /// A client certificate was asked for in the handshake with the server, or with an https proxy.
    pub certificate_request: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    Header,
    Body,
    /// There is no memory for what is allowed.
    Memory,
}

impl ResponseHandler {
    pub fn new(certificate_request: &Arc<AtomicBool>) -> ResponseHandler {
        ResponseHandler {
            body: Vec::new(),
            header_bytes: 0,
            head_ended: false,
            overflow: None,
            retry_after: None,
            no_socket: None,
            addresses: Vec::new(),
            content_encoding: None,
            policy: None,
            certificate_request: Arc::clone(certificate_request),
        }
    }

    /// What came with status 200, unless it is compressed: nobody asked for that. JSON is JSON, whatever a header says.
    pub fn take_body(&mut self) -> Result<Vec<u8>, Error> {
        let body = std::mem::take(&mut self.body);
        match &self.content_encoding {
            Some(encoding) if json::object(&body).is_err() => {
                Err(Error::compressed(&format!(" ({})", text::quoted(encoding))))
            }
            _ => Ok(body),
        }
    }
}

impl Handler for ResponseHandler {
    fn write(&mut self, data: &[u8]) -> bool {
        if self.body.len().saturating_add(data.len()) > MAX_BODY {
            self.overflow = Some(Overflow::Body);
            return false;
        }
        if self.body.try_reserve(data.len()).is_err() {
            self.overflow = Some(Overflow::Memory);
            return false;
        }
        self.body.extend_from_slice(data);
        true
    }

    fn header(&mut self, line: &[u8]) -> bool {
        self.header_bytes = self.header_bytes.saturating_add(line.len());
        if self.header_bytes > MAX_HEADER {
            self.overflow = Some(Overflow::Header);
            return false;
        }
        if line.starts_with(b"HTTP/") {
            // A proxy's or interim answer came before this one.
            self.retry_after = None;
            self.content_encoding = None;
            self.head_ended = false;
        } else if line.trim_ascii().is_empty() {
            self.head_ended = true;
        } else if let (false, Some((name, value))) = (self.head_ended, field(line)) {
            if name.eq_ignore_ascii_case("retry-after") {
                self.retry_after = retry_after::seconds(value);
            } else if name.eq_ignore_ascii_case("content-encoding") {
                self.content_encoding =
                    (!value.eq_ignore_ascii_case("identity")).then(|| value.to_owned());
            }
        }
        true
    }

    fn ssl_ctx(&mut self, context: *mut c_void) -> bool {
        self.policy = Some(tls::harden(context, &self.certificate_request));
        true
    }

    /// Close-on-exec, so that no program of the host's inherits it.
    fn open_socket(
        &mut self,
        family: c_int,
        kind: c_int,
        protocol: c_int,
        address: Option<IpAddr>,
    ) -> Option<curl_sys::curl_socket_t> {
        if self.addresses.len() < MAX_ADDRESSES {
            self.addresses.extend(address);
        }
        match Socket::new(family.into(), kind.into(), Some(protocol.into())) {
            Ok(socket) => Some(socket.into_raw_fd()),
            Err(error) => {
                // Anything else, such as a family that the kernel lacks, is a matter of the address.
                if errno::is_shortage(&error) {
                    self.no_socket = Some(error);
                }
                None
            }
        }
    }
}

/// Name and value of a header line.
fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name, value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry_after(lines: &[&str]) -> Option<u64> {
        let mut exchange = ResponseHandler::new(&Arc::default());
        for line in lines {
            assert!(exchange.header(line.as_bytes()));
        }
        exchange.retry_after
    }

    #[test]
    fn retry_after_counts_in_the_head_of_the_last_answer_only() {
        const STATUS: &str = "HTTP/1.1 503 Busy\r\n";
        const SECONDS: &str = "Retry-After: 7200\r\n";
        const END: &str = "\r\n";
        assert_eq!(retry_after(&[STATUS, SECONDS, END]), Some(7200));
        let trailer = [STATUS, "Trailer: Retry-After\r\n", END, SECONDS, END];
        assert_eq!(retry_after(&trailer), None);
        let of_a_proxy = ["HTTP/1.1 200 OK\r\n", SECONDS, END, STATUS, END];
        assert_eq!(retry_after(&of_a_proxy), None);
        let after_a_proxy = ["HTTP/1.1 200 OK\r\n", END, STATUS, SECONDS, END];
        assert_eq!(retry_after(&after_a_proxy), Some(7200));
    }
}
