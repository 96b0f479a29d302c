//! Starts, accepts, stops. A thread for each connection, none of which outlives the server.

use crate::advisories::Advisories;
use crate::check;
use crate::connection;
use crate::error::Error;
use crate::options::Options;
use crate::request_log::Request;
use crate::shared::Shared;
use crate::sync::lock;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// So many connections at once; more are closed at once.
const MAX_CONNECTIONS: usize = 512;

/// A running server. Dropping it closes every connection and joins every thread.
pub struct Server {
    acceptor: Arc<Acceptor>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

struct Acceptor {
    shared: Shared,
    accepted: AtomicUsize,
    open: Mutex<Vec<Weak<TcpStream>>>,
}

/// Every value behind the locks is valid at any time, so tests may go on after a panic was caught.
impl UnwindSafe for Server {}
impl RefUnwindSafe for Server {}

impl Server {
    pub fn start(options: Options) -> Result<Server, Error> {
        let shared = Shared::new(options)?;
        let listen = shared.options.listen;
        let listener = TcpListener::bind(listen).map_err(|cause| Error::at(listen, cause))?;
        let address = listener
            .local_addr()
            .map_err(|cause| Error::at(listen, cause))?;
        let acceptor = Arc::new(Acceptor {
            shared,
            accepted: AtomicUsize::new(0),
            open: Mutex::default(),
        });
        let thread = {
            let acceptor = Arc::clone(&acceptor);
            spawn(move || accept(&listener, &acceptor))
                .map_err(|cause| Error::at("thread", cause))?
        };
        Ok(Server {
            acceptor,
            address,
            thread: Some(thread),
        })
    }

    /// What a client's `url` has to be.
    pub fn url(&self) -> String {
        format!("https://localhost:{}{}", self.port(), check::PATH)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Misbehaves from the next connection on; "" ends that. A name in the file `fault` goes first.
    ///
    /// # Panics
    /// When there is no fault of this name.
    pub fn set_fault(&self, name: &str) {
        if let Err(cause) = self.acceptor.shared.faults.set(name) {
            panic!("{cause}");
        }
    }

    /// Replaces the advisory list; the file is not read any more.
    ///
    /// # Panics
    /// When `json` is not an advisory list.
    pub fn set_advisories(&self, json: &str) {
        match Advisories::parse(json) {
            Ok(list) => self.acceptor.shared.advisories.replace(list),
            Err(cause) => panic!("advisories: {cause}"),
        }
    }

    /// The HTTP requests that arrived, the refused ones too.
    pub fn requests(&self) -> Vec<Request> {
        self.acceptor.shared.request_log.all()
    }

    /// TCP connections accepted so far.
    pub fn connections(&self) -> usize {
        self.acceptor.accepted.load(Ordering::SeqCst)
    }

    /// Waits until at least `count` requests have arrived; returns what is there, at the limit too.
    pub fn wait_for_requests(&self, count: usize, limit: Duration) -> Vec<Request> {
        self.acceptor.shared.request_log.wait(count, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptor.shared.cancel.cancel();
        for stream in lock(&self.acceptor.open).iter().filter_map(Weak::upgrade) {
            // Already closed by the other side: nothing left to wake.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor out of accept().
        let _ = TcpStream::connect_timeout(&reachable(self.address), Duration::from_millis(500));
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported by the panic hook.
            let _ = thread.join();
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

fn accept(listener: &TcpListener, acceptor: &Arc<Acceptor>) {
    let mut workers: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if acceptor.shared.cancel.is_cancelled() {
            break;
        }
        workers.retain(|worker| !worker.is_finished());
        match accepted {
            Ok((stream, _)) => {
                acceptor.accepted.fetch_add(1, Ordering::SeqCst);
                if workers.len() < MAX_CONNECTIONS {
                    workers.extend(serve(stream, acceptor));
                }
            }
            // Out of descriptors, say: the next moment is better.
            Err(_) => {
                acceptor.shared.cancel.wait(Duration::from_millis(50));
            }
        }
    }
    for worker in workers {
        // A panic in there was reported by the panic hook.
        let _ = worker.join();
    }
}

fn serve(stream: TcpStream, acceptor: &Arc<Acceptor>) -> Option<JoinHandle<()>> {
    let stream = Arc::new(stream);
    {
        let mut open = lock(&acceptor.open);
        open.retain(|stream| stream.strong_count() > 0);
        open.push(Arc::downgrade(&stream));
    }
    // Drop may have gone through the list just before.
    if acceptor.shared.cancel.is_cancelled() {
        return None;
    }
    let acceptor = Arc::clone(acceptor);
    spawn(move || connection::serve(&stream, &acceptor.shared)).ok()
}

fn spawn(body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name("refserver".into()).spawn(body)
}
