//! The nginx module on a real nginx.
//!
//! PSC_LONG=1 runs the long forms. Lines that start with `nginx:` are measurements; see them with
//! `cargo test --test nginx -- --nocapture`.

mod checks;
mod client;
mod config;
mod module;
mod process;
mod server;

mod answers;
mod conditions;
mod configuration;
mod disk;
mod lifecycle;
mod load;
mod logging;
mod memory;
mod ownership;
mod proxy;
mod shutdown;
mod single;
mod state;
mod status;
