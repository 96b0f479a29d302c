//! Rows 9, 10 and 24: what arrives in error.log.

use crate::checks::{self, OUTDATED};
use crate::server::Nginx;
use psc_testkit::{Site, demo, long, require, run, wait_until};
use std::fs;
use std::process::Command;
use std::time::Duration;

const PREFIX: &str = "Additional security update check information:";

#[test]
fn a_line_has_the_time_of_the_check() {
    let idle = if long() { 30 } else { 5 };
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.set("start_delay", idle);
    let nginx = Nginx::started(&config);
    // Nothing wakes nginx meanwhile.
    site.server
        .wait_for_requests(1, Duration::from_secs(idle + 15));
    let now = local_seconds("now");
    let line = nginx.wait_for_line("no update found");
    let logged = local_seconds(&line[..19].replace('/', "-"));
    assert!(
        (now - logged).abs() <= 2,
        "checked at {now}, logged at {logged}: {line}"
    );
    nginx.end_clean();
}

/// By the clock on the wall, as nginx writes it.
fn local_seconds(time: &str) -> i64 {
    let mut date = Command::new(require("date"));
    let done = run(date.args(["-d", time, "+%s"]), Duration::from_secs(10));
    done.stdout
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{time}: {}", done.stderr))
}

#[test]
fn the_demo_shows_every_verdict() {
    demo(
        "examples-c/nginx/demo.sh",
        &[
            " [notice] ",
            "no update found",
            "security update is available",
            "forged signature",
            "\"verdict\":\"ok\"",
            "nginx left with code 0",
        ],
    );
}

#[test]
fn levels_become_those_of_nginx() {
    let site = Site::start_with_shared_keys();
    let nginx = Nginx::started(&checks::config(&site));
    assert!(
        nginx
            .wait_for_line("no update found")
            .contains(" [notice] ")
    );
    nginx.end_clean();

    let mut config = checks::config(&site);
    config.set("version", OUTDATED);
    let nginx = Nginx::started(&config);
    let line = nginx.wait_for_line("security update is available");
    assert!(
        line.contains(" [error] ") && line.contains(OUTDATED),
        "{line}"
    );
    nginx.end_clean();
}

#[test]
fn the_level_of_error_log_decides_what_is_made() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.log_level = "error".to_string();
    let nginx = Nginx::started(&config);
    assert_eq!(checks::requests_after(&site, 1), 1);
    wait_until("the end of the check", crate::server::SOON, || {
        nginx.path("state/state.json").exists()
    });
    assert_eq!(nginx.log_lines("no update found"), [] as [String; 0]);
    nginx.end_clean();

    config.log_level = "debug".to_string();
    let nginx = Nginx::started(&config);
    nginx.wait_for_line("sending:");
    nginx.wait_for_line("received:");
    nginx.end_clean();

    config.log_level = "info".to_string();
    config.disable("on");
    let nginx = Nginx::started(&config);
    nginx.wait_for_line("disabled");
    assert!(nginx.checking().is_empty(), "off means no thread");
    nginx.end_clean();
    assert_eq!(site.server.requests().len(), 2);
}

#[test]
fn hostile_text_makes_no_line_of_its_own() {
    let site = Site::start_with_shared_keys();
    let long_text = "x".repeat(100_000);
    let text = format!(
        "first\\n2026/01/01 00:00:00 [alert] 1#1: forged\\u001b[31m\\r\\u0000\\u0085\\u202e%s%n\\n{long_text}"
    );
    site.server.set_advisories(&format!(
        r#"{{"latest":"7.0.0","advisories":[{{"affected":"<7.0.0","fixed_in":"7.0.0","identifiers":["CVE-1"],"text":"{text}"}}]}}"#
    ));
    let mut config = checks::config(&site);
    config.set("version", OUTDATED);
    let mut nginx = Nginx::started(&config);
    nginx.wait_for_line("security update is available");
    nginx.wait_for_line("forged");

    let bytes = fs::read(nginx.path("error.log")).expect("error.log");
    let log = String::from_utf8(bytes).expect("UTF-8 only");
    for line in log.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(is_record_of_now(line), "{line:?}");
        assert!(line.len() < 4096, "{} bytes in a line", line.len());
    }
    let forged: Vec<&str> = log.lines().filter(|line| line.contains("forged")).collect();
    assert!(
        forged.iter().all(|line| line.contains(PREFIX)),
        "{forged:?}"
    );
    assert!(forged[0].contains("%s%n"), "{forged:?}");
    nginx.end(libc::SIGQUIT);
}

/// Starts as a record of nginx's does, and not as the forged one.
fn is_record_of_now(line: &str) -> bool {
    let mut fields = line.split(' ');
    let date = fields.next().unwrap_or_default();
    date.len() == 10 && date.as_bytes()[4] == b'/' && date != "2026/01/01" && line.contains("#")
}

#[test]
fn a_rotated_log_gets_nothing_more() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.set("start_delay", 2);
    let nginx = Nginx::started(&config);
    let old = nginx.path("error.log.1");
    fs::rename(nginx.path("error.log"), &old).expect("rename");
    nginx.signal(libc::SIGUSR1);
    wait_until("a new error.log", crate::server::SOON, || {
        nginx.path("error.log").exists()
    });
    nginx.wait_for_line("no update found");
    assert!(
        !fs::read_to_string(old)
            .expect("the old log")
            .contains("no update found")
    );
    nginx.end_clean();
}
