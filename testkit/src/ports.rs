//! Ports for programs that cannot choose one themselves.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Another one at each call, below the range that the kernel takes for clients: one of those could be taken again before
/// the program has it.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const NUMBER: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..NUMBER {
        let offset = std::process::id() % 1000 * 97 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + offset % NUMBER).expect("a port");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
