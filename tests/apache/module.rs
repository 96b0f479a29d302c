//! The module itself: made once per test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::apache::{Apache, Mpm};
use psc_testkit::{Link, library_dir, library_with_feature, repo, require, run, target_dir};

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

fn build(options: &[&str], name: &str, library: &Path) -> PathBuf {
    require("apxs");
    let output = target_dir().join(name);
    let mut command = Command::new(repo().join("examples-c/apache/build.sh"));
    command.args(options).arg(&output).arg(library);
    let built = run(&mut command, Duration::from_secs(120));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    output.join("mod_psc.so")
}

/// row 1
#[test]
fn row01_the_module_stays_in_memory_and_keeps_psc_to_itself() {
    let library = module(Link::Static);
    let flags = readelf("--dynamic", library);
    assert!(flags.contains("NODELETE"), "{flags}");
    let needed: Vec<&str> = flags
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .collect();
    assert!(
        needed.iter().any(|line| line.contains("libcurl")),
        "{needed:?}"
    );
    assert!(
        !needed.iter().any(|line| line.contains("libpsc")),
        "{needed:?}"
    );

    let symbols = readelf("--dyn-syms", library);
    let exported: Vec<&str> = symbols
        .lines()
        .filter(|line| line.contains(" GLOBAL ") && !line.contains(" UND "))
        .collect();
    assert_eq!(exported.len(), 1, "{exported:?}");
    assert!(exported[0].ends_with(" psc_module"), "{exported:?}");
}

/// row 1
#[test]
fn row01_a_module_with_a_libcurl_of_its_own_is_loaded() {
    let library = library_with_feature("static-curl").dir;
    let module = build(&[], "apache-module-static-curl", &library);
    let flags = readelf("--dynamic", &module);
    assert!(!flags.contains("[libcurl"), "{flags}");
    let mut site = Apache::new(Mpm::Event);
    site.with_module = false;
    site.extra = format!("LoadModule psc_module {}\n", module.display());
    let tested = site.test_config();
    assert_eq!(tested.code, Some(0), "{}", tested.stderr);
}

/// row 1
#[test]
fn row01_a_shared_build_needs_the_library() {
    let flags = readelf("--dynamic", module(Link::Shared));
    assert!(flags.contains("NODELETE"), "{flags}");
    assert!(flags.contains("[libpsc.so"), "{flags}");
}

fn readelf(option: &str, file: &Path) -> String {
    let mut command = Command::new(require("readelf"));
    let done = run(
        command.args(["--wide", option]).arg(file),
        Duration::from_secs(30),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout
}
