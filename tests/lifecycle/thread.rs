//! What the thread is like, and the event loop that takes its records.

use crate::host::Host;
use crate::support::{checked, program, succeed, up_to_date};
use psc::ffi::codes::PSC_ERR_INTERNAL;
use psc_testkit::{Link, Site, compile_against, library_with_feature};
use serde_json::{Value, json};
use std::process::Command;

#[test]
fn the_thread_is_one_small_deaf_and_asleep() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in [Link::Shared, Link::Static] {
        succeed(Command::new(program("thread", link)).arg(&config));
    }
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn an_event_loop_takes_the_records() {
    for link in [Link::Shared, Link::Static] {
        let site = Site::start();
        let config = up_to_date(&site, json!({})).to_string();
        succeed(Command::new(program("eventloop", link)).arg(&config));
        assert_three_or_four(&site);
    }
}

#[test]
fn an_event_loop_leaks_nothing() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    succeed(checked(&program("eventloop", Link::Static)).arg(&config));
    assert_three_or_four(&site);
}

/// One of its checks is stopped, perhaps before it has asked.
fn assert_three_or_four(site: &Site) {
    let requests = site.server.requests().len();
    assert!((3..=4).contains(&requests), "{requests}");
}

#[test]
fn a_panic_in_the_thread_is_one_line_and_a_code() {
    let site = Site::start();
    let library = library_with_feature("test-panic");
    let program = compile_against(&library, "c-tests/lifecycle/host.c", Link::Shared, &[]);
    let config = up_to_date(&site, json!({ "program_name": "psc-test-panic" }));
    let mut host = Host::with(Command::new(program), &config);
    host.start();
    let record = host.expect_log("Security update check failed:");
    assert_eq!(record.0, 1);
    assert!(record.1.contains("bug in psc"), "{}", record.1);
    let status = host.wait_for_status("the end of the check", |status| {
        status["last_check"]["code"] == PSC_ERR_INTERNAL
    });
    // The check's end, not the thread's.
    assert_eq!(status["crash"], Value::Null, "{status}");
    assert_eq!(status["running"], true, "{status}");
    assert!(host.next_check() > 12 * 3600);
    let records = host.quit();
    let errors = records.iter().filter(|(level, _)| *level <= 2).count();
    assert_eq!(errors, 1, "{records:?}");
    assert_eq!(site.server.connections(), 0);
}
