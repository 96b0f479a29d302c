//! Between psc and the server: networks, certificates, proxies, and the reason that the log gives when they fail.

mod network;
mod proxy;
mod reasons;
mod support;
