//! The reference check server of psc: answers security update checks over HTTPS, from an advisory
//! list, and misbehaves by name. For tests, demos and people who run their own service.

mod advisories;
mod answer;
mod certificate;
mod check;
mod connection;
mod der;
mod error;
mod fault;
mod http;
mod json;
mod keys;
mod license;
mod ocsp;
mod options;
mod range;
mod record;
mod server;
mod stop;
mod tls;
mod version;

pub use error::Error;
pub use fault::{Expected, FAULTS, Fault};
pub use keys::keygen;
pub use options::{ClientCertificate, Options};
pub use record::Request;
pub use server::Server;
