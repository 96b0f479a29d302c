use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// How a server is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// A directory that `keygen` filled.
    pub dir: PathBuf,
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The advisory list; `advisories.json` in `dir` when `None`.
    pub advisories: Option<PathBuf>,
    pub client_certificate: ClientCertificate,
    /// Misbehaves so from the start; see `FAULTS`.
    pub fault: Option<String>,
    /// A shell command that every decrypted license is handed to.
    pub license_alert: Option<String>,
    /// Puts `request_sha256` into the answers.
    pub request_binding: bool,
    /// Tells on standard error what arrives.
    pub verbose: bool,
    /// So many requests, the latest, are kept in memory for `Server::requests`.
    pub remember: usize,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options {
            dir: dir.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advisories: None,
            client_certificate: ClientCertificate::Optional,
            fault: None,
            license_alert: None,
            request_binding: true,
            verbose: false,
            remember: 10_000,
        }
    }
}

/// Whether clients show a certificate signed by `ca.pem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Is not asked for.
    Off,
    /// Is asked for and verified when there is one.
    Optional,
    Required,
}
