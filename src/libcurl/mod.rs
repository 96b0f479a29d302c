//! What psc uses of libcurl, a thin layer over `curl-sys`. Its names are those of the `curl` crate.
//!
//! That crate is not used: where memory runs out it panics (`Easy2::new`, `Multi::new`, `List::append`), and each of its
//! callbacks keeps a thread-local value with a destructor, whose registration glibc answers with the end of the process.
//! Here every failure is a value, and nothing is kept by thread.

#![allow(unsafe_code)]

pub mod constants;
mod easy;
mod error;
mod init;
mod list;
mod multi;
mod version;

pub use easy::{Auth, Easy2, Handler, HttpVersion, ProxyType, SslVersion};
pub use error::{Error, MultiError};
pub use init::init;
pub use list::List;
pub use multi::{Easy2Handle, Multi, WaitFd};
pub use version::Version;
