//! Time that passes when a test says so: c-tests/preload/clock.c.

use crate::host::{Host, with_state};
use crate::support::{assert_requests, preload, up_to_date};
use psc_testkit::{Site, is_root, private_dir, require};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;
/// More than a day's interval and all of its jitter, less than two.
pub const NEXT_CHECK: i64 = 100_000;

pub struct Clock {
    boot: i64,
    wall: i64,
    file: File,
    dir: TempDir,
}

impl Clock {
    pub fn new() -> Clock {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(dir.path().join("clock"))
            .expect("a clock file");
        let clock = Clock {
            boot: 0,
            wall: 0,
            file,
            dir,
        };
        clock.write();
        clock
    }

    fn write(&self) {
        let bytes = [self.boot.to_ne_bytes(), self.wall.to_ne_bytes()].concat();
        self.file.write_all_at(&bytes, 0).expect("a clock file");
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("clock")
    }

    /// The program lives in this time.
    pub fn rule(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", preload("clock"))
            .env("CLOCK_FILE", self.path());
    }

    pub fn command(&self) -> Command {
        let mut command = Host::command();
        self.rule(&mut command);
        command
    }

    /// Time passes, in suspend or not.
    pub fn pass(&mut self, seconds: i64) {
        self.boot += seconds;
        self.wall += seconds;
        self.write();
    }

    /// The administrator, or NTP, sets the calendar.
    pub fn set_calendar(&mut self, seconds: i64) {
        self.wall += seconds;
        self.write();
    }
}

#[test]
fn a_check_a_day() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
    host.start();
    for day in 1..=4 {
        host.expect_log_times("no update found", day);
        assert_requests(&site, day);
        clock.pass(NEXT_CHECK);
    }
}

#[test]
fn a_long_suspend_is_one_check() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
    host.start();
    host.expect_log("no update found");
    clock.pass(6 * DAY);
    host.expect_log_times("no update found", 2);
    let next = host.next_check();
    assert!(next > 12 * HOUR, "{next}");
    assert_requests(&site, 2);
}

#[test]
fn a_calendar_that_jumps_brings_no_check_and_keeps_none_away() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut host = Host::with(clock.command(), &up_to_date(&site, json!({})));
    host.start();
    host.expect_log("no update found");
    let before = host.next_check();
    for years in [20, -40, 20] {
        clock.set_calendar(years * 365 * DAY);
        let after = host.next_check();
        assert!((before - 60..=before).contains(&after), "{before} {after}");
    }
    assert_requests(&site, 1);
    clock.pass(NEXT_CHECK);
    host.expect_log_times("no update found", 2);
    assert_requests(&site, 2);
}

/// What the machine counts is what both count, whatever a namespace shows.
#[test]
fn a_fresh_check_is_fresh_in_every_time_namespace() {
    if !is_root() {
        return psc_testkit::skip("time_namespace", "needs root");
    }
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let elsewhere = || {
        let program = Host::command();
        let mut command = Command::new(require("unshare"));
        command
            .args(["--time", "--fork", "--kill-child", "--boottime", "864000"])
            .arg(program.get_program());
        command
    };
    for (checks, looks) in [
        (Host::command(), elsewhere()),
        (elsewhere(), Host::command()),
    ] {
        assert_eq!(Host::with(checks, &config).run(), 0);
        let status = Host::with(looks, &config).status();
        assert_eq!(status["verdict"], "ok", "{status}");
        assert!(
            status["age"].as_i64().is_some_and(|age| age < 60),
            "{status}"
        );
    }
}

#[test]
fn without_the_clock_that_counts_suspend_checks_are_made() {
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut command = Host::command();
    command.env("LD_PRELOAD", preload("no-boottime"));
    let mut host = Host::with(command, &config);
    host.configure(&json!({ "start_delay": 1 }));
    host.start();
    host.expect_log("no update found");
    let next = host.next_check();
    assert!(next > 12 * HOUR - 60, "{next}");
    // Another clock's times are compared by the calendar.
    assert_eq!(Host::new(&config).status()["verdict"], "ok");
}
