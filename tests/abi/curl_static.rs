//! psc_curl_is_static against what ldd and nm say of the same program, and whom a libcurl trusts that was built without
//! a word about this system's authorities.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use psc::ffi::codes::{PSC_ERR_TLS, PSC_UPDATE_AVAILABLE};
use psc_testkit::{
    Check, Library, Link, Site, compile_against, library, library_with_feature, require, run,
};
use serde_json::{Value, json};

const SOURCE: &str = "c-tests/api/curl-static.c";
const LIMIT: Duration = Duration::from_secs(60);

fn output_of(command: &mut Command) -> String {
    let done = run(command, LIMIT);
    assert_eq!(done.code, Some(0), "{command:?}: {}", done.stderr);
    done.stdout
}

/// The shared objects that the program loads, as ldd lists them.
fn loaded(program: &Path) -> String {
    output_of(Command::new(require("ldd")).arg(program))
}

fn defines_curl(file: &Path) -> bool {
    output_of(
        Command::new(require("nm"))
            .args(["--defined-only"])
            .arg(file),
    )
    .lines()
    .any(|line| line.ends_with(" T curl_easy_init") || line.ends_with(" t curl_easy_init"))
}

/// 0 when a shared libcurl is loaded; 1 when the code is in the program or in its libpsc.so.
fn expected(program: &Path, library: &Library) -> i32 {
    let loaded = loaded(program);
    if loaded.contains("libcurl") {
        return 0;
    }
    let holder: PathBuf = if loaded.contains("libpsc.so") {
        library.dir.join("libpsc.so")
    } else {
        program.to_path_buf()
    };
    assert!(defines_curl(&holder), "no libcurl anywhere: {loaded}");
    1
}

/// Compiles the program, compares, and returns what it said.
fn said(library: &Library, link: Link, flags: &[&str]) -> i32 {
    let program = compile_against(library, SOURCE, link, flags);
    let said: i32 = output_of(&mut Command::new(&program))
        .trim()
        .parse()
        .expect("a number");
    assert_eq!(said, expected(&program, library), "{link:?} {flags:?}");
    said
}

#[test]
fn a_shared_libcurl_is_told() {
    let library = library();
    assert_eq!(said(&library, Link::Shared, &[]), 0);
    assert_eq!(said(&library, Link::Static, &["-pie"]), 0);
    assert_eq!(said(&library, Link::Static, &["-no-pie"]), 0);
}

/// What the shared libcurl needs, the static one needs too.
fn needs_of_libcurl(program: &Path) -> Vec<String> {
    let loaded = loaded(program);
    let libcurl = loaded
        .lines()
        .find(|line| line.contains("libcurl"))
        .and_then(|line| line.split_whitespace().nth(2))
        .expect("a path of libcurl");
    output_of(Command::new(require("readelf")).args(["-d", libcurl]))
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .filter_map(|line| line.split_once('[')?.1.strip_suffix(']'))
        .map(|name| format!("-l:{name}"))
        .collect()
}

#[test]
fn a_libcurl_that_the_host_links_statically_is_told() {
    let mut library = library();
    let dynamic = compile_against(&library, SOURCE, Link::Static, &[]);
    let needs = needs_of_libcurl(&dynamic);
    for flag in &mut library.static_link_flags {
        if flag == "-lcurl" {
            *flag = "-l:libcurl.a".to_string();
        }
    }
    library.static_link_flags.extend(needs);
    assert_eq!(said(&library, Link::Static, &["-pie"]), 1);
    assert_eq!(said(&library, Link::Static, &["-no-pie"]), 1);
}

#[test]
fn the_feature_static_curl_is_told() {
    let library = library_with_feature("static-curl");
    // What the README says of its link line.
    let needs = |flag: &str| {
        library
            .static_link_flags
            .iter()
            .any(|needed| needed == flag)
    };
    assert!(needs("-lz") && needs("-lssl") && needs("-lcrypto") && !needs("-lcurl"));
    assert_eq!(said(&library, Link::Shared, &[]), 1);
    assert_eq!(said(&library, Link::Static, &[]), 1);
}

/// .cargo/config.toml says what each of them is about; another curl-sys may want other words.
#[test]
fn a_static_libcurl_is_configured_for_this_system() {
    let library = library_with_feature("static-curl").dir.join("libpsc.so");
    let mut nm = Command::new(require("nm"));
    let symbols = output_of(nm.args(["-D", "--undefined-only"]).arg(library));
    let calls = |name: &str| {
        symbols
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .any(|symbol| symbol.split('@').next() == Some(name))
    };
    for wanted in ["poll", "gmtime_r", "if_nametoindex", "getaddrinfo"] {
        assert!(calls(wanted), "{wanted} is missing");
    }
    for unwanted in ["strerror", "gmtime", "gethostbyname"] {
        assert!(!calls(unwanted), "{unwanted} is called");
    }
}

#[test]
fn a_static_libcurl_trusts_whom_psc_says_and_nobody_else() {
    let (site, other) = (Site::start(), Site::start());
    let library = library_with_feature("static-curl");
    let check = |trusted: Value| {
        let mut check = Check::new(Link::Shared).with_library(library.clone());
        // Of curl's own tool.
        check = check.env("CURL_CA_BUNDLE", site.path("ca.pem"));
        check.run(&site.config(json!({ "certificate_path": trusted })))
    };
    let own = check(json!(site.path("ca.pem")));
    assert_eq!(own.code, Some(PSC_UPDATE_AVAILABLE), "{}", own.output);
    // The system's store is found, and neither it nor another one has the server's authority.
    for trusted in [json!(null), json!(other.path("ca.pem"))] {
        let outcome = check(trusted);
        assert_eq!(outcome.configured, 0, "{}", outcome.output);
        assert_eq!(outcome.code, Some(PSC_ERR_TLS), "{}", outcome.output);
        let reason = "not signed by a trusted authority";
        assert_eq!(outcome.log_lines(reason).len(), 1, "{}", outcome.output);
    }
    assert_eq!(site.server.requests().len(), 1);
}
