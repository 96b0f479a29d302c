//! Rows 16 and 19: state that cannot be used, and clocks that jump.

use crate::checks;
use crate::process;
use crate::server::{Nginx, SOON};
use psc_testkit::{Site, is_root, require, user_id, wait_until, write_private};
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const HOUR: i64 = 3600;
const TEN_YEARS: i64 = 10 * 365 * 24 * HOUR;

#[test]
fn a_state_directory_that_cannot_be_written_is_told_at_the_start() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let state = nginx.path("state");
    fs::create_dir(&state).expect("a directory");
    fs::set_permissions(&state, Permissions::from_mode(0o555)).expect("chmod");
    nginx.write_config();
    // Root may write anywhere. An ordinary user's directory is that user's own, and a mode away from being usable.
    let mut command = nginx.command();
    let mut cure = "chmod u+rwx";
    if is_root() {
        cure = "use a directory below it";
        nginx.give_to_nobody();
        open_to_all(site.dir());
        command = as_nobody(&command);
    }
    nginx.start_command(&mut command);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.wait_for_line("no update found");
    // By the master with the cure, at the level that every nginx writes; and by psc when it begins.
    let complaints = nginx.log_lines(&state.display().to_string());
    assert_eq!(complaints.len(), 2, "{}", nginx.log());
    assert!(
        complaints[0].contains("[error]") && complaints[0].contains(cure),
        "{complaints:?}"
    );
    assert!(complaints[1].contains("[warn]"), "{complaints:?}");
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

/// One that psc can use in a worker, whatever this process's umask.
pub fn private_directory(path: &Path) {
    let mut private = DirBuilder::new();
    private.mode(0o700).recursive(true);
    private.create(path).expect("a directory");
    if is_root() {
        chown(path, Some(user_id("www-data")), None).expect("chown");
    }
}

#[test]
fn garbage_for_a_state_is_no_reason_to_check_often() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    for garbage in [
        &b"{\"next_check\":"[..],
        b"",
        b"\xff\xfe\0",
        b"[]",
        b"{\"next_check\":99999999999}",
    ] {
        private_directory(&nginx.path("state"));
        write_private(&nginx.path("state/state.json"), garbage);
        let before = site.server.requests().len();
        nginx.start();
        assert_eq!(checks::requests_after(&site, before + 1), before + 1);
        nginx.reload();
        nginx.reload();
        assert_eq!(checks::requests_after(&site, before + 1), before + 1);
        nginx.end(libc::SIGQUIT);
    }
    nginx.assert_no_bad_signs();
}

#[test]
fn a_due_time_years_ahead_is_not_believed() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
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
    assert_eq!(checks::requests_after(&site, 2), 2);
    nginx.reload();
    assert_eq!(checks::requests_after(&site, 2), 2);
    nginx.end_clean();
}

#[test]
fn without_a_state_each_start_checks_and_no_reload() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.set("state_path", "off");
    nginx.start();
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.wait_for_line("no update found");
    assert_eq!(nginx.status()["verdict"], "ok");
    nginx.reload();
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end(libc::SIGQUIT);
    nginx.start();
    assert_eq!(checks::requests_after(&site, 2), 2);
    // What was planned for another interval does not count.
    nginx.config.set("interval", "12h");
    nginx.reload();
    assert_eq!(checks::requests_after(&site, 3), 3);
    assert!(!nginx.path("state").exists() && !nginx.path("psc").exists());
    nginx.end_clean();
}

#[test]
fn without_a_state_a_crash_loop_is_no_check_loop() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.set("state_path", "off");
    // The usual level, at which nobody writes that there is no update.
    nginx.config.log_level = "error".to_string();
    nginx.start();
    // A second is room enough for the event loop to take the record.
    wait_until("a second after the check", SOON, || {
        let status = nginx.status();
        status["verdict"] == "ok" && status["last_check"]["age"].as_i64() > Some(0)
    });
    for _ in 0..6 {
        let worker = nginx.only_worker();
        process::signal(worker, libc::SIGKILL);
        wait_until(
            "a successor",
            SOON,
            || matches!(nginx.workers()[..], [pid] if pid != worker),
        );
    }
    // Nor is a check sooner than the schedule has it, however often the workers are exchanged.
    nginx.config.log_level = "info".to_string();
    nginx.reload();
    assert!((11 * HOUR..27 * HOUR).contains(&held_back_for(&nginx, 1)));
    kill_workers(&nginx, 1);
    assert!((11 * HOUR..27 * HOUR).contains(&held_back_for(&nginx, 2)));
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end(libc::SIGQUIT);
}

/// The check itself may be what kills the worker.
#[test]
fn without_a_state_a_check_that_was_begun_is_not_repeated_at_once() {
    let site = Site::start_with_shared_keys();
    site.server.set_fault("hang");
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.set("state_path", "off");
    nginx.config.log_level = "info".to_string();
    nginx.start();
    checks::wait_for_check(&site);
    kill_workers(&nginx, 3);
    assert!((540..601).contains(&held_back_for(&nginx, 3)));
    assert_eq!(site.server.connections(), 1);
    nginx.end(libc::SIGQUIT);
}

#[test]
fn a_directory_that_became_unusable_makes_no_check_loop() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.log_level = "info".to_string();
    nginx.start();
    nginx.wait_for_line("no update found");
    let state = nginx.path("state");
    fs::remove_dir_all(&state).expect("the state");
    fs::write(&state, "no directory").expect("a file");
    kill_workers(&nginx, 3);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end(libc::SIGQUIT);
}

/// What a worker says that follows another one, when no state directory tells when a check is due.
const HELD_BACK: &str = "the next one waits for ";

/// So many seconds, by the `nth` worker that said so.
fn held_back_for(nginx: &Nginx, nth: usize) -> i64 {
    wait_until("a worker that waits", SOON, || {
        nginx.log_lines(HELD_BACK).len() >= nth
    });
    let line = nginx.log_lines(HELD_BACK).remove(nth - 1);
    let (_, seconds) = line.split_once(HELD_BACK).expect("a wait");
    let (seconds, _) = seconds.split_once(' ').expect("a unit");
    seconds.parse().expect("a number")
}

/// Kills the worker that checks, again and again; each time its successor waits.
pub fn kill_workers(nginx: &Nginx, times: usize) {
    let before = nginx.log_lines(HELD_BACK).len();
    for time in 1..=times {
        let worker = nginx.only_worker();
        process::signal(worker, libc::SIGKILL);
        held_back_for(nginx, before + time);
    }
}

/// What counts is the time since the host's boot, which no clock on the wall changes.
#[test]
fn a_wall_clock_that_jumps_makes_no_check() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    assert_eq!(checks::requests_after(&site, 1), 1);
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
        assert_eq!(checks::requests_after(&site, 1), 1, "{jump}");
        nginx.end(libc::SIGQUIT);
    }
    nginx.assert_no_bad_signs();
}
