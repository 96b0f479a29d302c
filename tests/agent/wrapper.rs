//! include/psc.hpp: compiles everywhere, and c-tests/api/wrapper.cpp.

use crate::support::{LIMIT, agent_config};
use psc_testkit::{Finished, Link, Site, compile, repo, require, run, valgrind};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

const WARNINGS: [&str; 7] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Werror",
];

fn compiler(name: &str, standard: &str) -> Command {
    let mut command = Command::new(require(name));
    command
        .args(WARNINGS)
        .arg(format!("-std={standard}"))
        .arg("-I")
        .arg(repo().join("include"));
    command
}

#[test]
fn two_compilers_and_three_standards_find_nothing_to_warn_of() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let header_alone = dir.path().join("alone.cpp");
    // Twice, so that a missing include guard shows.
    fs::write(
        &header_alone,
        "#include \"psc.hpp\"\n#include \"psc.hpp\"\n",
    )
    .expect("write a source");
    let sources = [
        header_alone,
        repo().join("c-tests/api/wrapper.cpp"),
        repo().join("examples-c/agent.cpp"),
    ];
    for name in ["g++", "clang++"] {
        for standard in ["c++11", "c++17", "c++20"] {
            let done = run(
                compiler(name, standard).arg("-fsyntax-only").args(&sources),
                LIMIT,
            );
            assert_eq!(done.code, Some(0), "{name} {standard}\n{}", done.stderr);
        }
    }
}

/// Header only: two sources of one program may include it.
#[test]
fn two_sources_of_a_program_can_include_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let object = dir.path().join("all.o");
    let source = |name: &str, function: &str| {
        let text = format!(
            "#include \"psc.hpp\"\nvoid {function}(psc::Checker &l, psc::Checker &r);\nvoid {function}(psc::Checker &l, psc::Checker &r) {{ swap(l, r); l.stop(); }}\n"
        );
        let (source, compiled) = (
            dir.path().join(format!("{name}.cpp")),
            dir.path().join(format!("{name}.o")),
        );
        fs::write(&source, text).expect("write a source");
        let done = run(
            compiler("g++", "c++11")
                .arg("-c")
                .arg(&source)
                .arg("-o")
                .arg(&compiled),
            LIMIT,
        );
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        compiled
    };
    let objects = [source("one", "first"), source("two", "second")];
    let done = run(
        Command::new(require("g++"))
            .args(["-r", "-nostdlib", "-o"])
            .arg(&object)
            .args(objects),
        LIMIT,
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

fn succeeds(command: &mut Command, site: &Site) {
    let done: Finished = run(
        command.arg(agent_config(site, json!({})).to_string()),
        LIMIT,
    );
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "wrapper: ok\n"),
        "{}",
        done.stderr
    );
}

fn program(link: Link) -> std::path::PathBuf {
    compile("c-tests/api/wrapper.cpp", link)
}

#[test]
fn it_owns_moves_and_contains() {
    let site = Site::start();
    for link in [Link::Shared, Link::Static] {
        let program: &Path = &program(link);
        succeeds(&mut Command::new(program), &site);
    }
}

#[test]
fn valgrind_finds_nothing() {
    let site = Site::start();
    succeeds(&mut valgrind(&program(Link::Shared)), &site);
}
