//! The C boundary: translates, decides nothing. `include/psc.h` is generated from what is public here.
//!
//! Every body runs in `guard`, so that no panic crosses, but for those that cannot panic: `psc_request_stop`, and the two
//! that return a constant. Every pointer is checked; out-parameters are set on every path.

#![allow(unsafe_code)]
// The names are C's.
#![allow(non_camel_case_types)]
// Names of C's functions and macros stand in the header's texts as they are.
#![allow(clippy::doc_markdown)]
// The header documents safety for C callers, function by function.
#![allow(clippy::missing_safety_doc)]

pub mod checker;
pub mod codes;
pub mod config;
mod guard;
mod handle;
mod host_errors;
mod last_error;
mod leaked;
pub mod log;
pub mod on_result;
pub mod result;
pub mod schedule;
pub mod state_dir;
pub mod strings;
pub mod views;
