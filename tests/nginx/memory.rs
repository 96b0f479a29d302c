//! Memory over reloads, under valgrind.

use crate::checks;
use crate::module::module_with_shared_library;
use crate::process;
use crate::server::{Nginx, SOON};
use psc_testkit::{Calls, Site, long, require, wait_until};
use std::process::Command;

/// The first reloads fill what is kept for the next ones.
const WARM_UP: usize = 10;

#[test]
fn memory_of_the_master_stays_flat_over_reloads() {
    let reloads = if long() { 200 } else { 20 };
    let site = Site::start_with_shared_keys();
    let nginx = Nginx::started(&checks::config(&site));
    let grown = growth(&nginx, reloads);
    println!("nginx: the master's memory grew by {grown} kB over {reloads} reloads");
    assert!(grown < 1024, "{grown} kB");
    nginx.end_clean();
}

/// The master's part of it, exactly: a configuration takes its handle with it.
#[test]
fn each_handle_is_freed_by_who_made_it() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.load_module = false;
    let mut nginx = Nginx::new(&config);
    let calls = Calls::in_file(&nginx.path("calls"));
    for (name, value) in calls.environment() {
        nginx.set_environment(&name, &value);
    }
    nginx.config.main = format!(
        "load_module {}; env PSC_CALLS;",
        module_with_shared_library().display()
    );
    site.server.set_fault("hang");
    nginx.start();
    checks::wait_for_check(&site);
    let master = nginx.pid();
    for _ in 0..3 {
        nginx.reload();
        assert_eq!(calls.kept_by(master), 1);
    }
    nginx.end(libc::SIGQUIT);
    assert_eq!(calls.kept_by(master), 0, "{:?}", calls.all());
    let started = calls.of("psc_start");
    assert_eq!(started.len(), 4, "{started:?}");
    let stopped = calls.of("psc_stop");
    for worker in started {
        assert_ne!(worker.pid, master);
        assert!(stopped.iter().any(|call| call.pid == worker.pid));
    }
    nginx.assert_no_bad_signs();
}

fn growth(nginx: &Nginx, reloads: usize) -> i64 {
    for _ in 0..WARM_UP {
        nginx.reload();
    }
    let before = process::memory_kb(nginx.pid(), "VmRSS");
    for _ in 0..reloads {
        nginx.reload();
    }
    process::memory_kb(nginx.pid(), "VmRSS") - before
}

/// nginx itself leaves memory behind at its exit; nothing of ours may be among it. Whose it is shows at either end of a
/// stack: libcurl's allocations are deep below psc's thread.
#[test]
fn valgrind_finds_nothing_of_ours_in_a_single_process() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.master_process = false;
    let mut nginx = Nginx::new(&config);
    nginx.write_config();
    let plain = nginx.command();
    let mut command = Command::new(require("valgrind"));
    command
        .args(["--quiet", "--error-exitcode=99", "--fair-sched=yes"])
        .args(["--leak-check=full", "--errors-for-leak-kinds=none"])
        .arg("--num-callers=200")
        .arg(plain.get_program())
        .args(plain.get_args());
    nginx.start_command(&mut command);
    site.server.wait_for_requests(1, 4 * SOON);
    wait_until("the end of the check", 4 * SOON, || {
        !nginx.log_lines("no update found").is_empty()
    });
    assert!(nginx.status().is_object());
    nginx.end(libc::SIGQUIT);

    let output = std::fs::read_to_string(nginx.path("output")).expect("valgrind's output");
    assert!(
        leaks(&output).any(|leak| leak.contains("ngx_alloc")),
        "valgrind has looked: {output}"
    );
    let ours: Vec<&str> = leaks(&output).filter(|leak| is_ours(leak)).collect();
    assert_eq!(ours, [] as [&str; 0]);
}

/// Each with its stack.
fn leaks(output: &str) -> impl Iterator<Item = &str> {
    output
        .split("== \n")
        .filter(|record| record.contains(" in loss record "))
}

/// A frame in the module: a function of its own or of libpsc.a, or nameless with the file's name.
fn is_ours(leak: &str) -> bool {
    leak.contains("psc")
}
