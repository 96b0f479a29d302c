//! A small client: it looks at every byte, and concludes nothing by itself.
#![allow(dead_code)] // each test program uses its part

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream, StatusType};
use psc_refserver::{Options, Server, keygen};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const NONCE: &str = "1795366594000000AAECAwQFBgcICQoLDA0ODw==";
pub const LIMIT: Duration = Duration::from_secs(20);

/// A server in a directory of its own.
pub struct Site {
    pub dir: tempfile::TempDir,
    pub server: Server,
}

impl Site {
    pub fn start() -> Site {
        Site::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Site {
        let dir = tempfile::tempdir().unwrap();
        keygen(dir.path()).unwrap();
        let mut options = Options::new(dir.path());
        change(&mut options);
        let server = Server::start(options).unwrap();
        Site { dir, server }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn post(&self, body: &str) -> Answer {
        let bytes = exchange(
            self.server.port(),
            &self.path("ca.pem"),
            None,
            &request(body),
        )
        .unwrap();
        Answer::parse(&bytes)
    }

    pub fn check(&self, version: &str) -> Answer {
        self.post(&check(version).to_string())
    }

    /// The signed object of an answer, after its signature has been verified.
    pub fn verified(&self, answer: &Answer) -> Value {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(self.is_signed(answer), "{}", answer.text());
        let data = STANDARD
            .decode(answer.json()["data"].as_str().unwrap())
            .unwrap();
        serde_json::from_slice(&data).unwrap()
    }

    pub fn is_signed(&self, answer: &Answer) -> bool {
        let json = answer.json();
        let (Some(data), Some(signature)) = (json["data"].as_str(), json["signature"].as_str())
        else {
            return false;
        };
        let pem = fs::read(self.path("update_check_server_pubkey.pem")).unwrap();
        let key = PKey::public_key_from_pem(&pem).unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        verifier
            .verify_oneshot(&signature, data.as_bytes())
            .unwrap_or(false)
    }
}

pub fn check(version: &str) -> Value {
    json!({
        "passenger_version": version,
        "server_integration": "nginx",
        "server_version": null,
        "curl_static": false,
        "nonce": NONCE,
    })
}

pub fn request(body: &str) -> Vec<u8> {
    raw_request("POST", "/v1/check.json", "application/json", body)
}

pub fn raw_request(method: &str, path: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Connects with everything verified, and asks for an OCSP staple, of which nothing is concluded.
pub fn connect(
    port: u16,
    authority: &Path,
    identity: Option<&Path>,
) -> Result<SslStream<TcpStream>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
    builder.set_ca_file(authority).unwrap();
    if let Some(identity) = identity {
        builder.set_certificate_chain_file(identity).unwrap();
        builder
            .set_private_key_file(identity, SslFiletype::PEM)
            .unwrap();
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let mut connection = builder.build().configure().unwrap();
    connection.set_status_type(StatusType::OCSP).unwrap();
    connection
        .connect("localhost", stream)
        .map_err(|cause| cause.to_string())
}

/// Everything that the server says to `request`.
pub fn exchange(
    port: u16,
    authority: &Path,
    identity: Option<&Path>,
    request: &[u8],
) -> Result<Vec<u8>, String> {
    let mut stream = connect(port, authority, identity)?;
    let mut bytes = Vec::new();
    let result = stream
        .write_all(request)
        .and_then(|()| stream.read_to_end(&mut bytes));
    result
        .map(|_| bytes)
        .map_err(|cause: io::Error| cause.to_string())
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes))) + 4;
        let head = String::from_utf8(bytes[..end].into()).unwrap();
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
        Answer {
            status: status.unwrap_or_else(|| panic!("no status: {head}")),
            head,
            body: bytes[end..].into(),
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|cause| panic!("{cause}: {}", self.text()))
    }
}
