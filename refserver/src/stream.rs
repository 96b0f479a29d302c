//! A client's connection: as TLS once the handshake is done, and the ways to end it.

use crate::cancel::CancelToken;
use crate::http::MAX_BODY;
use openssl::ssl::{HandshakeError, Ssl, SslContextRef, SslStream};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// So long the client may take to close after the answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// close_notify, then FIN.
    Proper,
    /// FIN only.
    NoCloseNotify,
    /// RST.
    Reset,
}

pub(crate) struct TlsStream<'a> {
    ssl: SslStream<&'a TcpStream>,
    pub cancel: &'a CancelToken,
}

impl<'a> TlsStream<'a> {
    pub fn accept(
        stream: &'a TcpStream,
        context: &SslContextRef,
        cancel: &'a CancelToken,
    ) -> Result<TlsStream<'a>, HandshakeError<&'a TcpStream>> {
        let ssl = Ssl::new(context)?.accept(stream)?;
        Ok(TlsStream { ssl, cancel })
    }

    pub fn has_client_certificate(&self) -> bool {
        self.ssl.ssl().peer_certificate().is_some()
    }

    /// Returns when the client closes or the server stops.
    pub fn hang(&self) {
        hang(self.ssl.get_ref());
    }

    pub fn close(mut self, how: Close) {
        if how == Close::Proper {
            // The client may be gone already.
            let _ = self.ssl.shutdown();
        }
        close(self.ssl.get_ref(), how);
    }
}

impl Read for TlsStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ssl.read(buffer)
    }
}

impl Write for TlsStream<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.ssl.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ssl.flush()
    }
}

/// Returns when the client closes or the server stops.
pub(crate) fn hang(mut stream: &TcpStream) {
    // Without a limit, so that the client's own one is what ends it.
    if stream.set_read_timeout(None).is_ok() {
        let _ = io::copy(&mut stream, &mut io::sink());
    }
}

/// Ends the TCP connection. What the client still sends is read first: closing over unread bytes
/// would reset the connection and might take the answer with it.
pub(crate) fn close(stream: &TcpStream, how: Close) {
    if how == Close::Reset {
        // The descriptor's owner closes it in a moment. Should this fail, that ends the connection as well.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        return;
    }
    let limited = stream
        .shutdown(Shutdown::Write)
        .and(stream.set_read_timeout(Some(CLOSE_TIMEOUT)));
    if limited.is_ok() {
        let mut rest = stream.take(4 * MAX_BODY as u64);
        let _ = io::copy(&mut rest, &mut io::sink());
    }
}
