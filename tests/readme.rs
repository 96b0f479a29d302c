//! README.md: its commands work, its example compiles and runs.

use std::fs;
use std::process::Command;
use std::time::Duration;

use psc_testkit::{Link, compile_against, library, repo, require, run, target_dir};

fn readme() -> String {
    fs::read_to_string(repo().join("README.md")).expect("README.md")
}

/// The texts of the fenced blocks in that language.
fn blocks(language: &str) -> Vec<String> {
    readme()
        .split(&format!("\n```{language}\n"))
        .skip(1)
        .filter_map(|after| Some(after.split_once("\n```")?.0.to_string()))
        .collect()
}

#[test]
fn the_shell_commands_work() {
    let blocks = blocks("sh");
    assert!(!blocks.is_empty(), "no commands");
    // The README says where cargo builds by default.
    let target = format!("{}/", target_dir().display());
    for block in blocks {
        let script = block
            .replace(" target/", &format!(" {target}"))
            .replace("\ntarget/", &format!("\n{target}"))
            .replace("-Ltarget/", &format!("-L{target}"))
            .replace("$PWD/target/", &target);
        let mut command = Command::new(require("sh"));
        command.args(["-e", "-c", &script]).current_dir(repo());
        let done = run(&mut command, Duration::from_secs(600));
        assert_eq!(
            done.code,
            Some(0),
            "{script}\n{}\n{}",
            done.stdout,
            done.stderr
        );
    }
}

#[test]
fn make_demo_gets_every_verdict() {
    let mut command = Command::new(require("make"));
    command.args(["--silent", "demo"]).current_dir(repo());
    let done = run(&mut command, Duration::from_secs(600));
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    for phrase in [
        "no update found",
        "security update is available",
        "forged signature",
        "replay",
        "expired",
    ] {
        let shown = done
            .stdout
            .lines()
            .any(|line| line.starts_with("error log:") && line.contains(phrase));
        assert!(shown, "{phrase} is not shown:\n{}", done.stdout);
    }
}

#[test]
fn the_example_compiles_and_runs() {
    let example = blocks("c").remove(0);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join("example.c");
    fs::write(&source, example).expect("write");
    let source = source.to_str().expect("a path");
    for link in [Link::Shared, Link::Static] {
        let program = compile_against(&library(), source, link, &[]);
        // Nobody listens there: the real service is left alone.
        let mut command = Command::new(program);
        command
            .env("https_proxy", "http://127.0.0.1:1")
            .env_remove("no_proxy");
        let done = run(&mut command, Duration::from_secs(60));
        assert!(
            done.stdout.starts_with("-8: "),
            "{}{}",
            done.stdout,
            done.stderr
        );
        assert!(
            done.stderr.contains("Security update check failed:"),
            "{}",
            done.stderr
        );
    }
}

/// With link-time optimization it has Rust's standard library in it, as libpsc.a has.
const SECOND_LIBRARY: &str = r#"
#[no_mangle]
pub extern "C" fn second(fails: bool) -> i32 {
    std::panic::catch_unwind(|| if fails { panic!("deliberate") } else { 1 }).unwrap_or(2)
}
"#;

const HOST_OF_BOTH: &str = r#"
#include <psc.h>
#include <stdbool.h>
#include <string.h>

int second(bool fails);

int main(void)
{
    psc_checker *checker = psc_init(NULL, NULL);
    if (psc_configure(checker, "{}") != PSC_OK || psc_configure(checker, "[]") != PSC_ERR_CONFIG) return 1;
    if (psc_run_once(checker, NULL) != PSC_ERR_STATE || strcmp(psc_version(), PSC_VERSION) != 0) return 2;
    psc_free(checker);
    return second(false) == 1 && second(true) == 2 ? 0 : 3;
}
"#;

#[test]
fn a_second_rust_library_may_be_in_the_same_binary() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    fs::write(path("second.rs"), SECOND_LIBRARY).expect("write");
    fs::write(path("host.c"), HOST_OF_BOTH).expect("write");
    let succeed = |command: &mut Command| {
        let done = run(command, Duration::from_secs(300));
        assert_eq!(done.code, Some(0), "{command:?}\n{}", done.stderr);
    };
    succeed(
        Command::new(require("rustc"))
            .args([
                "--edition=2021",
                "--crate-type=staticlib",
                "-O",
                "-Clto=fat",
                "-o",
            ])
            .args([path("libsecond.a"), path("second.rs")]),
    );
    let hide = blocks("sh")
        .into_iter()
        .find(|block| block.contains("objcopy"))
        .expect("the commands that hide the rest")
        .replace(
            "target/release/libpsc.a",
            &library().dir.join("libpsc.a").to_string_lossy(),
        )
        .replace("target/psc.o", &path("psc.o"));
    succeed(Command::new(require("sh")).args(["-e", "-c", &hide]));
    succeed(
        Command::new(require("gcc"))
            .arg("-I")
            .arg(repo().join("include"))
            .args([path("host.c"), path("psc.o"), path("libsecond.a")])
            .args(library().static_link_flags)
            .args(["-o", &path("host")]),
    );
    succeed(&mut Command::new(path("host")));
}
