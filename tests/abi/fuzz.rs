//! Any order of calls, from many threads, in callbacks, beside signals and forks (c-tests/api/fuzz.c).

use psc_testkit::{
    Link, Site, compile_against, library, long, private_dir, require, run, target_dir,
};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What the configurations of the handles are picked from: the first one is every handle's first.
fn configurations(site: &Site, dir: &Path) -> String {
    let state = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let closed = "https://127.0.0.1:1/";
    let texts: Vec<Value> = vec![
        site.config(json!({ "start_delay": 0, "start_jitter": 0, "timeout": 2, "url": closed, "log_level": 7 })),
        json!({ "state_dir": state("one"), "disabled": false }),
        json!({ "state_dir": state("two"), "log_level": 4 }),
        json!({ "state_dir": null, "program_name": "Another" }),
        json!({ "disabled": true }),
        json!({ "disabled": false, "url": site.server.url() }),
        json!({ "url": closed, "log_level": 7 }),
        json!({ "passenger_version": "6.0.99", "interval": 43200 }),
        json!({ "passenger_version": null }),
        json!({ "passenger_version": "6.0.10" }),
        json!({ "proxy_url": "http://user:secret@127.0.0.1:1" }),
        json!({ "proxy_url": "none" }),
        json!({ "server_public_key_path": "/nonexistent" }),
        json!({ "interval": 1, "unknown": [[[[]]]] }),
        json!({ "client_certificate_path": "" }),
    ];
    let mut lines: Vec<String> = texts.iter().map(Value::to_string).collect();
    lines.extend(["", "{", "[]", "{\"log_level\":\u{1}}"].map(str::to_owned));
    lines.join("\n") + "\n"
}

struct Size {
    threads: u32,
    calls: u32,
    forks: u32,
    seeds: std::ops::Range<u32>,
    limit: Duration,
}

fn fuzz(program: &Path, size: &Size) {
    let site = Site::start();
    for seed in size.seeds.clone() {
        let dir = private_dir();
        let file = dir.path().join("configurations");
        fs::write(&file, configurations(&site, dir.path())).expect("a file");
        let mut command = Command::new(program);
        command.arg(&file);
        command.args([size.threads, size.calls, size.forks, seed].map(|number| number.to_string()));
        command.env(
            "ASAN_OPTIONS",
            "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1",
        );
        let done = run(&mut command, size.limit);
        assert_eq!(
            done.code,
            Some(0),
            "seed {seed}, {:?}: {}\n{}",
            done.signal,
            done.stdout,
            done.stderr
        );
        println!("{}in {:?}", done.stdout.replace('\n', ", "), done.elapsed);
        // Nothing but findings is printed.
        assert_eq!(done.stderr, "", "seed {seed}");
    }
}

/// As it is, with children that return from callbacks; and the host's side under AddressSanitizer: what the host gives to psc,
/// and psc's memory when it is given back.
#[test]
fn no_order_of_calls_harms_the_host() {
    let library = library();
    let size = Size {
        threads: 6,
        calls: if long() { 300_000 } else { 30_000 },
        forks: if long() { 5_000 } else { 300 },
        seeds: 1..2,
        limit: Duration::from_secs(if long() { 1500 } else { 300 }),
    };
    for flags in [
        &["-O1", "-D_GNU_SOURCE"][..],
        &["-fsanitize=address", "-O1", "-D_GNU_SOURCE"],
    ] {
        let program = compile_against(&library, "c-tests/api/fuzz.c", Link::Static, flags);
        fuzz(&program, &size);
    }
}

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// psc's side, too: the library compiled for AddressSanitizer.
#[test]
fn address_sanitizer_finds_nothing_in_psc() {
    if !long() {
        return psc_testkit::skip(
            "address_sanitizer_finds_nothing_in_psc",
            "a build of its own and a million calls: make check-long",
        );
    }
    let dir = target_dir().join("address-sanitizer");
    let mut cargo = Command::new("cargo");
    cargo
        .current_dir(psc_testkit::repo())
        // The flag is for nightly compilers, unless this is set.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CARGO_TARGET_DIR", &dir)
        .args(["rustc", "--release", "--lib", "-p", "psc"])
        // With a target named, build scripts and macros are not instrumented.
        .args(["--crate-type", "staticlib", "--target", TARGET]);
    let built = run(&mut cargo, Duration::from_secs(900));
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    let program = dir.join("abi-fuzz");
    let mut clang = Command::new(require("clang"));
    clang
        .current_dir(psc_testkit::repo())
        .args([
            "-std=c11",
            "-g",
            "-O1",
            "-pthread",
            "-D_GNU_SOURCE",
            "-fsanitize=address",
            "-I",
            "include",
        ])
        .arg("-o")
        .arg(&program)
        .arg("c-tests/api/fuzz.c")
        .arg(dir.join(TARGET).join("release/libpsc.a"))
        .args(library().static_link_flags);
    let linked = run(&mut clang, Duration::from_secs(120));
    assert_eq!(linked.code, Some(0), "{}", linked.stderr);
    fuzz(
        &program,
        &Size {
            threads: 6,
            calls: 250_000,
            forks: 5_000,
            seeds: 1..5,
            limit: Duration::from_secs(3000),
        },
    );
}
