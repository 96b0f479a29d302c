//! The reference check server of psc: answers security update checks over HTTPS, from an advisory
//! list, and misbehaves by name. For tests, demos and people who run their own service.

#![forbid(unsafe_code)]

mod advisories;
mod advisory_file;
mod alert;
mod answer;
mod cancel;
mod certificate;
mod check;
mod connection;
mod envelope;
mod error;
mod fault;
mod http;
mod json;
mod keys;
mod license;
mod log;
mod ocsp;
mod options;
mod range;
mod request_log;
mod server;
mod shared;
mod stream;
mod sync;
mod tls;
mod version;

pub use error::Error;
pub use fault::{Expected, FAULTS, Fault};
pub use keys::keygen;
pub use options::{ClientCertificate, Options};
pub use request_log::Request;
pub use server::Server;
