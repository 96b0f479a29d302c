//! When the next check is due after something has changed, and that all who tell it tell the same.

use crate::clock::{Clock, DAY, HOUR};
use crate::host::{Host, with_state};
use crate::support::{assert_requests, up_to_date};
use psc::ffi::codes::PSC_ERR_NETWORK;
use psc_testkit::{Site, private_dir};
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use tempfile::TempDir;

/// Nobody listens there.
const NOBODY: &str = "https://127.0.0.1:1/";
const WITHIN_AN_HOUR: RangeInclusive<i64> = HOUR - 100..=HOUR;

fn expect_next_check(host: &mut Host, seconds: RangeInclusive<i64>) {
    host.wait_for_status(&format!("next check in {seconds:?} seconds"), |status| {
        let next = status["next_check"].as_i64();
        next.is_some_and(|next| seconds.contains(&next))
    });
}

fn started(clock: &Clock, config: &Value) -> Host {
    let mut host = Host::with(clock.command(), config);
    host.start();
    host
}

/// What a host leaves that has made its check and found no update.
fn checked(site: &Site, clock: &Clock) -> (TempDir, Value) {
    let state = private_dir();
    let config = with_state(&up_to_date(site, json!({})), state.path());
    let mut host = started(clock, &config);
    host.expect_log("no update found");
    host.quit();
    (state, config)
}

fn of_version(config: &Value, version: &str) -> Value {
    let mut config = config.clone();
    config["passenger_version"] = json!(version);
    config
}

/// It may be a vulnerable one; nobody waits for an hour to know.
#[test]
fn another_version_is_checked_at_its_start() {
    let site = Site::start();
    let clock = Clock::new();
    let (_state, config) = checked(&site, &clock);
    let mut host = started(&clock, &of_version(&config, "6.0.10"));
    host.expect_log("security update is available");
    assert_requests(&site, 2);
    // What is known of each stays.
    let mut first = started(&clock, &config);
    first.wait_for_status("ownership", |status| status["owner"] == true);
    first.wait_for_rest();
    assert_eq!(first.status()["verdict"], "ok");
    assert_eq!(host.status()["verdict"], "update");
    assert_requests(&site, 2);
}

#[test]
fn another_version_at_run_time_is_checked_at_once() {
    let site = Site::start();
    let clock = Clock::new();
    let mut host = started(&clock, &up_to_date(&site, json!({})));
    host.expect_log("no update found");
    let before = host.next_check();
    host.configure(&json!({ "passenger_version": "6.0.10" }));
    host.expect_log("security update is available");
    // And back: that one was asked about already.
    host.configure(&json!({ "passenger_version": "99.0.0" }));
    host.wait_for_status("the first verdict", |status| status["verdict"] == "ok");
    let after = host.next_check();
    assert!((before - 60..=before).contains(&after), "{before} {after}");
    assert_requests(&site, 2);
}

/// Each is a question of its own, and has an owner of its own.
#[test]
fn two_integrations_on_one_directory_are_both_checked() {
    for other in [
        json!({ "server_identifier": "apache" }),
        json!({ "program_name": "Another" }),
    ] {
        let site = Site::start();
        let state = private_dir();
        let clock = Clock::new();
        let config = with_state(&up_to_date(&site, json!({})), state.path());
        let mut first = started(&clock, &config);
        first.expect_log("no update found");
        let mut second = Host::with(clock.command(), &config);
        second.configure(&other);
        assert_eq!(second.status()["verdict"], "never_checked", "{other}");
        second.start();
        second.expect_log("no update found");
        for host in [&mut first, &mut second] {
            host.wait_for_status("ownership", |status| status["owner"] == true);
        }
        assert_requests(&site, 2);
    }
}

/// What was wrong is mended: the wait that it has caused is over.
#[test]
fn another_address_is_asked_an_hour_after_the_last_check() {
    let site = Site::start();
    site.server.set_fault("status-500");
    let state = private_dir();
    let mut clock = Clock::new();
    let mut config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = started(&clock, &config);
    host.expect_log("Security update check failed:");
    assert!(host.next_check() > DAY - 100);
    host.quit();
    // The same again is no reason.
    let mut host = started(&clock, &config);
    host.wait_for_status("ownership", |status| status["owner"] == true);
    host.wait_for_rest();
    assert!(host.next_check() > DAY - 100);
    host.quit();
    site.server.set_fault("");
    config["url"] = json!(format!("{}?", site.server.url()));
    let mut host = started(&clock, &config);
    expect_next_check(&mut host, WITHIN_AN_HOUR);
    clock.pass(HOUR + 60);
    host.expect_log("Security update check");
    assert_requests(&site, 2);
}

#[test]
fn versions_that_take_turns_are_no_check_loop() {
    let site = Site::start();
    site.server.set_fault("hang");
    let state = private_dir();
    let clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = started(&clock, &config);
    assert_requests(&site, 1);
    host.stop();
    host.quit();
    for (turn, version) in ["6.0.10", "99.0.0", "6.0.10", "99.0.0"]
        .into_iter()
        .enumerate()
    {
        let mut host = started(&clock, &of_version(&config, version));
        if turn == 0 {
            assert_requests(&site, 2);
            host.stop();
        } else {
            host.wait_for_status("ownership", |status| status["owner"] == true);
            host.wait_for_rest();
        }
        let next = host.next_check();
        assert!((500..=660).contains(&next), "{next}");
        host.quit();
    }
    assert_requests(&site, 2);
}

/// It may have been sent, so it comes again after ten minutes; not when the other version's would have.
#[test]
fn a_check_of_another_version_that_is_cut_short_is_repeated_soon() {
    let site = Site::start();
    let mut clock = Clock::new();
    let (_state, config) = checked(&site, &clock);
    clock.pass(2 * HOUR);
    site.server.set_fault("hang");
    let mut host = started(&clock, &of_version(&config, "6.0.10"));
    assert_requests(&site, 2);
    host.stop();
    expect_next_check(&mut host, 500..=660);
}

/// The line in the log, the status of each process, and the check itself.
#[test]
fn the_next_check_that_is_told_is_the_one_that_is_made() {
    for state in [None, Some(private_dir())] {
        let site = Site::start();
        let mut clock = Clock::new();
        let mut config = up_to_date(&site, json!({ "url": NOBODY }));
        if let Some(state) = &state {
            config = with_state(&config, state.path());
        }
        let mut host = Host::with(clock.command(), &config);
        host.configure(&json!({ "start_delay": 3000 }));
        host.start();
        expect_next_check(&mut host, 2900..=3000);
        assert_eq!(host.run(), PSC_ERR_NETWORK);
        let (_, line) = host.expect_log("Security update check failed:");
        assert!(
            line.contains("next check in 49 min") || line.contains("next check in 50 min"),
            "{line}"
        );
        expect_next_check(&mut host, 2900..=3000);
        if state.is_some() {
            let mut other = Host::with(clock.command(), &config);
            expect_next_check(&mut other, 2900..=3000);
        }
        clock.pass(2880);
        expect_next_check(&mut host, 20..=120);
        assert_eq!(host.log_lines("failed:").len(), 1);
        clock.pass(130);
        host.expect_log_times("failed:", 2);
    }
}
