//! A party between client and server that the client's TLS does not keep out: its certificate is signed by an
//! authority that the client trusts.

use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslStream};
use openssl::x509::X509;
use psc_refserver::keygen;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// What the relay makes of the request's body.
pub type Rewrite = Box<dyn FnMut(String) -> String + Send>;

pub struct Relay {
    dir: TempDir,
    port: u16,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Relays to the server on `port`, whose authority's certificate is `authority`.
    pub fn start(port: u16, authority: PathBuf, mut rewrite: Rewrite) -> Relay {
        let dir = tempfile::tempdir().expect("a temporary directory");
        keygen(dir.path()).expect("keys of the relay");
        let acceptor = acceptor(&dir.path().join("server.pem"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own_port = listener.local_addr().expect("an address").port();
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let stream = limited(stream.expect("a connection"));
                if let Ok(client) = acceptor.accept(stream) {
                    relay(client, connect(port, &authority), &mut rewrite);
                }
            }
        });
        Relay {
            dir,
            port: own_port,
            stopping,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}/v1/check.json", self.port)
    }

    /// The authority that the client was made to trust.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the relay failed"
            );
        }
    }
}

fn limited(stream: TcpStream) -> TcpStream {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time limit");
    stream
}

fn acceptor(identity: &Path) -> SslAcceptor {
    let pem = fs::read(identity).expect("the relay's certificate");
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).expect("TLS");
    builder
        .set_certificate(&X509::from_pem(&pem).expect("a certificate"))
        .expect("a certificate");
    builder
        .set_private_key(&PKey::private_key_from_pem(&pem).expect("a key"))
        .expect("a key");
    builder.build()
}

fn connect(port: u16, authority: &Path) -> SslStream<TcpStream> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
    builder
        .set_ca_file(authority)
        .expect("the server's authority");
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server is there");
    builder
        .build()
        .connect("localhost", limited(stream))
        .expect("a handshake")
}

fn relay(
    mut client: SslStream<TcpStream>,
    mut server: SslStream<TcpStream>,
    rewrite: &mut Rewrite,
) {
    let body = rewrite(read_body(&mut client));
    let length = body.len();
    let head = format!(
        "POST /v1/check.json HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    server
        .write_all(head.as_bytes())
        .expect("the request goes on");
    server
        .write_all(body.as_bytes())
        .expect("the request goes on");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).expect("an answer");
    client.write_all(&answer).expect("the answer goes back");
    // The client may have closed its side already.
    let _ = client.shutdown();
}

fn read_body(client: &mut SslStream<TcpStream>) -> String {
    let mut input = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let got = client.read(&mut buffer).expect("a request");
        assert!(got > 0, "the request ended early");
        input.extend_from_slice(&buffer[..got]);
        let text = String::from_utf8_lossy(&input);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        if body.len() >= content_length(head) {
            return body.to_owned();
        }
    }
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse().expect("a number"))
        .expect("a Content-Length")
}
