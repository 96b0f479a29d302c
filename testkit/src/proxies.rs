//! Proxies that do as a test tells them. What real ones cannot be made to do is done here:
//! refuse in every way, want a login with odd characters, know names that nobody else knows.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod};

/// What was asked of a proxy: the head of a CONNECT, or a line that tells a SOCKS request.
type Asked = Arc<Mutex<Vec<String>>>;

/// Runs a function for each connection; stops when dropped.
pub struct Proxy {
    pub port: u16,
    asked: Asked,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    fn start(
        serve: impl Fn(TcpStream, &Asked, &AtomicBool) -> io::Result<()> + Send + Sync + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let (asked, stopped) = (Asked::default(), Arc::new(AtomicBool::new(false)));
        let (asked_there, stopped_there) = (Arc::clone(&asked), Arc::clone(&stopped));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped_there.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a connection");
                stream
                    .set_read_timeout(Some(Duration::from_secs(10)))
                    .expect("a time limit");
                // A client that goes away early is not this proxy's concern.
                let _ = serve(stream, &asked_there, &stopped_there);
            }
        });
        Proxy {
            port,
            asked,
            stopped,
            acceptor: Some(acceptor),
        }
    }

    /// Reads the head of each request and answers with fixed bytes.
    pub fn answering(answer: &'static [u8]) -> Proxy {
        Proxy::start(move |mut stream, asked, _| {
            keep(asked, read_head(&mut stream)?);
            stream.write_all(answer)
        })
    }

    /// Agrees to tunnel, and closes the connection once the client has begun to use it.
    pub fn hanging_up() -> Proxy {
        Proxy::start(|mut stream, asked, _| {
            keep(asked, read_head(&mut stream)?);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            stream.read(&mut [0; 16384]).map(drop)
        })
    }

    /// A header that never ends.
    pub fn endless() -> Proxy {
        Proxy::start(|mut stream, asked, stopped| {
            keep(asked, read_head(&mut stream)?);
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            while !stopped.load(Ordering::SeqCst) {
                stream.write_all(&[b'x'; 4096])?;
                stream.write_all(b": y\r\n")?;
            }
            Ok(())
        })
    }

    /// Reads the request and says nothing until the client leaves.
    pub fn silent() -> Proxy {
        Proxy::start(|mut stream, asked, _| {
            keep(asked, read_head(&mut stream)?);
            stream.read(&mut [0]).map(drop)
        })
    }

    /// A proxy that tunnels whatever is asked to a port of this machine, for those with this
    /// `Proxy-Authorization` only, when one is given.
    pub fn tunnel(target: u16, authorization: Option<String>) -> Proxy {
        Proxy::start(move |mut stream, asked, stopped| {
            connect(
                &mut stream,
                target,
                authorization.as_deref(),
                asked,
                stopped,
            )
        })
    }

    /// The same behind TLS, with the certificate and key of a PEM file.
    pub fn tls_tunnel(target: u16, pem: &Path) -> Proxy {
        let mut acceptor =
            SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS");
        acceptor
            .set_certificate_chain_file(pem)
            .expect("a certificate");
        acceptor
            .set_private_key_file(pem, SslFiletype::PEM)
            .expect("a key");
        let acceptor = acceptor.build();
        Proxy::start(move |stream, asked, stopped| {
            let mut stream = acceptor.accept(stream).map_err(io::Error::other)?;
            connect(&mut stream, target, None, asked, stopped)
        })
    }

    /// SOCKS 4, 4a and 5 (RFC 1928, 1929), tunnelling to a port of this machine whatever is asked.
    pub fn socks(target: u16, login: Option<(&'static str, &'static str)>) -> Proxy {
        Proxy::start(move |mut stream, asked, stopped| {
            if socks::accept(&mut stream, login, asked)? {
                return relay(stream, TcpStream::connect(("127.0.0.1", target))?, stopped);
            }
            Ok(())
        })
    }

    /// SOCKS 5 without login that gives every request the same reply code (RFC 1928, section 6).
    pub fn socks_replying(reply: u8) -> Proxy {
        Proxy::start(move |mut stream, _, _| {
            let mut greeting = [0; 2];
            stream.read_exact(&mut greeting)?;
            let mut methods = vec![0; usize::from(greeting[1])];
            stream.read_exact(&mut methods)?;
            stream.write_all(&[5, 0])?;
            let mut request = [0; 262];
            let _length = stream.read(&mut request)?;
            stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])
        })
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Ends the wait for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn keep(asked: &Asked, what: String) {
    asked.lock().expect("the list").push(what);
}

fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A stream whose reads and writes can be made not to wait.
trait Wire: Read + Write {
    fn set_nonblocking(&self) -> io::Result<()>;
}

impl Wire for TcpStream {
    fn set_nonblocking(&self) -> io::Result<()> {
        TcpStream::set_nonblocking(self, true)
    }
}

impl Wire for openssl::ssl::SslStream<TcpStream> {
    fn set_nonblocking(&self) -> io::Result<()> {
        self.get_ref().set_nonblocking(true)
    }
}

impl<W: Wire> Wire for &mut W {
    fn set_nonblocking(&self) -> io::Result<()> {
        (**self).set_nonblocking()
    }
}

fn connect(
    mut stream: &mut impl Wire,
    target: u16,
    authorization: Option<&str>,
    asked: &Asked,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let head = read_head(&mut stream)?;
    let is_allowed = authorization
        .is_none_or(|wanted| head.contains(&format!("Proxy-Authorization: {wanted}\r\n")));
    keep(asked, head);
    if !is_allowed {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(refusal.as_bytes());
    }
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    relay(stream, TcpStream::connect(("127.0.0.1", target))?, stopped)
}

/// Copies both ways until one side ends.
fn relay(mut one: impl Wire, mut other: TcpStream, stopped: &AtomicBool) -> io::Result<()> {
    one.set_nonblocking()?;
    other.set_nonblocking(true)?;
    while !stopped.load(Ordering::SeqCst) {
        let there = copy_some(&mut one, &mut other)?;
        let back = copy_some(&mut other, &mut one)?;
        match (there, back) {
            (Copied::End, _) | (_, Copied::End) => return Ok(()),
            (Copied::Nothing, Copied::Nothing) => thread::sleep(Duration::from_millis(1)),
            _ => {}
        }
    }
    Ok(())
}

enum Copied {
    Something,
    Nothing,
    End,
}

fn copy_some(from: &mut impl Read, to: &mut impl Write) -> io::Result<Copied> {
    let mut bytes = [0; 16384];
    let mut rest = match from.read(&mut bytes) {
        Ok(0) => return Ok(Copied::End),
        Ok(length) => &bytes[..length],
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Copied::Nothing),
        Err(error) => return Err(error),
    };
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(length) => rest = &rest[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(1))
            }
            Err(error) => return Err(error),
        }
    }
    to.flush()?;
    Ok(Copied::Something)
}

mod socks {
    use super::{Asked, keep};
    use std::io::{self, Read, Write};
    use std::net::TcpStream;

    fn bytes<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn text(stream: &mut TcpStream) -> io::Result<String> {
        let [length] = bytes(stream)?;
        let mut text = vec![0; usize::from(length)];
        stream.read_exact(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn terminated(stream: &mut TcpStream) -> io::Result<String> {
        let mut text = String::new();
        loop {
            match bytes(stream)? {
                [0] => return Ok(text),
                [byte] => text.push(char::from(byte)),
            }
        }
    }

    /// Negotiates; true when the tunnel may begin.
    pub fn accept(
        stream: &mut TcpStream,
        login: Option<(&str, &str)>,
        asked: &Asked,
    ) -> io::Result<bool> {
        match bytes(stream)? {
            [4] => accept_4(stream, asked),
            [5] => accept_5(stream, login, asked),
            _ => Ok(false),
        }
    }

    fn accept_4(stream: &mut TcpStream, asked: &Asked) -> io::Result<bool> {
        let [_command, _port @ .., a, b, c, d] = bytes::<7>(stream)?;
        terminated(stream)?;
        let is_name = [a, b, c] == [0; 3] && d != 0;
        let host = if is_name {
            terminated(stream)?
        } else {
            format!("{a}.{b}.{c}.{d}")
        };
        keep(asked, format!("socks4 {host}"));
        stream.write_all(&[0, 90, 0, 0, 0, 0, 0, 0])?;
        Ok(true)
    }

    fn accept_5(
        stream: &mut TcpStream,
        login: Option<(&str, &str)>,
        asked: &Asked,
    ) -> io::Result<bool> {
        let [count] = bytes(stream)?;
        let mut methods = vec![0; usize::from(count)];
        stream.read_exact(&mut methods)?;
        let method = if login.is_some() { 2 } else { 0 };
        // GSSAPI is never to be offered: it would use Kerberos tickets of the host's.
        if !methods.contains(&method) || methods.contains(&1) {
            stream.write_all(&[5, 0xff])?;
            return Ok(false);
        }
        stream.write_all(&[5, method])?;
        if let Some((user, password)) = login {
            let [_version] = bytes(stream)?;
            let is_right =
                (text(stream)?, text(stream)?) == (user.to_string(), password.to_string());
            stream.write_all(&[1, u8::from(!is_right)])?;
            if !is_right {
                return Ok(false);
            }
        }
        let [_, _, _, kind] = bytes(stream)?;
        let host = match kind {
            1 => bytes::<4>(stream)?.map(|byte| byte.to_string()).join("."),
            3 => text(stream)?,
            _ => format!("{:?}", bytes::<16>(stream)?),
        };
        let _port: [u8; 2] = bytes(stream)?;
        keep(asked, format!("socks5 {host}"));
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        Ok(true)
    }
}
