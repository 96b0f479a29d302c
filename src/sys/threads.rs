//! Whether this process may have another thread.

use super::signals::Blocked;
use super::thread::Thread;
use std::io;

/// Of a thread's stack, as the C library gives it by default: less might be there when that much is not.
const STACK: usize = 8 * 1024 * 1024;

/// Makes a thread that ends at once, and takes none of the host's signals; the error when none can be made.
pub fn shortage() -> Option<io::Error> {
    let _blocked = Blocked::all();
    match Thread::spawn(c"psc", STACK, || ()) {
        Ok(thread) => {
            thread.join();
            None
        }
        Err(error) => Some(error),
    }
}
