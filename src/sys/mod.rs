//! What the standard library does not offer of the operating system; one file per concern.

#![allow(unsafe_code)]

pub mod clock;
pub mod errno;
pub mod event_count;
pub mod fd;
pub mod flock;
pub mod openssl;
pub mod pipe;
pub mod process;
pub mod reserve;
pub mod signals;
pub mod socket_pair;
pub mod stack;
pub mod thread;
pub mod threads;
pub mod user;
