//! The programs under AddressSanitizer and ThreadSanitizer.

use crate::support::{succeed, up_to_date};
use psc_testkit::{Link, Site, compile_against, library, long, repo, require, run, target_dir};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::tempdir;

const PROGRAMS: [&str; 7] = [
    "stop",
    "free",
    "graceful",
    "fork",
    "eventloop",
    "cycles",
    "run",
];

/// Program and further arguments.
type Run = (&'static str, &'static [&'static str]);

const RUNS: [Run; 21] = [
    ("stop", &["tls", "4"]),
    ("stop", &["signals", "700"]),
    ("stop", &["reentrant"]),
    ("stop", &["request-inside"]),
    ("stop", &["free-inside"]),
    ("stop", &["blocked"]),
    ("stop", &["several", "10"]),
    ("free", &["beside"]),
    ("free", &["late"]),
    ("free", &["inside"]),
    ("free", &["call"]),
    ("graceful", &[]),
    ("eventloop", &[]),
    ("cycles", &["15"]),
    ("run", &["thread"]),
    ("run", &["early"]),
    ("run", &["signal"]),
    ("run", &["drain"]),
    ("run", &["free"]),
    ("run", &["late"]),
    // Last: GCC's ThreadSanitizer knows no threads in a child.
    ("fork", &[]),
];

fn run_all(runs: &[Run], program: impl Fn(&str) -> PathBuf, environment: &[(&str, &str)]) {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for &(name, arguments) in runs {
        let mut command = Command::new(program(name));
        command
            .env("PSC_TEST_SLOW", "1")
            .envs(environment.iter().copied());
        succeed(command.arg(&config).args(arguments));
    }
}

fn sanitized(name: &str, sanitizer: &str, link: Link) -> PathBuf {
    let flags = [sanitizer, "-fno-omit-frame-pointer"];
    compile_against(
        &library(),
        &format!("c-tests/lifecycle/{name}.c"),
        link,
        &flags,
    )
}

/// A host that loads and unloads a module with psc in it, or beside it; both are looked at.
fn unload(sanitizer: &str, link: Link, environment: &[(&str, &str)]) {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let build = |name: &str, link, flags: &[&str]| {
        let flags = [&[sanitizer, "-fno-omit-frame-pointer"], flags].concat();
        compile_against(
            &library(),
            &format!("c-tests/lifecycle/{name}.c"),
            link,
            &flags,
        )
    };
    let host = build("unload", Link::Shared, &["-Wl,--as-needed"]);
    let module = ["-shared", "-fPIC", "-Wl,--exclude-libs,ALL"];
    let mut command = Command::new(host);
    command
        .env("PSC_TEST_SLOW", "1")
        .envs(environment.iter().copied());
    succeed(command.arg(config).arg(build("plugin", link, &module)));
}

#[test]
fn address_sanitizer_finds_nothing_after_an_unload() {
    for link in [Link::Shared, Link::Static] {
        unload("-fsanitize=address,undefined", link, &[]);
    }
}

#[test]
fn thread_sanitizer_finds_nothing_after_an_unload() {
    let dir = tempdir().unwrap();
    let options = thread_sanitizer_options(dir.path(), &["called_from_lib:libpsc.so"]);
    let environment = [("TSAN_OPTIONS", options.as_str()), ("PSC_TEST_TSAN", "1")];
    unload("-fsanitize=thread", Link::Shared, &environment);
}

#[test]
fn address_sanitizer_finds_nothing() {
    let sanitizer = "-fsanitize=address,undefined";
    run_all(
        &RUNS,
        |name| sanitized(name, sanitizer, Link::Static),
        &[("ASAN_OPTIONS", "detect_stack_use_after_return=1")],
    );
}

/// Options that name a file with these suppressions.
fn thread_sanitizer_options(dir: &Path, suppressions: &[&str]) -> String {
    let file = dir.join("suppressions");
    fs::write(&file, suppressions.join("\n") + "\n").expect("a suppressions file");
    format!(
        "suppressions={} exitcode=66 die_after_fork=0",
        file.display()
    )
}

/// The host's side: what it shares with its callback. Of libpsc, which was not compiled for it, ThreadSanitizer would see
/// half, so it looks at none of it; nor of OpenSSL's locks, where a thread of the host's that was in `psc_run` is followed by
/// who frees them.
#[test]
fn thread_sanitizer_finds_nothing_in_the_hosts() {
    let dir = tempdir().unwrap();
    let unseen = ["called_from_lib:libpsc.so", "called_from_lib:libcrypto.so"];
    let options = thread_sanitizer_options(dir.path(), &unseen);
    run_all(
        &RUNS[..RUNS.len() - 1],
        |name| sanitized(name, "-fsanitize=thread", Link::Shared),
        &[("TSAN_OPTIONS", &options), ("PSC_TEST_TSAN", "1")],
    );
}

/// psc's side too: the library compiled for ThreadSanitizer. Rust's standard library is as it is shipped; two of its
/// functions are wrapped (c-tests/lifecycle/tsan-locks.c), and the end of an `Arc`, whose memory fence ThreadSanitizer does not
/// know, is left out.
#[test]
fn thread_sanitizer_finds_nothing_in_psc() {
    if !long() {
        return psc_testkit::skip(
            "thread_sanitizer_finds_nothing_in_psc",
            "a build of its own of a minute or two: make check-long",
        );
    }
    let dir = tempdir().unwrap();
    let build = Instrumented::build(dir.path());
    for name in PROGRAMS {
        build.link(name);
    }
    let options = thread_sanitizer_options(
        dir.path(),
        &[
            "called_from_lib:libcrypto.so",
            "called_from_lib:libssl.so",
            "called_from_lib:libcurl.so",
            "race:drop_slow",
        ],
    );
    run_all(
        &RUNS,
        |name| dir.path().join(name),
        &[("TSAN_OPTIONS", &options), ("PSC_TEST_TSAN", "1")],
    );
}

/// libpsc.a for ThreadSanitizer, and what linking a program with it takes.
struct Instrumented<'a> {
    dir: &'a Path,
    archive: PathBuf,
    runtime: PathBuf,
    /// Mangled names of functions of Rust's standard library.
    lock_contended: String,
    wait_timeout: String,
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

impl Instrumented<'_> {
    fn build(dir: &Path) -> Instrumented<'_> {
        let target_dir = target_dir().join("thread-sanitizer");
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(repo())
            // The flags are for nightly compilers, unless this is set.
            .env("RUSTC_BOOTSTRAP", "1")
            .env(
                "RUSTFLAGS",
                "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
            )
            .env("CARGO_TARGET_DIR", &target_dir)
            .args(["rustc", "--release", "--lib", "-p", "psc"])
            // With a target named, build scripts and macros are not instrumented.
            .args(["--crate-type", "staticlib", "--target", TARGET]);
        output(&mut cargo, Duration::from_secs(900));
        let archive = target_dir.join(TARGET).join("release/libpsc.a");
        let mut nm = Command::new(require("nm"));
        let symbols = output(nm.arg("--quiet").arg(&archive), Duration::from_secs(60));
        Instrumented {
            dir,
            runtime: runtime(),
            lock_contended: symbol(&symbols, "5futexNtB2_5Mutex14lock_contended"),
            wait_timeout: symbol(&symbols, "5futexNtB2_7Condvar12wait_timeout"),
            archive,
        }
    }

    fn link(&self, name: &str) {
        let sources = repo().join("c-tests/lifecycle");
        let mut clang = Command::new(require("clang"));
        clang
            .args([
                "-std=c11",
                "-g",
                "-pthread",
                "-fsanitize=thread",
                "-c",
                "-I",
            ])
            .arg(repo().join("include"))
            .arg(sources.join(format!("{name}.c")))
            .arg("-o")
            .arg(self.dir.join("program.o"));
        output(&mut clang, Duration::from_secs(60));

        let mut clang = Command::new(require("clang"));
        clang
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-g", "-o"])
            .arg(self.dir.join(name))
            .arg(format!("-DLOCK_CONTENDED={}", self.lock_contended))
            .arg(format!("-DWAIT_TIMEOUT={}", self.wait_timeout))
            .arg(sources.join("tsan-locks.c"))
            .arg(self.dir.join("program.o"))
            .arg(format!("-Wl,--wrap={}", self.lock_contended))
            .arg(format!("-Wl,--wrap={}", self.wait_timeout))
            .arg(&self.archive)
            .arg("-Wl,--whole-archive")
            .arg(&self.runtime)
            .args(["-Wl,--no-whole-archive", "-Wl,--export-dynamic"])
            .args(library().static_link_flags)
            .arg("-lresolv");
        output(&mut clang, Duration::from_secs(60));
    }
}

/// ThreadSanitizer's own library, the one of this compiler.
fn runtime() -> PathBuf {
    let mut rustc = Command::new("rustc");
    let path = output(
        rustc
            .current_dir(repo())
            .args(["--print", "target-libdir", "--target", TARGET]),
        Duration::from_secs(60),
    );
    let dir = Path::new(path.trim());
    let mut files = fs::read_dir(dir)
        .expect("the compiler's libraries")
        .flatten();
    let runtime = files.find(|file| file.file_name().to_string_lossy().ends_with("_rt.tsan.a"));
    let Some(runtime) = runtime else {
        panic!(
            "the long form needs a Rust compiler that comes with ThreadSanitizer: install one with rustup ({} has none)",
            dir.display()
        )
    };
    runtime.path()
}

/// The undefined symbol that ends so.
fn symbol(symbols: &str, end: &str) -> String {
    let names = symbols
        .lines()
        .filter_map(|line| line.trim().strip_prefix("U "));
    let Some(name) = names.into_iter().find(|name| name.ends_with(end)) else {
        panic!("psc calls no function whose mangled name ends in {end}")
    };
    name.to_string()
}

fn output(command: &mut Command, limit: Duration) -> String {
    let done = run(command, limit);
    assert_eq!(done.code, Some(0), "{command:?} failed:\n{}", done.stderr);
    done.stdout
}
