//! The stack: what a call needs of its thread's, and what psc's own thread has, whatever thread-local storage the host has.

use crate::support::{preload, program, succeed, up_to_date};
use psc_testkit::printed::Printed;
use psc_testkit::{Library, Link, Site, compile_against, library, library_with_feature};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// Bytes; the header promises that every call makes do with so much.
const LEAST: usize = 32 * 1024;

/// The least that `LEAST` leaves over: for other builds of OpenSSL and libcurl.
const ROOM: usize = 4 * 1024;

fn deepest(levels: usize, open: &str, close: &str) -> String {
    format!("{}{}", open.repeat(levels), close.repeat(levels))
}

/// Calls psc in a thread that has `LEAST` bytes left; returns the code.
fn call(stack: &Path, name: &str, config: &str, answer: &[&str]) -> i32 {
    let mut command = Command::new(stack);
    command
        .args([name, &LEAST.to_string(), config])
        .args(answer);
    let done = succeed(&mut command);
    let printed = Printed::parse(&done.stdout);
    let used: usize = printed.number_of("used").expect("bytes");
    assert!(
        (1024..=LEAST - ROOM).contains(&used),
        "{name}: {used} bytes"
    );
    printed.number_of("code").expect("a code")
}

fn every_call_makes_do(library: &Library) {
    let stack = compile_against(library, "c-tests/lifecycle/stack.c", Link::Shared, &[]);
    let site = Site::start();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = site.config(json!({ "log_level": 7, "state_dir": dir.path() }));
    let config = config.to_string();
    for (fault, code) in [
        ("update", 1),
        ("no-update", 0),
        ("forged", -12),
        ("replay", -13),
        ("json-deep-1000", -11),
        ("json-deep-objects", -11),
        ("data-deep", -11),
        ("json-many-keys", -11),
        ("log-long", 1),
        ("tls-expired", -9),
    ] {
        site.server.set_fault(fault);
        assert_eq!(call(&stack, "run_once", &config, &[]), code, "{fault}");
    }
    assert_eq!(call(&stack, "look", &config, &[]), 0);
    assert_eq!(call(&stack, "configure", &config, &[]), 0);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let inside = if open == "[" { "" } else { "1.5" };
        let deep = deepest(31, open, close).replacen(close, &format!("{inside}{close}"), 1);
        let wrong = format!("{{\"no such key\":{deep}}}");
        assert_eq!(call(&stack, "configure", &wrong, &[]), -2);
        let answer = dir.path().join("answer");
        let text = format!("{{\"data\":\"e30=\",\"signature\":\"AAA=\",\"more\":{deep}}}");
        std::fs::write(&answer, text).expect("write");
        let answer = answer.to_str().expect("a path");
        let nonce = "1474900881679434MDEyMzQ1Njc4OWFiY2RlZg==";
        assert_eq!(call(&stack, "verify", &config, &[answer, nonce]), -12);
    }
}

#[test]
fn every_call_makes_do_with_the_documented_stack() {
    every_call_makes_do(&library());
}

#[test]
fn so_it_does_with_a_libcurl_of_psc_s_own() {
    every_call_makes_do(&library_with_feature("static-curl"));
}

/// `thread` looks how much its callback has left.
#[test]
fn thread_local_storage_takes_nothing_of_the_threads_stack() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    succeed(
        Command::new(program("thread", Link::Shared))
            .arg(&config)
            .env("LD_PRELOAD", preload("thread-locals")),
    );
    for link in [Link::Shared, Link::Static] {
        let flags = ["-DTHREAD_LOCALS=300000"];
        let program = compile_against(&library(), "c-tests/lifecycle/thread.c", link, &flags);
        succeed(Command::new(program).arg(&config));
    }
}

/// The deepest JSON that is read, and deeper, in psc's own thread.
#[test]
fn a_deep_answer_does_not_end_a_host_with_much_thread_local_storage() {
    for (fault, code) in [("json-deep-1000", -11), ("data-deep", -11), ("update", 1)] {
        let site = Site::start();
        site.server.set_fault(fault);
        let config = site.config(json!({ "start_delay": 0, "start_jitter": 0 }));
        let mut command = Command::new(program("host", Link::Shared));
        command.env("LD_PRELOAD", preload("thread-locals"));
        let mut host = crate::host::Host::with(command, &config);
        host.start();
        let status = host.wait_for_status("the end of the check", |status| {
            status["last_check"]["code"] != Value::Null
        });
        assert_eq!(status["last_check"]["code"], code, "{fault}: {status}");
        host.quit();
    }
}
