//! examples-c/python: an interpreter that ends while psc's thread runs.

use crate::support::up_to_date;
use psc_testkit::{Site, library, repo, require};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

const TIMES: usize = 20;

/// Runs the example until it has logged `phrase`, and then to its end. Its exit code, and what it logged.
fn end_after(phrase: &str, config: &str) -> (Option<i32>, String) {
    let mut child = Command::new(require("timeout"))
        .arg("60")
        .arg(require("python3"))
        .arg(repo().join("examples-c/python/host.py"))
        .arg(library().dir.join("libpsc.so.0"))
        .arg(config)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example");
    let mut stderr = BufReader::new(child.stderr.take().expect("its log"));
    let mut log = String::new();
    while !log.contains(phrase) {
        let read = stderr.read_line(&mut log).expect("a line");
        assert_ne!(read, 0, "it ended before: {log}");
    }
    drop(child.stdin.take());
    stderr.read_to_string(&mut log).expect("the rest");
    (child.wait().expect("its end").code(), log)
}

#[test]
fn python_may_end_at_any_time() {
    let site = Site::start();
    let changes = json!({"log_level": 7, "start_delay": 0, "start_jitter": 0});
    let config = up_to_date(&site, changes).to_string();
    for phrase in ["sending: POST", "no update found"] {
        for _ in 0..TIMES {
            let (code, log) = end_after(phrase, &config);
            assert_eq!(code, Some(0), "{log}");
        }
    }
}

#[test]
fn python_is_told_what_is_wrong() {
    let site = Site::start();
    let config = up_to_date(&site, json!({"interval": 1})).to_string();
    let (code, log) = end_after("interval", &config);
    assert_eq!(code, Some(1), "{log}");
}
