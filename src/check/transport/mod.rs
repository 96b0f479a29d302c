//! Step 3: the HTTPS exchange, on libcurl's multi interface so that it can be cancelled at any moment.
//!
//! `options` sets libcurl up, `tls` hardens its TLS context, `ocsp` looks
//! at revocation, `errors` turns its errors into reasons and advice, for which `proxy_route` knows of proxies.

mod errors;
mod ocsp;
mod options;
mod proxy_route;
mod response_handler;
mod retry_after;
mod tls;

use super::request::Request;
use crate::cancel::CancelToken;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::libcurl::{self, Easy2, Easy2Handle, Multi, MultiError, WaitFd};
use crate::selftest;
use crate::sys::pipe;
use crate::sys::signals::Blocked;
use response_handler::{Overflow, ResponseHandler};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use response_handler::{MAX_BODY, too_large};

/// The pair that wakes libcurl up, and a connection: less than this and there can be no check.
const PIPES_OF_A_CHECK: usize = 2;
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

/// What came of an exchange.
pub struct Response {
    /// 0 when there was no HTTP answer.
    pub http_status: i32,
    /// Of a 200 answer; any other is an error.
    pub body: Result<Vec<u8>, Error>,
}

impl Response {
    fn none(error: Error) -> Response {
        Response {
            http_status: 0,
            body: Err(error),
        }
    }
}

/// Sends the request and waits for its answer.
pub fn post(config: &CheckConfig, request: &Request, cancel: &CancelToken) -> Response {
    let started = Instant::now();
    let limit = Duration::from_secs(config.settings.timeout);
    let mut is_transient = false;
    let mut response =
        exchange(config, request, cancel, limit, &mut is_transient).unwrap_or_else(Response::none);
    let left = limit.saturating_sub(started.elapsed());
    // One allocation that failed inside OpenSSL or libcurl has many names, which blame others; what is so stays so.
    if response.body.is_err() && is_transient && !left.is_zero() {
        response = exchange(config, request, cancel, left, &mut is_transient)
            .unwrap_or_else(Response::none);
    }
    let body = response
        .body
        .map_err(|error| match error.or_out_of_memory() {
            error if is_transient => error.or_broken_since(),
            error => error,
        });
    Response { body, ..response }
}

/// An error: the transfer did not begin, or was given up.
fn exchange(
    config: &CheckConfig,
    request: &Request,
    cancel: &CancelToken,
    timeout: Duration,
    is_transient: &mut bool,
) -> Result<Response, Error> {
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
    let easy = transfer.remove().map_err(|error| internal(&error))?;
    let ended = ended?;
    if let Err(error) = &ended {
        *is_transient = errors::is_transient(error);
    }
    Ok(response(easy, ended, config))
}

/// The headers of a request, without those that HTTP itself needs.
pub fn sent_headers() -> Vec<&'static str> {
    options::HEADERS
        .into_iter()
        .filter(|header| !header.ends_with(':'))
        .collect()
}

/// Runs the transfer to its end.
fn drive(
    multi: &Multi,
    transfer: &Easy2Handle<ResponseHandler>,
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

/// The one place that decides on the HTTP status of a check.
fn response(
    mut easy: Easy2<ResponseHandler>,
    ended: Result<(), libcurl::Error>,
    config: &CheckConfig,
) -> Response {
    let http_status = options::http_status(&easy);
    let panic = easy.take_panic().map(|text| Error::bug(&text));
    let body = panic.map_or_else(|| body(&mut easy, ended, http_status, config), Err);
    Response { http_status, body }
}

fn body(
    easy: &mut Easy2<ResponseHandler>,
    ended: Result<(), libcurl::Error>,
    http_status: i32,
    config: &CheckConfig,
) -> Result<Vec<u8>, Error> {
    let handler = easy.get_mut();
    let is_error_page = handler.overflow == Some(Overflow::Body) && http_status != 200;
    match (ended, handler.overflow) {
        (_, Some(Overflow::Memory)) => Err(Error::system("there is no memory for the answer")),
        (_, Some(_)) if !is_error_page => Err(too_large()),
        (Err(error), None) => Err(match handler.no_socket.take() {
            Some(reason) if error.is_couldnt_connect() => errors::no_socket(&reason),
            _ => errors::from_transfer(easy, &error, config),
        }),
        (Ok(()), None) if http_status == 200 => handler.take_body(),
        _ => Err(errors::from_status(
            http_status,
            handler.retry_after,
            &handler.body,
        )),
    }
}

fn internal(error: &MultiError) -> Error {
    Error::system(format!("libcurl cannot run a transfer: {error}"))
}
