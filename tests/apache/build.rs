//! Builds the module, once per test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use psc_testkit::{Link, library_dir, repo, require, run, target_dir};

pub fn module(link: Link) -> &'static Path {
    static STATIC: OnceLock<PathBuf> = OnceLock::new();
    static SHARED: OnceLock<PathBuf> = OnceLock::new();
    match link {
        Link::Static => STATIC.get_or_init(|| build(&[], "apache-module", &library_dir())),
        Link::Shared => {
            SHARED.get_or_init(|| build(&["--shared"], "apache-module-shared", &library_dir()))
        }
    }
}

pub fn build(options: &[&str], name: &str, library: &Path) -> PathBuf {
    require("apxs");
    let output = target_dir().join(name);
    let mut command = Command::new(repo().join("examples-c/apache/build.sh"));
    command.args(options).arg(&output).arg(library);
    let built = run(&mut command, Duration::from_secs(120));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    output.join("mod_psc.so")
}
