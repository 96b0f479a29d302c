//! Rows 16 and 19: state that cannot be used, and clocks that jump.

use crate::checks::Checks;
use crate::process;
use crate::server::{Nginx, SOON};
use psc_testkit::{is_root, require, wait_until, write_private};
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

const HOUR: i64 = 3600;
const TEN_YEARS: i64 = 10 * 365 * 24 * HOUR;

#[test]
fn row_16_a_state_directory_that_cannot_be_written_costs_one_line() {
    let checks = Checks::start();
    let mut nginx = Nginx::new(&checks.config());
    let state = nginx.path("state");
    fs::create_dir(&state).expect("a directory");
    fs::set_permissions(&state, Permissions::from_mode(0o555)).expect("chmod");
    nginx.write_config();
    // Root may write anywhere, and nginx would give the directory to its workers.
    let mut command = nginx.command();
    if is_root() {
        nginx.give_to_nobody();
        open_to_all(checks.dir.path());
        command = as_nobody(&command);
    }
    nginx.start_command(&mut command);
    assert_eq!(checks.requests_after(1), 1);
    nginx.wait_for_line("no update found");
    let complaints = nginx.log_lines(&state.display().to_string());
    assert_eq!(complaints.len(), 1, "{}", nginx.log());
    nginx.end_clean();
}

pub fn open_to_all(dir: &Path) {
    fs::set_permissions(dir, Permissions::from_mode(0o755)).expect("chmod");
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        fs::set_permissions(entry.path(), Permissions::from_mode(0o644)).expect("chmod");
    }
}

pub fn as_nobody(command: &Command) -> Command {
    let mut dropped = Command::new(require("setpriv"));
    dropped.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    dropped.arg(command.get_program()).args(command.get_args());
    dropped
}

/// One that psc can use, whatever this process's umask.
pub fn private_directory(path: &Path) {
    let mut private = DirBuilder::new();
    private.mode(0o700).recursive(true);
    private.create(path).expect("a directory");
}

#[test]
fn row_16_garbage_for_a_state_is_no_reason_to_check_often() {
    let checks = Checks::start();
    let mut nginx = Nginx::new(&checks.config());
    for garbage in [
        &b"{\"next_check\":"[..],
        b"",
        b"\xff\xfe\0",
        b"[]",
        b"{\"next_check\":99999999999}",
    ] {
        private_directory(&nginx.path("state"));
        write_private(&nginx.path("state/state.json"), garbage);
        let before = checks.server.requests().len();
        nginx.start();
        assert_eq!(checks.requests_after(before + 1), before + 1);
        nginx.reload();
        nginx.reload();
        assert_eq!(checks.requests_after(before + 1), before + 1);
        nginx.end(libc::SIGQUIT);
    }
    nginx.assert_no_bad_signs();
}

#[test]
fn row_16_a_due_time_years_ahead_is_not_believed() {
    let checks = Checks::start();
    let mut nginx = Nginx::started(&checks.config());
    nginx.wait_for_line("no update found");
    nginx.end(libc::SIGQUIT);
    let file = nginx.path("state/state.json");
    let text = fs::read_to_string(&file).expect("the state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for clock in ["boot", "wall"] {
        let due = state["due"][clock].as_i64().expect("a due time");
        state["due"][clock] = (due + TEN_YEARS).into();
    }
    fs::write(&file, state.to_string()).expect("the state");

    nginx.start();
    assert_eq!(checks.requests_after(2), 2);
    nginx.reload();
    assert_eq!(checks.requests_after(2), 2);
    nginx.end_clean();
}

#[test]
fn without_a_state_each_start_checks_and_no_reload() {
    let checks = Checks::start();
    let mut nginx = Nginx::new(&checks.config());
    nginx.config.set("state_path", "off");
    nginx.start();
    assert_eq!(checks.requests_after(1), 1);
    nginx.wait_for_line("no update found");
    assert_eq!(nginx.status()["verdict"], "ok");
    nginx.reload();
    assert_eq!(checks.requests_after(1), 1);
    nginx.end(libc::SIGQUIT);
    nginx.start();
    assert_eq!(checks.requests_after(2), 2);
    // What was planned for another interval does not count.
    nginx.config.set("interval", "12h");
    nginx.reload();
    assert_eq!(checks.requests_after(3), 3);
    assert!(!nginx.path("state").exists() && !nginx.path("psc").exists());
    nginx.end_clean();
}

#[test]
fn row_06_without_a_state_a_crash_loop_is_no_check_loop() {
    let checks = Checks::start();
    let mut nginx = Nginx::new(&checks.config());
    nginx.config.set("state_path", "off");
    // The usual level, at which nobody writes that there is no update.
    nginx.config.log_level = "error".to_string();
    nginx.start();
    // A second is room enough for the event loop to take the record.
    wait_until("a second after the check", SOON, || {
        let status = nginx.status();
        status["verdict"] == "ok" && status["last_check"]["age"].as_i64() > Some(0)
    });
    kill_workers(&nginx, 6);
    assert_eq!(checks.requests_after(1), 1);
    // Nor is a check sooner than the schedule has it, however often the workers are exchanged.
    let next = nginx.status()["next_check"].as_i64().expect("a plan");
    assert!((3500..27 * HOUR).contains(&next), "{next}");
    nginx.reload();
    kill_workers(&nginx, 1);
    assert_eq!(checks.requests_after(1), 1);
    nginx.end(libc::SIGQUIT);
}

/// The check itself may be what kills the worker.
#[test]
fn row_06_without_a_state_a_check_that_was_begun_is_not_repeated_at_once() {
    let checks = Checks::start();
    checks.server.set_fault("hang");
    let mut nginx = Nginx::new(&checks.config());
    nginx.config.set("state_path", "off");
    nginx.start();
    checks.wait_for_check();
    kill_workers(&nginx, 3);
    let next = nginx.status()["next_check"].as_i64().expect("a plan");
    assert!((540..601).contains(&next), "{next}");
    assert_eq!(checks.server.connections(), 1);
    nginx.end(libc::SIGQUIT);
}

#[test]
fn row_06_a_directory_that_became_unusable_makes_no_check_loop() {
    let checks = Checks::start();
    let mut nginx = Nginx::started(&checks.config());
    nginx.wait_for_line("no update found");
    let state = nginx.path("state");
    fs::remove_dir_all(&state).expect("the state");
    fs::write(&state, "no directory").expect("a file");
    kill_workers(&nginx, 3);
    assert_eq!(checks.requests_after(1), 1);
    nginx.wait_for_line("cannot be used");
    nginx.end(libc::SIGQUIT);
}

/// Kills the worker that checks, again and again; its successor has begun when it has a plan.
pub fn kill_workers(nginx: &Nginx, times: usize) {
    for _ in 0..times {
        let worker = nginx.only_worker();
        process::signal(worker, libc::SIGKILL);
        wait_until("a successor with a plan", SOON, || {
            matches!(nginx.checking()[..], [pid] if pid != worker)
                && nginx.status()["next_check"].is_number()
        });
    }
}

/// What counts is the time since the host's boot, which no clock on the wall changes.
#[test]
fn row_19_a_wall_clock_that_jumps_makes_no_check() {
    let checks = Checks::start();
    let mut nginx = Nginx::started(&checks.config());
    assert_eq!(checks.requests_after(1), 1);
    nginx.end(libc::SIGQUIT);

    for jump in ["+2d", "-2d"] {
        let plain = nginx.command();
        let mut command = Command::new(require("faketime"));
        command
            .args(["--exclude-monotonic", "-f", jump])
            .arg(plain.get_program())
            .args(plain.get_args());
        nginx.start_command(&mut command);
        for _ in 0..3 {
            nginx.reload();
        }
        nginx.wait_for_owner(jump, SOON, |pid| nginx.workers() == [pid]);
        assert_eq!(checks.requests_after(1), 1, "{jump}");
        nginx.end(libc::SIGQUIT);
    }
    nginx.assert_no_bad_signs();
}
