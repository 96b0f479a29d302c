//! What a fault is.

use super::expected::Expected;
use crate::envelope::{Data, Envelope};
use crate::error::Error;
use crate::stream::{Close, TlsStream};
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

/// The one place where a fault differs from a proper answer.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The verdict that is expected, properly.
    Verdict,
    /// Instead of a TLS handshake.
    Raw(fn(&TcpStream) -> Close),
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
    Transfer(fn(&mut TlsStream<'_>, &[u8]) -> io::Result<Close>),
}
