//! What the integration tests of psc share. A missing program is a panic that says what to
//! install; what a system does not allow is a counted, visible [`skip`].

mod calls;
mod certificate;
mod compile;
mod harness;
mod library;
mod ports;
pub mod proc;
mod process;
pub mod proxies;
mod site;

pub use calls::{Call, Calls};
pub use certificate::self_signed;
pub use compile::{LINKS, Link, compile, compile_against, compile_preload};
pub use harness::{Check, Outcome};
pub use library::{
    Library, library, library_dir, library_with_feature, static_link_flags, target_dir,
};
pub use ports::free_port;
pub use process::{Finished, demo, is_root, mounted, require, run, user_id, valgrind, wait_until};
pub use site::{Site, merged, start_in};

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The root of the repository.
pub fn repo() -> PathBuf {
    let testkit = Path::new(env!("CARGO_MANIFEST_DIR"));
    testkit.parent().unwrap_or(testkit).to_path_buf()
}

/// A directory that nobody else may write to, whatever this process's umask: fit to be a `state_dir`.
pub fn private_dir() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .expect("a temporary directory")
}

/// Writes a file that nobody else may write to, whatever this process's umask.
pub fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file that can be written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("chmod");
}

/// True when the long forms of the tests were asked for: `make check-long`.
pub fn long() -> bool {
    std::env::var_os("PSC_LONG").is_some_and(|value| value == "1")
}

/// Says that a test did not do its work because this system does not allow it, for instance to a user who is not root.
/// `make check` prints and counts these.
pub fn skip(test: &str, reason: &str) {
    eprintln!("skipped: {test}: {reason}");
    let Some(list) = std::env::var_os("PSC_SKIPPED") else {
        return;
    };
    let line = format!("{test}: {reason}\n");
    let mut list = OpenOptions::new()
        .append(true)
        .create(true)
        .open(list)
        .expect("the list of skipped tests");
    std::io::Write::write_all(&mut list, line.as_bytes()).expect("the list of skipped tests");
}
