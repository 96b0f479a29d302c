//! What changes by itself, with time or around nginx, costs the check and never the server; and no load on the server costs
//! the check.

use crate::checks::{self, OUTDATED};
use crate::process;
use crate::server::{Nginx, SOON};
use psc_testkit::{Site, compile_preload, run, wait_until};
use std::fs;
use std::time::{Duration, Instant};

/// The commands by which an administrator runs nginx, one after the other, on a configuration that is as good as before.
fn assert_can_be_run(nginx: &mut Nginx) {
    let accepted = nginx.test();
    assert_eq!(accepted.code, Some(0), "-t: {}", accepted.stderr);
    nginx.start();
    nginx.config.http = "server_tokens off;".to_string();
    let old = nginx.only_worker();
    nginx.write_config();
    send(nginx, "reload");
    wait_until(
        "a new worker",
        SOON,
        || matches!(nginx.workers()[..], [pid] if pid != old),
    );
    send(nginx, "reopen");
    send(nginx, "quit");
    nginx.wait_for_the_end();
}

/// `nginx -s`.
fn send(nginx: &Nginx, what: &str) {
    let done = run(nginx.command().args(["-s", what]), SOON);
    assert_eq!(done.code, Some(0), "-s {what}: {}", done.stderr);
}

#[test]
fn a_state_directory_that_cannot_be_used_costs_what_it_remembers() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let file = nginx.path("file");
    fs::write(&file, "").expect("a file");
    for path in [
        nginx.path("nowhere/state"),
        file.clone(),
        file.join("state"),
    ] {
        nginx.config.set_path("state_path", &path);
        assert_can_be_run(&mut nginx);
        let complaint = format!("psc: the state directory {}", path.display());
        let line = nginx.wait_for_line(&complaint);
        assert!(line.contains("[error]"), "{line}");
    }
    nginx.start();
    nginx.wait_for_line("no update found");
    nginx.end_clean();
}

/// The files that psc finds in the resources directory by itself may come and go; the check tells what is missing.
#[test]
fn a_default_file_that_is_missing_costs_the_check_alone() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    fs::remove_file(site.path("update_check_server_pubkey.pem")).expect("remove");
    assert_can_be_run(&mut nginx);
    let line = nginx.wait_for_line("Security update check failed:");
    assert!(line.contains("update_check_server_pubkey.pem"), "{line}");
}

/// `nginx -s` reads the configuration for the pid file's name.
#[test]
fn a_signal_is_sent_whatever_the_directives_say() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    let nowhere = nginx.path("nowhere/state");
    nginx
        .config
        .set("certificate_path", "missing.pem")
        .set("url", "nonsense")
        .set_path("state_path", &nowhere);
    nginx.write_config();
    // Refused by the master, which goes on as before.
    send(&nginx, "reload");
    nginx.wait_for_line("[emerg]");
    assert_eq!(nginx.get("/").status, 200);
    send(&nginx, "stop");
    nginx.wait_for_the_end();
}

/// Thread-local storage comes out of a thread's stack.
#[test]
fn a_worker_with_much_thread_local_storage_checks() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let large = compile_preload("c-tests/preload/large-tls.c");
    nginx.set_environment("LD_PRELOAD", &large.display().to_string());
    nginx.start();
    nginx.wait_for_line("no update found");
    nginx.end_clean();
}

/// At the start of nginx and once a day: neither a reload nor a worker that takes another's place is a start.
#[test]
fn a_known_update_is_told_once() {
    for state in ["on", "off"] {
        let site = Site::start_with_shared_keys();
        let mut nginx = Nginx::new(&checks::config(&site));
        nginx.config.set("version", OUTDATED);
        if state == "off" {
            nginx.config.set("state_path", "off");
        }
        nginx.start();
        let told = "security update is available";
        nginx.wait_for_line(told);
        for _ in 0..3 {
            nginx.reload();
        }
        for _ in 0..3 {
            let worker = nginx.only_worker();
            process::signal(worker, libc::SIGKILL);
            wait_until(
                "a successor",
                SOON,
                || matches!(nginx.workers()[..], [pid] if pid != worker),
            );
        }
        if state == "on" {
            nginx.wait_for_owner("the last worker", SOON, |pid| nginx.workers() == [pid]);
        }
        assert_eq!(checks::requests_after(&site, 1), 1);
        assert_eq!(nginx.log_lines(told).len(), 1, "{}", nginx.log());
        nginx.end(libc::SIGQUIT);
        if state == "on" {
            nginx.start();
            wait_until("the same at the next start", SOON, || {
                nginx.log_lines(told).len() == 2
            });
            nginx.end(libc::SIGQUIT);
        }
    }
}

/// Reloads that come quicker than the start's delay do not put off the first check.
#[test]
fn a_check_is_made_under_frequent_reloads() {
    for state in ["on", "off"] {
        let site = Site::start_with_shared_keys();
        let mut nginx = Nginx::new(&checks::config(&site));
        nginx.config.set("start_delay", 6);
        if state == "off" {
            nginx.config.set("state_path", "off");
        }
        nginx.start();
        let started = Instant::now();
        while site.server.connections() == 0 {
            assert!(
                started.elapsed() < Duration::from_secs(40),
                "state {state}: no check\n{}",
                nginx.log()
            );
            // Time enough for the plan to be known, and not for the delay.
            std::thread::sleep(Duration::from_millis(1500));
            nginx.reload();
        }
        nginx.end(libc::SIGQUIT);
        nginx.assert_no_bad_signs();
    }
}
