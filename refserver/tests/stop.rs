//! Stopping. A program of its own, since it counts the process's threads.

mod client;

use client::{LIMIT, Site, check, connect, request};
use openssl::ssl::SslStream;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn stops_within_a_second_whatever_hangs() {
    let before = threads();
    let site = Site::start();
    let body = check("6.0.10").to_string();
    let mut open: Vec<SslStream<TcpStream>> = Vec::new();
    let mut raw: Vec<TcpStream> = Vec::new();

    for fault in [
        "hang",
        "hang-head",
        "hang-body",
        "slow",
        "endless-chunks",
        "",
    ] {
        site.server.set_fault(fault);
        let mut stream = connect(site.server.port(), &site.path("ca.pem"), None).unwrap();
        // The last one is a client that does not send its request.
        if !fault.is_empty() {
            stream.write_all(&request(&body)).unwrap();
        }
        open.push(stream);
    }
    assert_eq!(site.server.wait_for_requests(5, LIMIT).len(), 5);
    site.server.set_fault("handshake-stall");
    raw.push(TcpStream::connect(("127.0.0.1", site.server.port())).unwrap());
    while site.server.connections() < 7 {
        std::thread::yield_now();
    }
    assert!(threads() > before);

    let start = Instant::now();
    drop(site);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(threads(), before);
    for stream in &mut raw {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}
