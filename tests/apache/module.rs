//! What the module is linked with, and what it shows of itself.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use psc_testkit::{Link, library_with_feature, require, run};

use crate::apache::{Apache, Mpm};
use crate::build::{build, module};

#[test]
fn the_module_stays_in_memory_and_keeps_psc_to_itself() {
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

#[test]
fn a_module_with_a_libcurl_of_its_own_is_loaded() {
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

#[test]
fn a_shared_build_needs_the_library() {
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
