//! The module, built as its README says, once per test process.

use psc_testkit::{library_dir, library_with_feature, repo, require, run, target_dir};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub fn module() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| build(&[], "static", &library_dir()))
        .clone()
}

/// The same, but needing libpsc.so at run time.
pub fn module_with_shared_library() -> PathBuf {
    build(&["--shared"], "shared", &library_dir())
}

/// The same with a libcurl of its own.
pub fn module_with_static_curl() -> PathBuf {
    let library = library_with_feature("static-curl").dir;
    build(&[], "static-curl", &library)
}

fn build(options: &[&str], name: &str, library: &Path) -> PathBuf {
    let program = require("nginx");
    let output = target_dir().join("nginx-module").join(name);
    let mut command = Command::new(repo().join("examples-c/nginx/build.sh"));
    command.args(options).arg(&output).arg(library);
    let built = run(&mut command, Duration::from_secs(120));
    assert_eq!(
        built.code,
        Some(0),
        "the module for {} does not build:\n{}{}",
        program.display(),
        built.stdout,
        built.stderr
    );
    output.join("ngx_http_psc_module.so")
}
