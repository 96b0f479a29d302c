//! What the integration tests of psc share. A missing program is a panic that says what to
//! install; what a system does not allow is a counted, visible [`skip`].

mod calls;
mod certificate;
mod check;
mod compile;
mod library;
mod ports;
pub mod printed;
pub mod proc;
mod process;
pub mod proxies;
mod site;
mod support;

pub use calls::{Call, Calls};
pub use certificate::self_signed;
pub use check::{Check, Outcome};
pub use compile::{LINKS, Link, compile, compile_against, compile_preload};
pub use library::{
    Library, library, library_dir, library_with_feature, static_link_flags, target_dir,
};
pub use ports::free_port;
pub use process::{Finished, demo, is_root, mounted, require, run, user_id, valgrind, wait_until};
pub use site::{Site, merged, start_in};
pub use support::{long, private_dir, repo, skip, write_private};
