//! The repository, private files, and which tests are asked for.

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
