//! Builds of the library, as a host gets it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::process::run;
use crate::support::repo;

/// Cargo's target directory of this build.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => repo().join(dir),
        None => repo().join("target"),
    }
}

/// A release build of the library.
#[derive(Clone, Debug)]
pub struct Library {
    /// The directory with libpsc.so and libpsc.a.
    pub dir: PathBuf,
    /// What a host adds to its link line for libpsc.a, as rustc says it.
    pub static_link_flags: Vec<String>,
}

/// The library as hosts get it, built once per test process.
pub fn library() -> Library {
    static BUILT: OnceLock<Library> = OnceLock::new();
    BUILT.get_or_init(|| build(&target_dir(), &[])).clone()
}

/// The directory with libpsc.so and libpsc.a.
pub fn library_dir() -> PathBuf {
    library().dir
}

/// What a host adds to its link line for libpsc.a, as rustc says it.
pub fn static_link_flags() -> Vec<String> {
    library().static_link_flags
}

/// A build with a cargo feature, in a target directory of its own (`test-panic`, `static-curl`).
pub fn library_with_feature(feature: &str) -> Library {
    static BUILT: OnceLock<Mutex<HashMap<String, Library>>> = OnceLock::new();
    let mut built = BUILT
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    built
        .entry(feature.to_string())
        .or_insert_with(|| build(&target_dir().join(feature), &["--features", feature]))
        .clone()
}

/// `make build` gives the same command; another one would make cargo build the library anew.
fn build(target: &Path, more: &[&str]) -> Library {
    let mut command = cargo();
    command
        .args(["rustc", "--release", "--lib", "-p", "psc"])
        .args(more);
    command
        .args(["--", "--print", "native-static-libs"])
        .env("CARGO_TARGET_DIR", target);
    let built = run(&mut command, Duration::from_secs(900));
    assert_eq!(built.code, Some(0), "{command:?} failed:\n{}", built.stderr);
    let flags = built
        .stderr
        .lines()
        .find_map(|line| line.split_once("native-static-libs:"));
    let Some((_, flags)) = flags else {
        panic!("{command:?} names no libraries:\n{}", built.stderr)
    };
    Library {
        dir: target.join("release"),
        static_link_flags: flags.split_whitespace().map(str::to_string).collect(),
    }
}

/// Cargo as the tests were started with, without what it has put into the environment of the
/// test: a build must not depend on who starts it.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(repo());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_built_and_says_what_it_needs() {
        assert!(library_dir().join("libpsc.so").is_file());
        assert!(library_dir().join("libpsc.a").is_file());
        assert!(
            static_link_flags().contains(&"-lc".to_string()),
            "{:?}",
            static_link_flags()
        );
    }
}
