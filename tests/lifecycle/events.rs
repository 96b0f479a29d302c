//! The rows of docs/host-events.md.

use crate::support::{
    assert_one_request, assert_requests, both_ways, checked, checked_but_for_leaks, program,
    succeed, up_to_date,
};
use psc_testkit::{
    LINKS, Link, Site, compile_against, is_root, library, private_dir, require, run,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[test]
fn configuration_test_sends_starts_and_writes_nothing() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let state = private_dir();
        let program = program("configtest", link);
        succeed(Command::new(&program).arg(&config).arg(state.path()));
        succeed(checked(&program).arg(&config).arg(state.path()));
    }
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn daemonize_starts_after_the_last_fork() {
    for link in LINKS {
        let site = Site::start();
        let config = up_to_date(&site, json!({})).to_string();
        succeed(Command::new(program("daemonize", link)).arg(config));
        assert_one_request(&site);
    }
}

#[test]
fn workers_make_one_check_between_them() {
    let site = Site::start();
    let state = private_dir();
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("worker", Link::Static));
    succeed(command.arg(config).arg(state.path()).arg("8"));
    assert_one_request(&site);
}

#[test]
fn a_reload_makes_no_check_of_its_own() {
    let site = Site::start();
    let state = private_dir();
    let config = up_to_date(&site, json!({})).to_string();
    succeed(
        Command::new(program("reload", Link::Shared))
            .arg(config)
            .arg(state.path()),
    );
    // One by the workers, one by the process that stays and has no state directory.
    assert_requests(&site, 2);
}

#[test]
fn a_graceful_stop_begins_in_the_signal_handler() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let program = program("graceful", link);
        for mut command in both_ways(&program) {
            succeed(command.arg(&config));
        }
        succeed(checked(&program).arg(&config));
    }
}

#[test]
fn a_crash_loop_after_the_check_is_no_check_loop() {
    let site = Site::start();
    let state = private_dir();
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("crash", Link::Shared));
    succeed(command.arg(config).arg(state.path()).arg("answered"));
    assert_one_request(&site);
}

#[test]
fn a_crash_loop_during_the_check_is_no_check_loop() {
    let site = Site::start();
    site.server.set_fault("hang");
    let state = private_dir();
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("crash", Link::Shared));
    succeed(command.arg(config).arg(state.path()).arg("sending"));
    assert!(site.server.requests().len() <= 1);
    assert!(site.server.connections() <= 1);
}

#[test]
fn a_started_handle_is_inert_in_a_child() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let program = program("fork", link);
        let state = private_dir();
        succeed(Command::new(&program).arg(&config).arg(state.path()));
        let state = private_dir();
        succeed(checked(&program).arg(&config).arg(state.path()));
    }
    // One by the parent and one by its child, four times.
    assert_requests(&site, 8);
}

#[test]
fn a_fork_during_a_call_leaves_no_child_that_waits() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let state = private_dir();
        let mut command = Command::new(program("fork-calls", link));
        let done = succeed(command.arg(&config).arg(state.path()));
        println!("{}", done.stdout);
    }
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_child_waits_for_no_lock_of_openssl() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let program = program("fork-locks", link);
        succeed(Command::new(program).arg(&config).arg("100"));
    }
    assert_eq!(site.server.connections(), 0);
}

/// In a namespace of its own, whose process ids can be chosen.
#[test]
fn a_grandchild_with_the_starters_process_id_is_not_the_starter() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let mut command = Command::new(require("unshare"));
        if !is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
        succeed(command.arg(program("fork-pid", link)).arg(&config));
    }
}

#[test]
fn a_child_that_returns_from_the_callback_leaves_psc() {
    for how in ["thread", "run", "drain", "status"] {
        for free in [None, Some("free")] {
            for link in LINKS {
                let site = Site::start();
                let config = up_to_date(&site, json!({})).to_string();
                let program = program("fork-callback", link);
                let run = |mut command: Command| {
                    let state = private_dir();
                    command.arg(&config).arg(state.path()).arg(how).args(free);
                    println!("{how} {free:?} {}", succeed(&mut command).stdout);
                };
                run(Command::new(&program));
                // The parent's.
                assert_requests(&site, usize::from(how != "status"));
                if link == Link::Shared {
                    run(checked_but_for_leaks(&program));
                }
            }
        }
    }
}

#[test]
fn a_child_that_closed_every_descriptor_keeps_its_own() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let state = private_dir();
        let mut command = Command::new(program("closed", link));
        succeed(command.arg(&config).arg("child").arg(state.path()));
    }
}

#[test]
fn a_host_that_lost_a_descriptor_of_pscs_keeps_its_own() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for how in ["asleep", "check", "log"] {
        let program = program("descriptors", Link::Shared);
        succeed(Command::new(&program).arg(&config).arg(how));
    }
}

#[test]
fn a_host_that_closed_every_descriptor_is_not_kept_busy() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for how in ["closed", "reopened"] {
        let mut command = Command::new(program("closed", Link::Shared));
        succeed(command.arg(&config).arg(how));
    }
}

/// The program itself must not need libpsc: it would keep the library mapped.
fn unloader() -> PathBuf {
    compile_against(
        &library(),
        "c-tests/lifecycle/unload.c",
        Link::Shared,
        &["-Wl,--as-needed"],
    )
}

fn plugin(link: Link) -> PathBuf {
    let flags = ["-shared", "-fPIC", "-Wl,--exclude-libs,ALL"];
    compile_against(&library(), "c-tests/lifecycle/plugin.c", link, &flags)
}

#[test]
fn nothing_runs_after_an_unload() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        succeed(Command::new(unloader()).arg(&config).arg(plugin(link)));
    }
    let library = library().dir.join("libpsc.so");
    let mut command = Command::new(unloader());
    succeed(command.arg(&config).arg(library).arg("library"));
}

#[test]
fn a_process_may_leave_in_the_middle_of_a_check() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for how in ["free", "atexit", "quick", "waiting", "callback"] {
        for link in LINKS {
            let program = program("exit", link);
            for _ in 0..10 {
                let mut command = Command::new(&program);
                let done = run(command.arg(&config).arg(how), Duration::from_secs(60));
                assert_eq!(
                    (done.code, done.signal),
                    (Some(7), None),
                    "{how} {link:?}: {}",
                    done.stderr
                );
                assert!(
                    done.elapsed < Duration::from_secs(5),
                    "{how}: {:?}",
                    done.elapsed
                );
            }
        }
    }
}

#[test]
fn log_rotation_needs_no_call() {
    let site = Site::start();
    let dir = private_dir();
    let config = up_to_date(&site, json!({})).to_string();
    succeed(
        Command::new(program("logrotate", Link::Shared))
            .arg(config)
            .arg(dir.path()),
    );
    assert_requests(&site, 3);
}

#[test]
fn a_check_needs_no_privileges_and_no_files() {
    for link in LINKS {
        let site = Site::start();
        let private = private_dir();
        let empty = private_dir();
        let names = [
            "ca.pem",
            "update_check_client_cert.pem",
            "update_check_server_pubkey.pem",
        ];
        for name in names {
            let copy = private.path().join(name);
            fs::copy(site.path(name), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let url = site.server.url().replace("localhost", "127.0.0.1");
        let config = up_to_date(
            &site,
            json!({
                // A chroot has no hosts file: an address.
                "url": url,
                "resources_dir": private.path(),
                "certificate_path": private.path().join("ca.pem"),
            }),
        );
        let private = private.keep();
        succeed(
            Command::new(program("privileges", link))
                .arg(config.to_string())
                .arg(&private)
                .arg(empty.path()),
        );
        assert!(!private.exists());
        assert_requests(&site, 2);
    }
}

/// As root alone can.
#[test]
fn a_state_directory_is_made_before_privileges_are_dropped() {
    if !is_root() {
        return psc_testkit::skip("make_state_dir", "needs root");
    }
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let dir = private_dir();
        let mut command = Command::new(program("make-state", link));
        succeed(command.arg(&config).arg(dir.path()));
    }
    assert_requests(&site, 4);
}

/// How often processes that live for a moment say that, in one run of the host.
fn short_lives(config: &Value, state: &Path, phrase: &str) -> String {
    let mut command = Command::new(program("short", Link::Shared));
    command
        .arg(config.to_string())
        .arg(state)
        .args(["50", phrase]);
    succeed(&mut command).stdout.trim().to_owned()
}

/// Each of them lives shorter than the first check's delay.
#[test]
fn processes_that_live_for_a_moment_make_their_check() {
    let site = Site::start();
    let state = private_dir();
    let config = up_to_date(&site, json!({}));
    let said = short_lives(&config, state.path(), "no update found");
    assert_eq!(said, "1");
    assert_one_request(&site);
}

#[test]
fn a_known_update_is_said_once_in_a_run_of_the_host() {
    let site = Site::start();
    let state = private_dir();
    let config = site.config(json!({}));
    let phrase = "security update is available";
    assert_eq!(short_lives(&config, state.path(), phrase), "1");
    // The next run begins with it.
    assert_eq!(short_lives(&config, state.path(), phrase), "1");
    assert_one_request(&site);
}
