//! include/psc.h: clean in every language a host is written in, complete,
//! documented, and exactly what the shared library exports.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use psc_testkit::{Link, compile, library_dir, repo, require, run};

const LIMIT: Duration = Duration::from_secs(60);

fn header() -> String {
    fs::read_to_string(repo().join("include/psc.h"))
        .expect("include/psc.h; `make header` writes it")
}

#[test]
fn header_is_clean_in_every_language() {
    let languages = [
        ("c", "c99"),
        ("c", "c11"),
        ("c", "c17"),
        ("c++", "c++11"),
        ("c++", "c++17"),
        ("c++", "c++20"),
    ];
    for compiler in ["gcc", "clang"] {
        for (language, standard) in languages {
            let mut command = Command::new(require(compiler));
            command.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]);
            command
                .args(["-x", language, &format!("-std={standard}"), "-I"])
                .arg(repo().join("include"));
            command.arg(repo().join("c-tests/api/header.c"));
            let done = run(&mut command, LIMIT);
            assert_eq!(
                done.code,
                Some(0),
                "{compiler} {standard}:\n{}",
                done.stderr
            );
        }
    }
}

#[test]
fn header_and_library_fit() {
    for link in [Link::Shared, Link::Static] {
        let done = run(
            &mut Command::new(compile("c-tests/api/header.c", link)),
            LIMIT,
        );
        assert_eq!(done.code, Some(0), "{link:?}: {}", done.stderr);
    }
}

/// The header without its comments.
fn code_of(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The names `psc_…` that are followed by `(`: the functions.
fn functions_of(code: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    code.match_indices('(')
        .filter_map(|(at, _)| {
            code[..at]
                .trim_end()
                .rsplit(|character| !is_name(character))
                .next()
        })
        .filter(|name| name.starts_with("psc_"))
        .map(str::to_string)
        .collect()
}

/// The names that were promised. A new function is promised by its line here.
#[test]
fn the_functions_are_those_that_were_promised() {
    let promised = [
        "psc_commit",
        "psc_config_errors",
        "psc_config_free",
        "psc_configure",
        "psc_curl_is_static",
        "psc_free",
        "psc_init",
        "psc_inspect_config",
        "psc_last_check_age",
        "psc_last_error",
        "psc_log_drain",
        "psc_log_fd",
        "psc_make_state_dir",
        "psc_next_check",
        "psc_on_result",
        "psc_prepare",
        "psc_preview_request",
        "psc_request_stop",
        "psc_result_age",
        "psc_result_code",
        "psc_result_free",
        "psc_result_http_status",
        "psc_result_json",
        "psc_result_message",
        "psc_result_next_check",
        "psc_result_notice",
        "psc_result_version",
        "psc_run",
        "psc_run_once",
        "psc_start",
        "psc_status",
        "psc_stop",
        "psc_strerror",
        "psc_string_free",
        "psc_verify",
        "psc_version",
        "psc_version_number",
    ];
    let promised: BTreeSet<String> = promised.map(str::to_owned).into();
    assert_eq!(functions_of(&code_of(&header())), promised);
}

#[test]
fn every_function_is_documented() {
    let header = header();
    for function in functions_of(&code_of(&header)) {
        let declaration = header
            .match_indices(&format!("{function}("))
            .map(|(at, _)| header[..at].rfind('\n').map_or(0, |end| end + 1))
            .find(|start| !header[*start..].trim_start().starts_with(['*', '/']))
            .unwrap_or_else(|| panic!("{function} has no declaration"));
        let before = header[..declaration].trim_end();
        assert!(
            before.ends_with("*/"),
            "{function} has no comment before it"
        );
    }
}

fn output_of(tool: &str, arguments: &[&str], file: &Path) -> String {
    let done = run(Command::new(require(tool)).args(arguments).arg(file), LIMIT);
    assert_eq!(done.code, Some(0), "{tool}: {}", done.stderr);
    done.stdout
}

#[test]
fn the_shared_library_exports_the_headers_functions_and_nothing_else() {
    let listed = output_of(
        "nm",
        &["-D", "--defined-only"],
        &library_dir().join("libpsc.so"),
    );
    let exported: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(|name| name.split('@').next().unwrap_or(name).to_string())
        .collect();
    assert_eq!(exported, functions_of(&code_of(&header())));
}

/// `CMake` links a library by its path, which without a SONAME would be the one place where the program looks for it.
#[test]
fn a_program_linked_by_path_finds_the_library_where_it_is_installed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let [built, installed] = ["built", "installed"].map(|name| dir.path().join(name));
    for place in [&built, &installed] {
        fs::create_dir(place).expect("a directory");
    }
    let library = built.join("libpsc.so");
    fs::copy(library_dir().join("libpsc.so"), &library).expect("a copy");
    let program = dir.path().join("program");
    let mut compiler = Command::new(require("gcc"));
    compiler
        .arg("-I")
        .arg(repo().join("include"))
        .arg(repo().join("c-tests/api/codes.c"))
        .arg(&library)
        .arg("-o")
        .arg(&program);
    let linked = run(&mut compiler, LIMIT);
    assert_eq!(linked.code, Some(0), "{}", linked.stderr);
    let needed = output_of("readelf", &["-d"], &program);
    assert!(needed.contains("[libpsc.so.0]"), "{needed}");

    fs::rename(&library, installed.join("libpsc.so.0")).expect("the library moves");
    let mut command = Command::new(&program);
    let done = run(command.env("LD_LIBRARY_PATH", &installed), LIMIT);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
}

#[test]
fn the_systems_libcurl_and_openssl_are_used() {
    let needed = output_of("readelf", &["-d"], &library_dir().join("libpsc.so"));
    for library in ["libcurl.so", "libcrypto.so"] {
        assert!(
            needed.contains(library),
            "{library} is not among:\n{needed}"
        );
    }
}
