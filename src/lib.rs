//! psc: the security update check that web servers can embed.
//!
//! The map. What hosts and servers rely on is `docs/contract.md`. Data goes one way:
//!
//! - [`config`]: one JSON object, merged, validated, its files read → a `CheckConfig`
//! - [`check`]: nonce → request → transport → envelope → signature → verdict → messages, a file per step
//! - [`schedule`]: when the next check is due; it knows when, never how
//! - [`state`]: what is remembered between checks, in memory and in `state_dir`
//! - [`checker`]: one handle, which holds all of this together, and its background thread
//! - [`ffi`]: the C functions of `include/psc.h`; they only translate
//!
//! Beside these: [`log`] (the host's callback), [`cancel`] (ends what runs), [`fork_guard`] (which process runs it), [`error`] and [`code`] (what went wrong), [`selftest`] (whether OpenSSL works),
//! [`sys`] (what the standard library lacks of the operating system), [`libcurl`] (what psc uses of it).
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

pub mod cancel;
pub mod check;
pub mod checker;
pub mod code;
pub mod config;
pub mod curl_linkage;
pub mod digest;
pub mod error;
pub mod ffi;
pub mod fork_guard;
pub mod json;
pub mod libcurl;
pub mod log;
pub mod outcome;
pub mod panic;
pub mod random;
pub mod schedule;
pub mod selftest;
pub mod state;
pub mod sync;
pub mod sys;
pub mod text;
pub mod version;
pub mod waker;
