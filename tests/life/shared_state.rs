//! One check per host, however many processes share its state directory.

use crate::clock::{Clock, NEXT_CHECK};
use crate::host::{Host, with_state};
use crate::support::{assert_one_request, assert_requests, program, succeed, up_to_date};
use psc_testkit::{Link, Site, long, private_dir};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

#[test]
fn many_processes_killed_at_random_make_one_check_per_due_time() {
    let site = Site::start();
    let state = private_dir();
    let clock = Clock::new();
    let (processes, due_times) = if long() { (200, 10) } else { (40, 4) };
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("life-state", Link::Shared));
    clock.rule(&mut command);
    succeed(
        command
            .arg(config)
            .arg(state.path())
            .arg(processes.to_string())
            .arg(due_times.to_string()),
    );
    assert_requests(&site, due_times);
}

#[test]
fn twenty_restarts_are_one_check() {
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    for _ in 0..20 {
        let mut host = Host::started(&config);
        host.wait_for_status("a verdict", |status| status["verdict"] == "ok");
        host.quit();
    }
    assert_one_request(&site);
}

/// Whether that process holds the directory's owner lock.
fn becomes_owner(host: &mut Host) {
    host.wait_for_status("ownership", |status| status["owner"] == true);
}

#[test]
fn an_owner_that_is_killed_during_its_check_is_followed() {
    let site = Site::start();
    site.server.set_fault("hang");
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut first = Host::with(clock.command(), &config);
    first.start();
    let arrived = site.server.wait_for_requests(1, Duration::from_secs(30));
    assert_eq!(arrived.len(), 1);
    becomes_owner(&mut first);
    let mut second = Host::with(clock.command(), &config);
    second.start();
    assert_eq!(second.status()["owner"], false);

    first.kill();
    clock.pass(10);
    becomes_owner(&mut second);
    // What was begun is not begun again at once.
    assert!(second.next_check() > 300);
    assert_requests(&site, 1);

    site.server.set_fault("");
    clock.pass(700);
    second.expect_log("no update found");
    assert_requests(&site, 2);
}

#[test]
fn an_owner_that_stops_is_followed() {
    let site = Site::start();
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut first = Host::with(clock.command(), &config);
    first.start();
    first.expect_log("no update found");
    let mut second = Host::with(clock.command(), &config);
    second.start();
    first.stop();
    clock.pass(10);
    becomes_owner(&mut second);
    clock.pass(NEXT_CHECK);
    second.expect_log("no update found");
    assert_requests(&site, 2);
    assert_eq!(first.records("no update found").len(), 1);
}

/// What a status says about the host, as opposed to the process.
fn verdict_of(mut status: Value) -> Value {
    let status = status.as_object_mut().expect("an object");
    for of_process in ["running", "owner", "crash"] {
        status.remove(of_process);
    }
    // Seconds go by between two questions.
    for moving in ["age", "next_check"] {
        status.remove(moving);
    }
    status["last_check"]
        .as_object_mut()
        .expect("an object")
        .remove("age");
    json!(status)
}

#[test]
fn every_process_gives_the_same_verdict() {
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&site.config(json!({})), state.path());
    let mut owner = Host::started(&config);
    owner.expect_log("security update is available");
    let mut other = Host::started(&config);
    let mut idle = Host::new(&config);
    let verdict = verdict_of(owner.status());
    assert_eq!(verdict["verdict"], "update");
    assert_eq!(verdict["recommended_version"], "6.0.20");
    assert_eq!(verdict_of(other.status()), verdict);
    assert_eq!(verdict_of(idle.status()), verdict);
    assert_eq!(
        (
            owner.status()["owner"].clone(),
            other.status()["owner"].clone()
        ),
        (json!(true), json!(false))
    );
    // A check by hand, in any process, counts for all.
    site.server
        .set_advisories(r#"{"latest":"6.0.10","advisories":[]}"#);
    assert_eq!(idle.run(), 0);
    for host in [&mut owner, &mut other, &mut idle] {
        assert_eq!(host.status()["verdict"], "ok");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_are_for_their_owner_alone() {
    let site = Site::start();
    let parent = private_dir();
    let state = parent.path().join("state");
    let config = with_state(&site.config(json!({})), &state);
    let mut command = Host::command();
    // SAFETY: between fork and exec, where umask(2) is allowed: async-signal-safe, cannot fail. In the child alone: this
    // process's mask is the other tests', too.
    unsafe {
        command.pre_exec(|| {
            libc::umask(0);
            Ok(())
        });
    }
    let mut host = Host::with(command, &config);
    host.start();
    host.expect_log("security update is available");
    host.quit();
    assert_eq!(mode(&state), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&state).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["owner.lock", "state.json", "state.lock"]);
}
