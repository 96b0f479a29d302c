//! Rows 7 and 8: nobody waits for a check that hangs.

use crate::checks;
use crate::process::{self, Pid};
use crate::server::{Nginx, SOON};
use psc_testkit::{Site, compile_preload, long, wait_until};
use std::time::{Duration, Instant};

/// From the signal to the exit.
const LIMIT: Duration = Duration::from_millis(1500);

#[derive(Clone, Copy, Debug)]
enum Leave {
    Quit,
    Stop,
    Reload,
    /// SIGTERM for the worker alone.
    Worker,
}

const WAYS: [Leave; 4] = [Leave::Quit, Leave::Stop, Leave::Reload, Leave::Worker];

fn leave(nginx: &mut Nginx, way: Leave) -> Duration {
    match way {
        Leave::Quit => nginx.end(libc::SIGQUIT),
        Leave::Stop => nginx.end(libc::SIGTERM),
        Leave::Reload => time_to_exit(nginx.only_worker(), || nginx.signal(libc::SIGHUP)),
        Leave::Worker => {
            let worker = nginx.only_worker();
            time_to_exit(worker, || process::signal(worker, libc::SIGTERM))
        }
    }
}

fn time_to_exit(worker: Pid, send: impl FnOnce()) -> Duration {
    let started = Instant::now();
    send();
    wait_until("the end of the worker", SOON, || !process::is_alive(worker));
    started.elapsed()
}

/// The worker ended by itself: with code 0, and nobody had to kill it.
fn assert_worker_left(nginx: &Nginx, worker: Pid) {
    nginx.wait_for_line(&format!("worker process {worker} exited with code 0"));
    nginx.assert_no_bad_signs();
}

#[test]
fn a_check_that_hangs_holds_nobody_up() {
    for fault in if long() {
        &["hang", "slow"][..]
    } else {
        &["hang"]
    } {
        for way in WAYS {
            let site = Site::start_with_shared_keys();
            site.server.set_fault(fault);
            let mut config = checks::config(&site);
            config.log_level = "info".to_string();
            let mut nginx = Nginx::started(&config);
            let worker = nginx.only_worker();
            checks::wait_for_check(&site);
            let elapsed = leave(&mut nginx, way);
            println!(
                "nginx: from {way:?} to the exit with a check that meets {fault:?}: {elapsed:?}"
            );
            assert!(elapsed < LIMIT, "{way:?}, {fault}: {elapsed:?}");
            assert_worker_left(&nginx, worker);
            // The thread's last record, made when the event loop is over.
            nginx.wait_for_line("Security update check cancelled");
        }
    }
}

#[test]
fn a_name_lookup_that_hangs_holds_nobody_up() {
    let preload = compile_preload("c-tests/preload/slow-resolver.c");
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    // libcurl knows "localhost" by itself.
    config.set("url", "https://checks.psc.test/v1/check.json");
    for round in 0..if long() { 50 } else { 4 } {
        let mut nginx = Nginx::new(&config);
        nginx.set_environment("LD_PRELOAD", &preload.display().to_string());
        let mark = nginx.path("lookup");
        nginx.set_environment("PSC_TEST_LOOKUP_MARK", &mark.display().to_string());
        nginx.config.main = "env PSC_TEST_LOOKUP_MARK;".to_string();
        std::fs::create_dir(&mark).expect("a directory");
        crate::server::give_to_workers(&mark);
        nginx.start();
        let worker = nginx.only_worker();
        wait_until("a name look-up", SOON, || mark.join("begun").exists());
        let way = WAYS[round % WAYS.len()];
        let elapsed = leave(&mut nginx, way);
        assert!(elapsed < LIMIT, "{way:?}: {elapsed:?}");
        assert_worker_left(&nginx, worker);
    }
    assert_eq!(site.server.connections(), 0);
}
