//! One connection, from the handshake to the end.

use crate::advisories::Verdict;
use crate::answer::{self, Data, Envelope};
use crate::check::{Check, Refusal};
use crate::error::tell;
use crate::fault::{Effect, Expected, Fault};
use crate::http::{self, HttpRequest, Trouble};
use crate::json::quote;
use crate::license;
use crate::record::Request;
use crate::server::Shared;
use crate::stop::{Stop, lock};
use crate::{Error, json};
use openssl::ssl::{Ssl, SslStream};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;
use zeroize::Zeroizing;

/// A client that is silent for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long the client may take to close after the answer.
const GOODBYE: Duration = Duration::from_secs(5);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// close_notify, then FIN.
    Proper,
    /// FIN only.
    NoCloseNotify,
    /// RST.
    Reset,
}

/// The TLS connection as the faults see it.
pub(crate) struct Wire<'a> {
    ssl: SslStream<&'a TcpStream>,
    pub stop: &'a Stop,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ssl.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.ssl.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ssl.flush()
    }
}

impl Wire<'_> {
    /// Returns when the client closes or the server stops.
    pub fn hang(&mut self) {
        // Without a limit, so that the client's own one is what ends it.
        if self.ssl.get_ref().set_read_timeout(None).is_ok() {
            let _ = io::copy(self.ssl.get_mut(), &mut io::sink());
        }
    }
}

/// A request that deserves an answer.
struct Valid {
    check: Check,
    license: Option<Zeroizing<Vec<u8>>>,
}

pub(crate) fn serve(stream: &TcpStream, shared: &Shared) {
    let fault = shared.fault();
    let effect = fault
        .as_ref()
        .ok()
        .and_then(|fault| fault.map(|fault| &fault.effect));
    let _ = stream.set_nodelay(true);
    let limits = stream
        .set_read_timeout(Some(PATIENCE))
        .and(stream.set_write_timeout(Some(PATIENCE)));
    if limits.is_err() {
        return;
    }
    if let Some(Effect::Raw(act)) = effect {
        let end = act(stream);
        return finish(stream, end);
    }
    let ssl = shared
        .contexts
        .get(fault.as_ref().ok().copied().flatten())
        .and_then(|context| Ok(Ssl::new(&context)?));
    let ssl = match ssl {
        Ok(ssl) => ssl,
        Err(cause) => return tell(&cause.to_string()),
    };
    match ssl.accept(stream) {
        Ok(ssl) => {
            let mut wire = Wire {
                ssl,
                stop: &shared.stop,
            };
            converse(&mut wire, shared, fault);
        }
        Err(cause) => {
            shared.say(&format!("handshake: {cause}"));
            finish(stream, End::NoCloseNotify);
        }
    }
}

fn converse(wire: &mut Wire<'_>, shared: &Shared, fault: Result<Option<&'static Fault>, Error>) {
    let (request, judgement) = match http::read_request(wire) {
        Ok(request) => {
            let judgement = judge(&request, shared);
            (request, judgement)
        }
        Err(Trouble::Refused(status, reason, request)) => (*request, Err((status, reason))),
        Err(Trouble::Gone) => return,
    };
    record(
        wire,
        shared,
        &request,
        &judgement,
        fault.as_ref().ok().copied().flatten(),
    );
    let result = match (&judgement, fault) {
        (Err((status, reason)), _) => refuse(wire, *status, reason),
        (Ok(_), Err(cause)) => refuse(wire, 500, &cause.to_string()),
        (Ok(valid), Ok(fault)) => reply(wire, shared, fault, valid, &request),
    };
    match result {
        Ok(end) => {
            if end == End::Proper {
                // The client may be gone already.
                let _ = wire.ssl.shutdown();
            }
            finish(wire.ssl.get_ref(), end);
        }
        Err(cause) => shared.say(&format!("answering: {cause}")),
    }
    if let Ok(valid) = judgement {
        alert(shared, &valid);
    }
}

fn judge(request: &HttpRequest, shared: &Shared) -> Result<Valid, Refusal> {
    let check = Check::parse(request)?;
    let license = match &check.license {
        None => None,
        Some(sealed) => {
            let opened = license::open(sealed, &shared.keys.license, &check.nonce);
            Some(opened.map_err(|reason| (422, reason.to_owned()))?)
        }
    };
    Ok(Valid { check, license })
}

fn record(
    wire: &Wire<'_>,
    shared: &Shared,
    request: &HttpRequest,
    judgement: &Result<Valid, Refusal>,
    fault: Option<&'static Fault>,
) {
    let license = judgement
        .as_ref()
        .ok()
        .and_then(|valid| valid.license.as_ref())
        .map(|license| license.as_slice());
    let licensee = license.map(license::owner);
    let what = match judgement {
        Ok(valid) => {
            let check = &valid.check;
            format!(
                "check: {:?} in {:?}",
                check.passenger_version, check.server_integration
            )
        }
        Err((status, reason)) => format!("refused with {status}: {}", reason.escape_debug()),
    };
    shared.say(&what);
    if let (Some(license), Some(owner)) = (license, &licensee) {
        shared.say(&format!("licence of {} bytes: {owner}", license.len()));
    }
    shared.records.add(Request {
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        client_certificate: wire.ssl.ssl().peer_certificate().is_some(),
        fault: fault.map_or("", |fault| fault.name).to_owned(),
        status: judgement
            .as_ref()
            .map_or_else(|(status, _)| *status, |_| 200),
        licensee,
    });
}

fn refuse(wire: &mut Wire<'_>, status: u16, reason: &str) -> io::Result<End> {
    let body = format!("{{\"error\":{}}}\n", quote(reason));
    let allow: &[(&str, &str)] = if status == 405 {
        &[("Allow", "POST")]
    } else {
        &[]
    };
    wire.write_all(&http::answer(status, allow, body.as_bytes()))?;
    Ok(End::Proper)
}

fn reply(
    wire: &mut Wire<'_>,
    shared: &Shared,
    fault: Option<&'static Fault>,
    valid: &Valid,
    request: &HttpRequest,
) -> io::Result<End> {
    let body = match body(shared, fault, valid, request) {
        Ok(body) => body,
        Err(cause) => return refuse(wire, 500, &cause.to_string()),
    };
    match fault.map(|fault| &fault.effect) {
        Some(Effect::Transfer(transfer)) => return transfer(wire, &body),
        Some(Effect::Status(status, headers)) => {
            wire.write_all(&http::answer(*status, headers, &body))?
        }
        _ => wire.write_all(&http::answer(200, &[], &body))?,
    }
    Ok(End::Proper)
}

fn body(
    shared: &Shared,
    fault: Option<&'static Fault>,
    valid: &Valid,
    request: &HttpRequest,
) -> Result<Vec<u8>, Error> {
    let nonce = &valid.check.nonce;
    let verdict = verdict(shared, fault, &valid.check);
    let binding = shared
        .options
        .request_binding
        .then_some(request.body.as_slice());
    let mut data = Data::new(&verdict, nonce, binding);
    let key = &shared.keys.sign;
    let Some(fault) = fault else {
        let body = Envelope::seal(answer::encode(data.text().as_bytes()), key)?
            .text()
            .into_bytes();
        *lock(&shared.earlier) = Some(body.clone());
        return Ok(body);
    };
    match fault.effect {
        Effect::Members(members) => members
            .iter()
            .for_each(|(name, json)| data.set(name, *json)),
        Effect::Without(name) => data.remove(name),
        Effect::Change(change) => change(&mut data, nonce),
        Effect::Replay => {
            if let Some(body) = lock(&shared.earlier).clone() {
                return Ok(body);
            }
            // Nothing was answered yet: what this client would have got at another time.
            data.set(
                "nonce",
                json::quote("1700000000000000AAAAAAAAAAAAAAAAAAAAAA=="),
            );
        }
        _ => {}
    }
    let text = data.text();
    let data = match fault.effect {
        Effect::Text(change) => answer::encode(&change(text)),
        Effect::Encoding(encode) => encode(&text),
        _ => answer::encode(text.as_bytes()),
    };
    let envelope = match fault.effect {
        Effect::Signature(sign) => {
            let signature = answer::encode(&sign(key, &data)?);
            Envelope { data, signature }
        }
        Effect::SignatureText(change) => {
            let mut envelope = Envelope::seal(data, key)?;
            envelope.signature = change(&envelope.signature);
            envelope
        }
        _ => Envelope::seal(data, key)?,
    };
    Ok(match fault.effect {
        Effect::Body(form) => form(&envelope),
        _ => envelope.text().into_bytes(),
    })
}

/// A fault that ends in a verdict gives just this verdict, whatever the advisories say.
fn verdict(shared: &Shared, fault: Option<&'static Fault>, check: &Check) -> Verdict {
    let advisories = shared.advisories();
    match fault.map(|fault| fault.expected) {
        Some(Expected::NoUpdate) => advisories.no_update(),
        Some(Expected::Update) => advisories.update(),
        _ => advisories.verdict(&check.passenger_version),
    }
}

fn alert(shared: &Shared, valid: &Valid) {
    let (Some(command), Some(license)) = (&shared.options.license_alert, &valid.license) else {
        return;
    };
    let check = &valid.check;
    let version = shared
        .advisories()
        .verdict(&check.passenger_version)
        .version;
    let environment = [
        ("PSC_LICENSE_BYTES", license.len().to_string()),
        ("PSC_LICENSE_OWNER", license::owner(license)),
        ("PSC_PASSENGER_VERSION", check.passenger_version.clone()),
        ("PSC_SERVER_INTEGRATION", check.server_integration.clone()),
        (
            "PSC_SERVER_VERSION",
            check.server_version.clone().unwrap_or_default(),
        ),
        ("PSC_UPDATE", u8::from(version.is_some()).to_string()),
        ("PSC_RECOMMENDED_VERSION", version.unwrap_or_default()),
    ];
    if let Err(cause) = license::alert(command, license, &environment, &shared.stop) {
        tell(&format!("licence alert: {cause}"));
    }
}

/// Ends the TCP connection. What the client still sends is read first: closing over unread bytes
/// would reset the connection and might take the answer with it.
fn finish(stream: &TcpStream, end: End) {
    if end == End::Reset {
        return reset_on_close(stream);
    }
    let limited = stream
        .shutdown(Shutdown::Write)
        .and(stream.set_read_timeout(Some(GOODBYE)));
    if limited.is_ok() {
        let mut rest = stream.take(4 * http::MAX_BODY as u64);
        let _ = io::copy(&mut rest, &mut io::sink());
    }
}

fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let length = size_of::<libc::linger>() as libc::socklen_t;
    // SAFETY: the descriptor is open, the option's value lives across the call and has this length.
    unsafe {
        let value = (&raw const linger).cast();
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            value,
            length,
        );
    }
}
