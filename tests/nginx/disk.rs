//! Row 16, and the default state path: file systems that nginx alone sees.

use crate::checks;
use crate::server::{Nginx, SOON};
use crate::state::{as_nobody, kill_workers, open_to_all, private_directory};
use psc_testkit::{Site, is_root, mounted, require, run, wait_until};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOUR: i64 = 3600;

/// File systems are mounted for nginx, which then changes its user.
fn needs_root(test: &str) -> bool {
    if !is_root() {
        psc_testkit::skip(
            test,
            "mounting for a server that changes its user needs root",
        );
    }
    is_root()
}

/// Where the installed nginx has its temporary files.
fn default_parent() -> PathBuf {
    let version = run(Command::new(require("nginx")).arg("-V"), SOON).stderr;
    let option = "--http-client-body-temp-path=";
    let path = version
        .split_whitespace()
        .find_map(|word| word.strip_prefix(option));
    let path = Path::new(path.unwrap_or_else(|| panic!("no {option} in {version}")));
    path.parent().expect("a directory").to_owned()
}

#[test]
fn the_default_state_path_is_beside_nginxs_temporary_files() {
    if !needs_root("the_default_state_path_is_beside_nginxs_temporary_files") {
        return;
    }
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.unset("state_path");
    nginx.write_config();
    let parent = default_parent();
    let mount_it = "mount -t tmpfs -o mode=755 psc-test \"$1\"";
    let mut command = mounted(mount_it, &parent, &nginx.command());
    nginx.start_command(&mut command);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.wait_for_line("no update found");

    let seen = format!("/proc/{}/root{}/psc", nginx.pid(), parent.display());
    let state = fs::metadata(&seen).expect("the default state directory");
    let worker = fs::metadata(format!("/proc/{}", nginx.only_worker())).expect("the worker");
    assert_eq!((state.uid(), state.mode() & 0o777), (worker.uid(), 0o700));
    assert!(worker.uid() != 0 && Path::new(&seen).join("state.json").is_file());
    assert_eq!(nginx.log_lines("[warn]"), [] as [String; 0]);
    nginx.end_clean();
}

#[test]
fn a_default_state_path_that_cannot_be_used_is_one_warning() {
    if !needs_root("a_default_state_path_that_cannot_be_used_is_one_warning") {
        return;
    }
    let read_only = "mount -t tmpfs -o mode=755,ro psc-test \"$1\"";
    let roots = "mount -t tmpfs -o mode=755 psc-test \"$1\"";
    for (mount_it, ordinary_user, why) in [
        (read_only, false, "Read-only file system"),
        (roots, true, "Permission denied"),
    ] {
        let site = Site::start_with_shared_keys();
        let mut nginx = Nginx::new(&checks::config(&site));
        nginx.config.unset("state_path");
        nginx.write_config();
        let mut command = nginx.command();
        if ordinary_user {
            nginx.give_to_nobody();
            open_to_all(site.dir());
            command = as_nobody(&command);
        }
        let mut test = mounted(mount_it, &default_parent(), &command);
        let done = run(test.arg("-t"), SOON);
        assert_eq!(done.code, Some(0), "{}", done.stderr);

        let mut command = mounted(mount_it, &default_parent(), &command);
        nginx.start_command(&mut command);
        assert_eq!(checks::requests_after(&site, 1), 1);
        nginx.wait_for_line("no update found");
        let warnings = nginx.log_lines("the state in ");
        assert_eq!(warnings.len(), 1, "{}", nginx.log());
        assert!(
            warnings[0].contains(" [warn] ") && warnings[0].contains(why),
            "{warnings:?}"
        );
        // As with "off".
        nginx.reload();
        assert_eq!(checks::requests_after(&site, 1), 1);
        nginx.end_clean();
    }
}

/// A few pages, all of them taken; what was in the directory is there as well.
const FULL_DISK: &str = "kept=$(mktemp -d); cp -a \"$1/.\" \"$kept\"; \
     mount -t tmpfs -o mode=700,size=64k psc-test \"$1\"; \
     cp -a \"$kept/.\" \"$1\"; rm -r \"$kept\"; chown www-data \"$1\"; \
     dd if=/dev/zero of=\"$1/filler\" bs=4k 2>/dev/null || true";

#[test]
fn a_full_disk_costs_one_line_and_no_check_loop() {
    if !needs_root("a_full_disk_costs_one_line_and_no_check_loop") {
        return;
    }
    for overdue in [false, true] {
        let site = Site::start_with_shared_keys();
        let mut nginx = Nginx::new(&checks::config(&site));
        private_directory(&nginx.path("state"));
        if overdue {
            leave_an_overdue_record(&mut nginx);
        }
        let before = site.server.requests().len();
        nginx.config.log_level = "info".to_string();
        let mut command = mounted(FULL_DISK, &nginx.path("state"), &nginx.command());
        nginx.write_config();
        nginx.start_command(&mut command);
        assert_eq!(checks::requests_after(&site, before + 1), before + 1);
        wait_until("the end of the check", SOON, || {
            nginx.log_lines("no update found").len() == before + 1
        });
        let complaints = nginx.log_lines("the state in ");
        assert_eq!(complaints.len(), 1, "{}", nginx.log());
        assert!(complaints[0].contains("No space left"), "{complaints:?}");
        let status = nginx.status();
        let next = status["next_check"].as_i64().expect("a plan");
        assert!(
            status["verdict"] == "ok" && (12 * HOUR..=27 * HOUR).contains(&next),
            "{status}"
        );

        kill_workers(&nginx, 4);
        assert_eq!(
            checks::requests_after(&site, before + 1),
            before + 1,
            "overdue: {overdue}"
        );
        // None of them has anything to write down before it checks.
        assert_eq!(nginx.log_lines("the state in ").len(), 1);
        nginx.end(libc::SIGQUIT);
    }
}

fn leave_an_overdue_record(nginx: &mut Nginx) {
    nginx.start();
    nginx.wait_for_line("no update found");
    nginx.end(libc::SIGQUIT);
    let file = nginx.path("state/state.json");
    let text = fs::read_to_string(&file).expect("the state");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for moment in ["boot", "wall"] {
        let due = state["due"][moment].as_i64().expect("a due time");
        state["due"][moment] = (due - 48 * HOUR).into();
    }
    fs::write(&file, state.to_string()).expect("the state");
}
