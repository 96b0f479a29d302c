//! psc: the security update check that web servers can embed.
//!
//! The map. What hosts rely on is `include/psc.h` and `docs/contract.md`. Data goes one way, and no file imports one that imports it
//! (`tests/import_circles.rs`):
//!
//! - `ffi`: the C functions of `include/psc.h`; they only translate
//! - `checker`: one handle, which holds all of this together: it configures, runs a check, starts and stops the thread
//! - `config`: one JSON object, merged, validated, its files read → a `CheckConfig`
//! - `check`: nonce → request → transport → envelope → signature → verdict → messages, a file per step; what comes out is an `outcome`
//! - `schedule`: when the next check is due, and what a check changes in the record; it knows when, never how
//! - `state`: what is remembered between checks, in memory and in `state_dir`
//!
//! Beside these: `log` (the host's callbacks), `cancel` (ends what runs; `waker` is its descriptor), `fork_guard` (which process it
//! is), `panic` (none gets out), `error` and `code` (what went wrong), `selftest` (whether OpenSSL works), `libcurl` (what psc uses of
//! it), `sys` (what the standard library lacks of the operating system); `json`, `text`, `digest`, `random`, `sync` are small tools.
//!
//! Only `ffi` and `version` are public: the compiler finds what nobody uses.
//!
//! `unsafe` lives in `ffi`, `sys`, `libcurl`, `waker`, `curl_linkage`, `check::transport::{options, tls, ocsp}`; the allocator is in `sys::reserve`.

#![deny(unsafe_code)]
#![warn(clippy::pedantic)]
#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::new_without_default,
    clippy::module_name_repetitions
)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::exit,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::dbg_macro,
        clippy::undocumented_unsafe_blocks
    )
)]

mod cancel;
mod check;
mod checker;
mod code;
mod config;
mod curl_linkage;
mod digest;
mod error;
pub mod ffi;
mod fork_guard;
mod json;
mod libcurl;
mod log;
mod outcome;
mod panic;
mod random;
mod schedule;
mod selftest;
mod state;
mod sync;
mod sys;
mod text;
pub mod version;
mod waker;
