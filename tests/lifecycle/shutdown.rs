//! The end of a process that still has psc: OpenSSL is cleaned up before psc is freed.

use crate::support::{checked_but_for_leaks, program, succeed_with, up_to_date};
use psc_testkit::{LINKS, Site, require};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// What cleanup.c ends with, and no tool that it runs under.
const DONE: i32 = 7;

/// Plainly with both ways to link, and under memcheck.
fn commands() -> [Command; 3] {
    let [shared, linked] = LINKS.map(|link| program("cleanup", link));
    [
        Command::new(&shared),
        Command::new(linked),
        checked_but_for_leaks(&shared),
    ]
}

#[test]
fn openssl_may_be_cleaned_up_before_psc() {
    let site = Site::start();
    let config = up_to_date(&site, json!({"log_level": 7})).to_string();
    for how in ["calls", "free", "idle", "due", "handshake"] {
        for mut command in commands() {
            succeed_with(DONE, command.arg(&config).arg(how));
        }
    }
    assert_eq!(site.server.connections(), 0);
}

/// A connection whose handshake is done sends an alert when it is closed, by OpenSSL.
#[test]
fn openssl_may_be_cleaned_up_while_an_answer_is_awaited() {
    for how in ["answer", "exit"] {
        for command in commands() {
            let done = with_request_under_way(&command, how);
            assert_eq!(
                done.status.code(),
                Some(DONE),
                "{how} {command:?}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
}

/// Runs it on a server that never answers, and tells it when its request is there.
fn with_request_under_way(command: &Command, how: &str) -> Output {
    let site = Site::start();
    site.server.set_fault("hang");
    let config = up_to_date(&site, json!({})).to_string();
    let mut child = Command::new(require("timeout"))
        .arg("120")
        .arg(command.get_program())
        .args(command.get_args())
        .env("PSC_TEST_SLOW", "1")
        // Cargo's own, which leads to another build of libpsc.so.
        .env_remove("LD_LIBRARY_PATH")
        .arg(config)
        .arg(how)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program");
    let requests = site.server.wait_for_requests(1, Duration::from_secs(60));
    assert_eq!(requests.len(), 1);
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(b"x").expect("it reads");
    child.wait_with_output().expect("its end")
}
