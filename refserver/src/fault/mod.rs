//! Faults on demand, by name.

mod body;
mod data;
mod signature;
mod staple;
mod table;
mod tls;
mod transfer;

pub use table::FAULTS;

use crate::Error;
use crate::answer::{Data, Envelope};
use crate::connection::{End, Wire};
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContext;
use std::io;
use std::net::TcpStream;
use std::path::Path;

/// One way to misbehave, or to force a verdict.
#[derive(Debug)]
pub struct Fault {
    pub name: &'static str,
    pub explanation: &'static str,
    pub expected: Expected,
    pub(crate) effect: Effect,
}

/// What a correct client concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    NoUpdate,
    Update,
    Network,
    /// A network failure too, after the whole of the client's time.
    Timeout,
    Tls,
    /// The connection breaks in the handshake: a TLS failure or a network failure.
    Handshake,
    Http,
    Response,
    /// Not an HTTP transfer that can be finished: which failure it is depends on who notices first.
    Transfer,
    Signature,
    /// No signature at all, or no valid one: both are right.
    ResponseOrSignature,
    Nonce,
    /// A field is not of the kind that was agreed, or not the one of the request: both are right.
    ResponseOrNonce,
}

impl Expected {
    /// The return codes of psc that are right.
    pub fn codes(self) -> &'static [i32] {
        const NETWORK: i32 = -8;
        const TLS: i32 = -9;
        const HTTP: i32 = -10;
        const RESPONSE: i32 = -11;
        const SIGNATURE: i32 = -12;
        const NONCE: i32 = -13;
        match self {
            Expected::NoUpdate => &[0],
            Expected::Update => &[1],
            Expected::Network | Expected::Timeout => &[NETWORK],
            Expected::Tls => &[TLS],
            Expected::Handshake => &[TLS, NETWORK],
            Expected::Http => &[HTTP],
            Expected::Response => &[RESPONSE],
            Expected::Transfer => &[NETWORK, HTTP, RESPONSE],
            Expected::Signature => &[SIGNATURE],
            Expected::ResponseOrSignature => &[RESPONSE, SIGNATURE],
            Expected::Nonce => &[NONCE],
            Expected::ResponseOrNonce => &[RESPONSE, NONCE],
        }
    }
}

/// The one place where a fault differs from a proper answer.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The verdict that is expected, properly.
    Verdict,
    /// Instead of a TLS handshake.
    Raw(fn(&TcpStream) -> End),
    /// Another certificate or protocol, made from the keys in this directory.
    Tls(fn(&Path) -> Result<SslContext, Error>),
    /// Members of the signed object, as JSON texts.
    Members(&'static [(&'static str, &'static str)]),
    Without(&'static str),
    /// Changes the signed object; the second argument is the request's nonce.
    Change(fn(&mut Data, &str)),
    /// Changes the text of the signed object.
    Text(fn(String) -> Vec<u8>),
    /// Encodes the signed object in another way than base64.
    Encoding(fn(&str) -> String),
    /// Makes another signature of the `data` text.
    Signature(fn(&PKey<Private>, &str) -> Result<Vec<u8>, Error>),
    /// Changes the base64 of a good signature.
    SignatureText(fn(&str) -> String),
    /// An earlier answer.
    Replay,
    /// Forms the body in another way.
    Body(fn(&Envelope) -> Vec<u8>),
    /// Another status with these headers; the body is a proper one.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// Transfers the body in another way.
    Transfer(fn(&mut Wire<'_>, &[u8]) -> io::Result<End>),
}

/// The fault of this name; `None` for the empty one.
pub(crate) fn find(name: &str) -> Result<Option<&'static Fault>, Error> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = FAULTS.iter().find(|fault| fault.name == name);
    let unknown = || {
        Error::new(format!(
            "unknown fault {name:?}; `psc-refserver faults` lists them"
        ))
    };
    found.map(Some).ok_or_else(unknown)
}
