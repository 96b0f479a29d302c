//! Step 3: the HTTPS exchange, on libcurl's multi interface so that it can be cancelled at any moment.
//!
//! `options` sets libcurl up, `tls` hardens its TLS context, `ocsp` looks
//! at revocation, `errors` turns its errors into reasons and advice, for which `proxy_route` knows of proxies.

mod errors;
mod ocsp;
mod options;
mod proxy_route;
mod retry_after;
mod tls;

use super::request::Request;
use crate::cancel::CancelToken;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::json;
use crate::libcurl::{self, Easy2, Easy2Handle, Handler, Multi, MultiError, WaitFd};
use crate::selftest;
use crate::sys::signals::Blocked;
use crate::sys::{errno, pipe};
use crate::text;
use socket2::Socket;
use std::ffi::{c_int, c_void};
use std::io;
use std::net::IpAddr;
use std::os::fd::IntoRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tls::Policy;

/// Bytes in an answer (contract section 5).
pub const MAX_BODY: usize = 256 * 1024;
/// Bytes in all header lines of an exchange, the proxy's and interim answers included.
const MAX_HEADER: usize = 64 * 1024;
/// The pair that wakes libcurl up, and a connection: less than this and there can be no check.
const PIPES_OF_A_CHECK: usize = 2;
/// Addresses that are remembered; a name may have hundreds.
const MAX_ADDRESSES: usize = 8;
/// libcurl ends a transfer at its own deadline; this is how much later psc ends it when libcurl does not.
const DEADLINE_GRACE: Duration = Duration::from_secs(1);
/// libcurl looks again at what it waits for at least so often. Its own timers are not relied on: 7.88 sets none when it goes
/// on to the last address of a name, and would sleep to the deadline.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// libcurl and OpenSSL read the environment when they begin (`OPENSSL_CONF`, `SSLKEYLOGFILE` and the like): that is to
/// happen in the host's thread, when it configures a handle, and not at a check.
pub fn prepare() {
    // What fails is tried again by the check, which then says so.
    let _ = libcurl::init();
    openssl::init();
}

/// Sends the request and returns the body of a 200 answer.
pub fn post(
    config: &CheckConfig,
    request: &Request,
    cancel: &CancelToken,
) -> Result<Vec<u8>, Error> {
    let started = Instant::now();
    let limit = Duration::from_secs(config.settings.timeout);
    let mut is_transient = false;
    let mut exchanged = exchange(config, request, cancel, limit, &mut is_transient);
    let left = limit.saturating_sub(started.elapsed());
    // One allocation that failed inside OpenSSL or libcurl has many names, which blame others; what is so stays so.
    if exchanged.is_err() && is_transient && !left.is_zero() {
        exchanged = exchange(config, request, cancel, left, &mut is_transient);
    }
    exchanged.map_err(|errors| match errors.or_out_of_memory() {
        errors if is_transient => errors.or_broken_since(),
        errors => errors,
    })
}

fn exchange(
    config: &CheckConfig,
    request: &Request,
    cancel: &CancelToken,
    timeout: Duration,
    is_transient: &mut bool,
) -> Result<Vec<u8>, Error> {
    if !tls::libcurl_uses_our_openssl() {
        return Err(errors::foreign_tls());
    }
    let trust_store = config.trust_store.as_deref().ok_or_else(errors::no_trust)?;
    // A newer libcurl does not say that it is descriptors that it lacks for a new handle.
    if !pipe::has_room(PIPES_OF_A_CHECK) {
        return Err(Error::system("hardly a descriptor is left"));
    }
    // The threads that libcurl looks names up in inherit the mask: none of them takes a signal of the host's.
    let signals = Blocked::all();
    // Dropped last, because OpenSSL knows its place.
    let certificate_request = Arc::default();
    let multi = Multi::new().map_err(|error| errors::from_setup(&error))?;
    options::quit_quickly(&multi);
    let easy = options::configured(config, trust_store, request, timeout, &certificate_request)
        .map_err(|error| errors::from_setup(&error))?;
    let transfer = multi.add2(easy).map_err(|error| internal(&error))?;
    let ended = drive(&multi, &transfer, timeout, cancel, &signals);
    if let Err(over) = selftest::ensure_usable() {
        // Closing a connection calls OpenSSL: this one stays open until the process ends.
        std::mem::forget((multi, transfer));
        return Err(ended.err().unwrap_or(over));
    }
    // Removing the handle also ends a look-up that hangs, because QUICK_EXIT is set.
    let easy = multi.remove2(transfer).map_err(|error| internal(&error))?;
    let ended = ended?;
    if let Err(error) = &ended {
        *is_transient = errors::is_transient(error);
    }
    answer(easy, ended, config)
}

/// The headers of a request, without those that HTTP itself needs.
pub fn sent_headers() -> Vec<&'static str> {
    options::HEADERS
        .into_iter()
        .filter(|header| !header.ends_with(':'))
        .collect()
}

pub fn too_large() -> Error {
    Error::response(format!("the answer is larger than {MAX_BODY} bytes"))
}

/// Runs the transfer to its end.
fn drive(
    multi: &Multi,
    transfer: &Easy2Handle<Exchange>,
    timeout: Duration,
    cancel: &CancelToken,
    signals: &Blocked,
) -> Result<Result<(), libcurl::Error>, Error> {
    let limit = timeout.saturating_add(DEADLINE_GRACE);
    let started = Instant::now();
    loop {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        // The host may clean OpenSSL up, by exit too, while this thread waits.
        selftest::ensure_usable()?;
        let running = multi.perform().map_err(|error| internal(&error))?;
        if let Some(ended) = multi.ended(transfer) {
            return Ok(ended);
        }
        let left = limit.saturating_sub(started.elapsed());
        if running == 0 || left.is_zero() {
            return Ok(Err(libcurl::Error::new(curl_sys::CURLE_OPERATION_TIMEDOUT)));
        }
        let mut wait = WaitFd::new();
        wait.poll_on_read(true);
        // poll(2) passes over a number below zero.
        wait.set_fd(cancel.descriptor().unwrap_or(-1));
        // It is in here that a check spends its time: the host's handlers run in the calling thread as ever.
        signals
            .lifted(|| multi.poll(&mut [wait], left.min(MAX_WAIT)))
            .map_err(|error| internal(&error))?;
    }
}

fn answer(
    mut easy: Easy2<Exchange>,
    ended: Result<(), libcurl::Error>,
    config: &CheckConfig,
) -> Result<Vec<u8>, Error> {
    if let Some(text) = easy.take_panic() {
        return Err(Error::bug(&text));
    }
    let status = errors::http_status(&easy);
    let exchange = easy.get_mut();
    let is_error_page = exchange.overflow == Some(Overflow::Body) && status != 200;
    match (ended, exchange.overflow) {
        (_, Some(Overflow::Memory)) => Err(Error::system("there is no memory for the answer")),
        (_, Some(_)) if !is_error_page => Err(too_large().with_status(status)),
        (Err(error), None) => Err(match exchange.no_socket.take() {
            Some(reason) if error.is_couldnt_connect() => errors::no_socket(&reason),
            _ => errors::from_transfer(&easy, &error, config),
        }),
        (Ok(()), None) if status == 200 => exchange.take_body(),
        _ => Err(errors::from_status(
            status,
            exchange.retry_after,
            &exchange.body,
        )),
    }
}

fn internal(error: &MultiError) -> Error {
    Error::system(format!("libcurl cannot run a transfer: {error}"))
}

/// Collects the answer, bounded before anything is buffered.
pub struct Exchange {
    body: Vec<u8>,
    header_bytes: usize,
    /// The empty line has come: what follows is a trailer, or the head of another answer.
    head_ended: bool,
    overflow: Option<Overflow>,
    /// `Retry-After` of the answer in seconds (RFC 9110, section 10.2.3).
    retry_after: Option<u64>,
    /// Why there was none, when the limits of this process or system are to blame.
    no_socket: Option<io::Error>,
    /// What was connected to, the first of it; none before a name is resolved.
    addresses: Vec<IpAddr>,
    /// `Content-Encoding` of the answer (RFC 9110, section 8.4).
    content_encoding: Option<String>,
    /// Of OpenSSL on this machine; `None` before a TLS handshake begins.
    policy: Option<Policy>,
    /// A client certificate was asked for in the handshake with the server, or with an https proxy.
    certificate_request: Arc<AtomicBool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Header,
    Body,
    /// There is no memory for what is allowed.
    Memory,
}

impl Exchange {
    fn new(certificate_request: &Arc<AtomicBool>) -> Exchange {
        Exchange {
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
    fn take_body(&mut self) -> Result<Vec<u8>, Error> {
        let body = std::mem::take(&mut self.body);
        match &self.content_encoding {
            Some(encoding) if json::object(&body).is_err() => {
                Err(Error::compressed(&format!(" ({})", text::quoted(encoding))))
            }
            _ => Ok(body),
        }
    }
}

impl Handler for Exchange {
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
        let mut exchange = Exchange::new(&Arc::default());
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
