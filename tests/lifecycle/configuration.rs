//! Run-time configuration takes effect at once; disabled means no network at all.

use crate::clock::{Clock, HOUR, NEXT_CHECK};
use crate::host::Host;
use crate::support::{assert_one_request, assert_requests, preload, program, up_to_date};
use psc::ffi::codes::PSC_DISABLED;
use psc_testkit::{Link, Site, require};
use serde_json::{Value, json};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// A host whose network calls and look-ups are written down.
fn watched(dir: &TempDir) -> Command {
    let mut command = Command::new(require("strace"));
    command
        .args(["-f", "-qq", "-e", "trace=network", "-o"])
        .arg(dir.path().join("calls"))
        .arg("-E")
        .arg(format!("LD_PRELOAD={}", preload("resolver").display()))
        .arg("-E")
        .arg(format!(
            "RESOLVER_LOG={}",
            dir.path().join("names").display()
        ))
        .arg(program("host", Link::Shared));
    command
}

/// System calls that need a network; the pairs of psc's own that wake its thread do not.
fn network_calls(dir: &Path) -> Vec<String> {
    let calls = fs::read_to_string(dir.join("calls")).expect("what strace saw");
    let is_network = |line: &&str| line.contains("socket(") || line.contains("connect(");
    calls
        .lines()
        .filter(is_network)
        .map(str::to_string)
        .collect()
}

#[test]
fn disabled_is_no_look_up_and_no_socket() {
    let site = Site::start();
    let dir = tempdir().unwrap();
    let config = up_to_date(&site, json!({ "disabled": true, "log_level": 7 }));
    let mut host = Host::with(watched(&dir), &config);
    host.start();
    assert_eq!(host.expect_log("disabled").0, 4);
    assert_eq!(host.run(), PSC_DISABLED);
    host.configure(&json!({ "interval": 43_200 }));
    host.stop();
    host.start();
    host.expect_log_times("disabled", 3);
    host.quit();
    assert_eq!(network_calls(dir.path()), Vec::<String>::new());
    assert!(!dir.path().join("names").exists());
    assert_eq!(site.server.connections(), 0);
}

/// The watch sees what there is to see.
#[test]
fn enabled_is_a_look_up_and_a_socket() {
    let site = Site::start();
    let dir = tempdir().unwrap();
    let mut command = watched(&dir);
    command.env("RESOLVER_AGAIN", "check.example");
    let mut config = up_to_date(&site, json!({}));
    config["url"] = json!("https://check.example/");
    let mut host = Host::with(command, &config);
    host.start();
    host.expect_log("Security update check failed:");
    let names = fs::read_to_string(dir.path().join("names")).unwrap();
    assert_eq!(names, "check.example\n");
    host.configure(&json!({ "url": site.server.url() }));
    assert_eq!(host.run(), 0);
    host.quit();
    assert!(!network_calls(dir.path()).is_empty());
}

#[test]
fn enabling_starts_at_once() {
    let site = Site::start();
    let mut host = Host::started(&up_to_date(
        &site,
        json!({ "disabled": true, "log_level": 4 }),
    ));
    host.expect_log("disabled");
    assert_eq!(site.server.connections(), 0);
    host.configure(&json!({ "disabled": false }));
    host.expect_log("no update found");
    assert_one_request(&site);
}

#[test]
fn disabling_cancels_a_check() {
    let site = Site::start();
    site.server.set_fault("hang");
    let mut host = Host::started(&up_to_date(&site, json!({ "log_level": 4 })));
    let arrived = site.server.wait_for_requests(1, Duration::from_secs(30));
    assert_eq!(arrived.len(), 1);
    host.configure(&json!({ "disabled": true }));
    host.expect_log("disabled");
    assert_eq!(host.status()["disabled"], true);
    let records = host.quit();
    let failures = records.iter().filter(|(_, text)| text.contains("failed"));
    assert_eq!(failures.count(), 0, "{records:?}");
    assert_one_request(&site);
}

/// A thread whose check was cancelled by being switched off goes on when it is switched on, as often as that happens.
#[test]
fn switched_off_and_on_again_it_checks_as_before() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(
        clock.command(),
        &up_to_date(&site, json!({ "log_level": 4 })),
    );
    host.start();
    host.expect_log("no update found");
    for times in 1..=2 {
        host.configure(&json!({ "disabled": true }));
        host.expect_log_times("disabled", times);
        // What leaves it off is no news.
        for interval in [43_200, 86_400] {
            host.configure(&json!({ "interval": interval }));
            host.status();
        }
        clock.pass(NEXT_CHECK);
        assert_eq!(host.status()["next_check"], Value::Null);
        host.configure(&json!({ "disabled": false }));
        host.expect_log_times("no update found", times + 1);
    }
    assert_eq!(host.log_lines("disabled").len(), 2);
    assert_requests(&site, 3);
}

/// Many machines that start at once, after a power failure, must not ask at once.
#[test]
fn the_first_check_waits_for_its_delay_and_a_part_of_the_jitter() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
    host.configure(&json!({ "start_delay": 1000 }));
    host.start();
    wait_for_next_check(&mut host, 990..=1000);
    clock.pass(980);
    wait_for_next_check(&mut host, 1..=20);
    assert_eq!(site.server.connections(), 0);
    clock.pass(20);
    host.expect_log("no update found");
    host.quit();

    let mut waits = Vec::new();
    for _ in 0..3 {
        let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
        host.configure(&json!({ "start_delay": 3600, "start_jitter": 86_400 }));
        host.start();
        waits.push(host.next_check());
        host.quit();
    }
    assert!(
        waits.iter().all(|wait| (3500..=90_000).contains(wait)),
        "{waits:?}"
    );
    // One chance in a thousand each that no part of the jitter is drawn.
    assert!(waits.iter().any(|wait| *wait > 3600), "{waits:?}");
    assert_one_request(&site);
}

/// The thread plans anew as soon as it is woken.
fn wait_for_next_check(host: &mut Host, seconds: RangeInclusive<i64>) {
    host.wait_for_status(&format!("next check in {seconds:?} seconds"), |status| {
        let next = status["next_check"].as_i64();
        next.is_some_and(|next| seconds.contains(&next))
    });
}

#[test]
fn a_new_interval_plans_anew() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
    host.start();
    host.expect_log("no update found");
    wait_for_next_check(&mut host, 77_700..=95_040);
    host.configure(&json!({ "interval": 604_800 }));
    wait_for_next_check(&mut host, 544_300..=604_800);
    host.configure(&json!({ "interval": 43_200 }));
    wait_for_next_check(&mut host, 43_100..=47_520);
    assert_one_request(&site);
    clock.pass(14 * HOUR);
    host.expect_log_times("no update found", 2);
    assert_requests(&site, 2);
}

#[test]
fn a_check_in_flight_ends_on_its_own_configuration() {
    let site = Site::start();
    site.server.set_fault("pieces");
    let mut host = Host::started(&up_to_date(&site, json!({ "log_level": 7 })));
    host.expect_log("sending:");
    host.configure(&json!({ "passenger_version": "99.0.1" }));
    host.expect_log("no update found");
    let requests = site.server.wait_for_requests(1, Duration::from_secs(30));
    assert!(requests[0].body.contains("99.0.0"), "{}", requests[0].body);
}

#[test]
fn the_log_level_changes_at_once() {
    let site = Site::start();
    let mut host = Host::new(&up_to_date(&site, json!({ "log_level": 2 })));
    assert_eq!(host.run(), 0);
    assert_eq!(host.log_lines("no update found").len(), 0);
    host.configure(&json!({ "log_level": 3 }));
    assert_eq!(host.run(), 0);
    assert_eq!(host.log_lines("no update found").len(), 1);
}

/// A check that was woken for nothing waits on: it does not keep a processor busy until its answer comes.
#[test]
fn a_new_configuration_during_a_check_costs_next_to_nothing() {
    let site = Site::start();
    site.server.set_fault("hang");
    let mut host = Host::started(&up_to_date(&site, json!({})));
    assert_one_request(&site);
    host.configure(&json!({ "interval": 50_000 }));
    let before = host.processor_ticks();
    thread::sleep(Duration::from_secs(1)); // what is not to happen cannot be awaited
    let ticks = host.processor_ticks() - before;
    assert!(ticks < 15, "{ticks} hundredths of a second");
    host.configure(&json!({ "log_level": 7 }));
    host.quit();
    assert_one_request(&site);
}
