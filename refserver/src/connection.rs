//! One connection, from the handshake to the end.

use crate::check::Check;
use crate::fault::{Effect, Fault};
use crate::http::{self, HttpRequest, ReadError, Refusal};
use crate::json::quote;
use crate::request_log::Request;
use crate::shared::Shared;
use crate::stream::{self, Close, TlsStream};
use crate::{alert, answer, license, log};
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A client that is silent for so long is given up.
const IO_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn serve(stream: &TcpStream, shared: &Shared) {
    // When the file `fault` names an unknown one, the client is told so in a proper connection.
    let (fault, unknown_fault) = match shared.faults.current() {
        Ok(fault) => (fault, None),
        Err(cause) => (None, Some(Refusal::new(500, cause.to_string()))),
    };
    let _ = stream.set_nodelay(true);
    let limits = stream
        .set_read_timeout(Some(IO_TIMEOUT))
        .and(stream.set_write_timeout(Some(IO_TIMEOUT)));
    if limits.is_err() {
        return;
    }
    if let Some(Effect::Raw(act)) = fault.map(|fault| &fault.effect) {
        let how = act(stream);
        return stream::close(stream, how);
    }
    let context = match fault.map(|fault| shared.faults.tls_context(fault)) {
        Some(Ok(Some(context))) => context,
        Some(Err(cause)) => return log::error(&cause.to_string()),
        Some(Ok(None)) | None => shared.tls.clone(),
    };
    match TlsStream::accept(stream, &context, &shared.cancel) {
        Ok(stream) => exchange(stream, shared, fault, unknown_fault),
        Err(cause) => {
            shared.info(&format!("handshake: {cause}"));
            stream::close(stream, Close::NoCloseNotify);
        }
    }
}

fn exchange(
    mut stream: TlsStream<'_>,
    shared: &Shared,
    fault: Option<&'static Fault>,
    unknown_fault: Option<Refusal>,
) {
    let (request, check) = match http::read_request(&mut stream) {
        Ok(request) => {
            let check = Check::parse(&request, &shared.keys.license);
            (request, check)
        }
        Err(ReadError::Refused(refusal, request)) => (*request, Err(refusal)),
        Err(ReadError::Closed) => return,
    };
    log_request(&stream, shared, &request, &check, fault);
    let result = match (&check, &unknown_fault) {
        (Err(refusal), _) | (Ok(_), Some(refusal)) => refuse(&mut stream, refusal),
        (Ok(check), None) => reply(&mut stream, shared, fault, check, &request),
    };
    match result {
        Ok(how) => stream.close(how),
        Err(cause) => shared.info(&format!("answering: {cause}")),
    }
    if let Ok(check) = check {
        run_alert(shared, &check);
    }
}

fn log_request(
    stream: &TlsStream<'_>,
    shared: &Shared,
    request: &HttpRequest,
    check: &Result<Check, Refusal>,
    fault: Option<&'static Fault>,
) {
    let mut licensee = None;
    let status = match check {
        Ok(check) => {
            let (version, integration) = (&check.passenger_version, &check.server_integration);
            shared.info(&format!("check: {version:?} in {integration:?}"));
            if let Some(license) = &check.license {
                let name = license::licensee(license);
                shared.info(&format!("license of {} bytes: {name}", license.len()));
                licensee = Some(name);
            }
            200
        }
        Err(Refusal { status, reason }) => {
            let reason = reason.escape_debug();
            shared.info(&format!("refused with {status}: {reason}"));
            *status
        }
    };
    shared.request_log.add(Request {
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        client_certificate: stream.has_client_certificate(),
        fault: fault.map_or("", |fault| fault.name).to_owned(),
        status,
        licensee,
    });
}

fn refuse(stream: &mut TlsStream<'_>, refusal: &Refusal) -> io::Result<Close> {
    let body = format!("{{\"error\":{}}}\n", quote(&refusal.reason));
    let allow: &[(&str, &str)] = match refusal.status {
        405 => &[("Allow", "POST")],
        _ => &[],
    };
    stream.write_all(&http::response(refusal.status, allow, body.as_bytes()))?;
    Ok(Close::Proper)
}

fn reply(
    stream: &mut TlsStream<'_>,
    shared: &Shared,
    fault: Option<&'static Fault>,
    check: &Check,
    request: &HttpRequest,
) -> io::Result<Close> {
    let body = match answer::body(shared, fault, check, &request.body) {
        Ok(body) => body,
        Err(cause) => return refuse(stream, &Refusal::new(500, cause.to_string())),
    };
    let response = match fault.map(|fault| &fault.effect) {
        Some(Effect::Transfer(transfer)) => return transfer(stream, &body),
        Some(Effect::Status(status, headers)) => http::response(*status, headers, &body),
        _ => http::response(200, &[], &body),
    };
    stream.write_all(&response)?;
    Ok(Close::Proper)
}

/// Hands a license to the operator's command, if there is one.
fn run_alert(shared: &Shared, check: &Check) {
    let (Some(command), Some(license)) = (&shared.options.license_alert, &check.license) else {
        return;
    };
    let advisories = shared.advisories.current();
    let recommended = advisories.verdict(&check.passenger_version).version;
    if let Err(cause) = alert::run(command, check, license, recommended, &shared.cancel) {
        log::error(&format!("license alert: {cause}"));
    }
}
