//! One check per host, however many processes share its state directory.

use crate::clock::{Clock, NEXT_CHECK};
use crate::host::{Host, with_state};
use crate::support::{assert_one_request, assert_requests, program, succeed, up_to_date};
use psc::ffi::codes::PSC_ERR_NETWORK;
use psc_testkit::{Link, Site, long, private_dir, write_private};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Nobody listens there.
const NOBODY: &str = "https://127.0.0.1:1/";

/// Requests and due times with so many processes on one directory.
fn killed_at_random(processes: usize, rounds: usize, more: &[&str]) -> (usize, usize) {
    let site = Site::start();
    let state = private_dir();
    let clock = Clock::new();
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("state", Link::Shared));
    clock.rule(&mut command);
    let done = succeed(
        command
            .arg(config)
            .arg(state.path())
            .arg(processes.to_string())
            .arg(rounds.to_string())
            .args(more),
    );
    let due_times = done.stdout.trim().parse().expect("a number");
    (site.server.requests().len(), due_times)
}

#[test]
fn many_processes_killed_at_random_make_one_check_per_due_time() {
    let (processes, rounds) = if long() { (200, 10) } else { (40, 4) };
    assert_eq!(killed_at_random(processes, rounds, &[]), (rounds, rounds));
}

/// What is killed in the middle is not made again before it is due again.
#[test]
fn owners_killed_at_random_make_at_most_one_check_per_due_time() {
    let (processes, rounds) = if long() { (200, 10) } else { (40, 4) };
    let (requests, due_times) = killed_at_random(processes, rounds, &["owner"]);
    println!("{requests} requests in {due_times} due times");
    assert!((rounds..=due_times).contains(&requests));
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
    is_followed(Host::stop);
}

/// It makes no checks, so it must not keep others from them.
#[test]
fn an_owner_that_is_switched_off_is_followed() {
    is_followed(|first| first.configure(&json!({ "disabled": true })));
}

fn is_followed(leave: fn(&mut Host)) {
    let site = Site::start();
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut first = Host::with(clock.command(), &config);
    first.start();
    first.expect_log("no update found");
    let mut second = Host::with(clock.command(), &config);
    second.start();
    leave(&mut first);
    clock.pass(10);
    becomes_owner(&mut second);
    assert_eq!(first.status()["owner"], false);
    clock.pass(NEXT_CHECK);
    second.expect_log("no update found");
    assert_requests(&site, 2);
    assert_eq!(first.log_lines("no update found").len(), 1);
}

/// A cleaner of old files takes the lock away, and another process makes and holds a new one: this one.
#[test]
fn an_owner_whose_lock_was_removed_notices() {
    let site = Site::start();
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = Host::with(clock.command(), &config);
    host.start();
    host.expect_log("no update found");
    becomes_owner(&mut host);
    let new = state.path().join("owner.lock.new");
    let lock = locked(&new);
    fs::rename(&new, state.path().join("owner.lock")).unwrap();
    host.wait_for_status("the loss", |status| status["owner"] == false);
    drop(lock);
    clock.pass(100);
    becomes_owner(&mut host);
}

/// A process that was stopped in the middle of a change holds the record for ever: a check by hand is made all the same, a
/// status and a stop come at once, and what could not be written is written as soon as it can be.
#[test]
fn a_record_that_is_held_for_ever_blocks_nobody() {
    let site = Site::start();
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = Host::with(clock.command(), &config);
    host.configure(&json!({ "url": NOBODY }));
    assert_eq!(host.run(), PSC_ERR_NETWORK);
    host.configure(&json!({ "url": site.server.url() }));
    clock.pass(700);
    let lock = locked(&state.path().join("state.lock"));
    let mut stops: Vec<Duration> = (0..5)
        .map(|_| {
            host.start();
            becomes_owner(&mut host);
            let started = Instant::now();
            host.status();
            host.stop();
            started.elapsed()
        })
        .collect();
    stops.sort();
    // A change waits for half a second.
    assert!(stops[2] < Duration::from_millis(250), "{stops:?}");

    let started = Instant::now();
    assert_eq!(host.run(), 0);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(host.status()["verdict"], "ok");
    host.start();
    becomes_owner(&mut host);
    host.wait_for_rest();
    let warnings = host.log_lines("the state in ");
    assert!(warnings[0].1.contains("cannot be written"), "{warnings:?}");
    for _ in 0..20 {
        // Also at the moments in which the thread tries to write.
        assert_eq!(host.status()["verdict"], "ok");
    }
    let mut other = Host::with(clock.command(), &config);
    assert_eq!(other.status()["verdict"], "never_checked");

    drop(lock);
    other.wait_for_status("the record", |status| status["verdict"] == "ok");
    assert_one_request(&site);
}

/// Killed in the middle of one by hand: the start that follows makes none of its own.
#[test]
fn a_check_by_hand_that_is_killed_is_not_repeated_at_once() {
    let site = Site::start();
    site.server.set_fault("hang");
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let clock = Clock::new();
    let mut host = Host::with(clock.command(), &config);
    host.begin_run();
    assert_one_request(&site);
    host.kill();
    let mut host = Host::with(clock.command(), &config);
    host.configure(&json!({ "log_level": 7 }));
    host.start();
    assert!(host.next_check() > 300);
    host.wait_for_rest();
    assert_eq!(host.log_lines("sending:").len(), 0);
}

/// The owner's lock is not all that keeps two from making one check: who waited for the record looks at it again.
#[test]
fn a_check_that_another_process_has_just_made_is_not_made_again() {
    let site = Site::start();
    let other = Site::start();
    let (state, elsewhere) = (private_dir(), private_dir());
    let mut made = Host::new(&with_state(
        &up_to_date(&other, json!({})),
        elsewhere.path(),
    ));
    assert_eq!(made.run(), 0);
    let clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let lock = locked(&state.path().join("state.lock"));
    let mut host = Host::with(clock.command(), &config);
    host.start();
    host.wait_for_rest();
    let written = |state: &Path| -> Value {
        serde_json::from_slice(&fs::read(state.join("state.json")).unwrap()).unwrap()
    };
    let mut record = written(elsewhere.path());
    // As with this site's keys.
    let asking = private_dir();
    let nobody = up_to_date(&site, json!({ "url": NOBODY }));
    assert_eq!(
        Host::new(&with_state(&nobody, asking.path())).run(),
        PSC_ERR_NETWORK
    );
    record["question"] = written(asking.path())["question"].clone();
    // It was about another server.
    record["begun"] = Value::Null;
    write_private(
        &state.path().join("state.json"),
        record.to_string().as_bytes(),
    );
    drop(lock);
    assert!(host.next_check() > 12 * 3600 - 60);
    host.wait_for_rest();
    assert_eq!(site.server.connections(), 0);
}

/// Makes that file, locked as another process of the host has it.
fn locked(path: &Path) -> File {
    let file = File::create(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    // SAFETY: takes a descriptor that is open and a flag.
    assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
    file
}

/// A server that hangs, and an administrator who restarts: the wait after a check that was cut short stays the first one.
#[test]
fn checks_that_are_cut_short_are_neither_repeated_at_once_nor_counted_as_failures() {
    let site = Site::start();
    site.server.set_fault("hang");
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    for times in 1..=3 {
        let mut host = Host::with(clock.command(), &config);
        host.start();
        assert_requests(&site, times);
        host.stop();
        let next = host.next_check();
        assert!((500..=660).contains(&next), "{next}");
        assert_eq!(host.status()["last_check"], Value::Null);
        host.start();
        host.quit();
        clock.pass(700);
    }
    assert_requests(&site, 3);
}

/// The waits of docs/protocol.md, When the next check is due, as the thread and psc_run_once come to them together.
#[test]
fn a_network_that_fails_is_asked_less_and_less_often() {
    let site = Site::start();
    let state = private_dir();
    let mut host = Host::new(&with_state(&up_to_date(&site, json!({})), state.path()));
    for _ in 0..2 {
        host.configure(&json!({ "url": NOBODY }));
        for wait in [600, 3600, 21_600, 86_400, 86_400] {
            assert_eq!(host.run(), PSC_ERR_NETWORK);
            let next = host.next_check();
            assert!((wait - 60..=wait + wait / 10).contains(&next), "{next}");
        }
        host.configure(&json!({ "url": site.server.url() }));
        assert_eq!(host.run(), 0);
    }
}

/// It moves from one directory to the other: one schedule, one owner each.
#[test]
fn a_new_state_directory_is_owned_and_the_old_one_given_away() {
    let site = Site::start();
    let (old, new) = (private_dir(), private_dir());
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), old.path());
    let mut first = Host::with(clock.command(), &config);
    first.start();
    first.expect_log("no update found");
    first.configure(&json!({ "state_dir": new.path() }));
    let mut second = Host::with(clock.command(), &config);
    second.start();
    clock.pass(10);
    becomes_owner(&mut second);
    let mut third = Host::with(clock.command(), &with_state(&config, new.path()));
    third.start();
    clock.pass(100);
    becomes_owner(&mut first);
    assert_eq!(third.status()["owner"], false);
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
