//! Starts, accepts, stops. A thread for each connection, none of which outlives the server.

use crate::advisories::Advisories;
use crate::connection;
use crate::error::tell;
use crate::fault::{self, Fault};
use crate::keys::{self, Keys};
use crate::record::{Records, Request};
use crate::stop::{Stop, lock};
use crate::tls::Contexts;
use crate::{Error, Options};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// So many connections at once; more are closed at once.
const MAX_CONNECTIONS: usize = 512;

/// A running server. Dropping it closes every connection and joins every thread.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

/// Every value behind the locks is valid at any time, so tests may go on after a panic was caught.
impl UnwindSafe for Server {}
impl RefUnwindSafe for Server {}

/// What the connections' threads share.
pub(crate) struct Shared {
    pub options: Options,
    pub keys: Keys,
    pub contexts: Contexts,
    pub records: Records,
    pub stop: Stop,
    /// A genuine answer of earlier, for the replay.
    pub earlier: Mutex<Option<Vec<u8>>>,
    advisories: Mutex<Source>,
    fault: Mutex<Option<&'static Fault>>,
    accepted: AtomicUsize,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

/// Where advisories come from; a file is read again whenever it has changed.
struct Source {
    file: Option<PathBuf>,
    text: String,
    list: Advisories,
}

impl Server {
    pub fn start(options: Options) -> Result<Server, Error> {
        let file = options
            .advisories
            .clone()
            .unwrap_or_else(|| options.dir.join(keys::ADVISORIES));
        let text = fs::read_to_string(&file).map_err(|cause| Error::at(file.display(), cause))?;
        let list = Advisories::parse(&text).map_err(|cause| Error::at(file.display(), cause))?;
        let fault = options
            .fault
            .as_deref()
            .map(fault::find)
            .transpose()?
            .flatten();
        let keys = Keys::load(&options.dir)?;
        let contexts = Contexts::new(&keys, &options)?;
        let listener =
            TcpListener::bind(options.listen).map_err(|cause| Error::at(options.listen, cause))?;
        let address = listener
            .local_addr()
            .map_err(|cause| Error::at(options.listen, cause))?;
        let shared = Arc::new(Shared {
            keys,
            contexts,
            records: Records::new(options.dir.join("requests.jsonl"), options.remember),
            stop: Stop::default(),
            earlier: Mutex::default(),
            advisories: Mutex::new(Source {
                file: Some(file),
                text,
                list,
            }),
            fault: Mutex::new(fault),
            accepted: AtomicUsize::new(0),
            open: Mutex::default(),
            options,
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            spawn(move || accept(&listener, &shared)).map_err(|cause| Error::at("thread", cause))?
        };
        Ok(Server {
            shared,
            address,
            acceptor: Some(acceptor),
        })
    }

    /// What a client's `url` has to be.
    pub fn url(&self) -> String {
        format!("https://localhost:{}{}", self.port(), crate::check::PATH)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Misbehaves from the next connection on; "" ends that. A name in the file `fault` goes first.
    ///
    /// # Panics
    /// When there is no fault of this name.
    pub fn set_fault(&self, name: &str) {
        match fault::find(name) {
            Ok(fault) => *lock(&self.shared.fault) = fault,
            Err(cause) => panic!("{cause}"),
        }
    }

    /// Replaces the advisory list; the file is not read any more.
    ///
    /// # Panics
    /// When `json` is not an advisory list.
    pub fn set_advisories(&self, json: &str) {
        match Advisories::parse(json) {
            Ok(list) => {
                *lock(&self.shared.advisories) = Source {
                    file: None,
                    text: String::new(),
                    list,
                }
            }
            Err(cause) => panic!("advisories: {cause}"),
        }
    }

    /// The HTTP requests that arrived, the refused ones too.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.records.all()
    }

    /// TCP connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Waits until at least `count` requests have arrived; returns what is there, at the limit too.
    pub fn wait_for_requests(&self, count: usize, limit: Duration) -> Vec<Request> {
        self.shared.records.wait(count, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.wish();
        for stream in lock(&self.shared.open).iter().filter_map(Weak::upgrade) {
            // Already closed by the other side: nothing left to wake.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor out of accept().
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_millis(500));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic in there was reported by the panic hook.
            let _ = acceptor.join();
        }
    }
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if shared.stop.wished() {
            break;
        }
        workers.retain(|worker| !worker.is_finished());
        match accepted {
            Ok((stream, _)) => {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                if workers.len() < MAX_CONNECTIONS {
                    workers.extend(work(stream, shared));
                }
            }
            // Out of descriptors, say: the next moment is better.
            Err(_) => {
                shared.stop.wait(Duration::from_millis(50));
            }
        }
    }
    for worker in workers {
        // A panic in there was reported by the panic hook.
        let _ = worker.join();
    }
}

fn work(stream: TcpStream, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let stream = Arc::new(stream);
    {
        let mut open = lock(&shared.open);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(&stream));
    }
    // The stop may have gone through the list just before.
    if shared.stop.wished() {
        return None;
    }
    let shared = Arc::clone(shared);
    spawn(move || connection::serve(&stream, &shared)).ok()
}

fn spawn(body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("refserver".into()).spawn(body)
}

impl Shared {
    /// The fault for the next connection: the file `fault` in the directory, or what was set.
    pub fn fault(&self) -> Result<Option<&'static Fault>, Error> {
        let text = fs::read_to_string(self.options.dir.join("fault")).unwrap_or_default();
        if text.trim().is_empty() {
            return Ok(*lock(&self.fault));
        }
        fault::find(text.trim())
    }

    /// The list in force. While the file is unreadable or wrong that is the one before.
    pub fn advisories(&self) -> Advisories {
        let mut source = lock(&self.advisories);
        if let Some(file) = &source.file {
            match fs::read_to_string(file) {
                Ok(text) if text != source.text => {
                    let parsed = Advisories::parse(&text);
                    if let Err(cause) = &parsed {
                        tell(&format!(
                            "{}: {cause}; the list before stays in force",
                            file.display()
                        ));
                    }
                    source.text = text;
                    if let Ok(list) = parsed {
                        source.list = list;
                    }
                }
                Ok(_) => {}
                Err(cause) => {
                    tell(&format!(
                        "{}: {cause}; the list before stays in force",
                        file.display()
                    ));
                }
            }
        }
        source.list.clone()
    }

    pub fn say(&self, text: &str) {
        if self.options.verbose {
            tell(text);
        }
    }
}
