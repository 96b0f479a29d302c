//! What changes by itself, with time or around httpd, costs the check and never the server; and no load on the server costs
//! the check, nor repeats what is known.

use std::fs;
use std::time::{Duration, Instant};

use psc_testkit::proc::signal;
use psc_testkit::{compile_preload, wait_until};

use crate::apache::{Apache, Mpm, SOON};
use crate::proc;

/// The commands by which an administrator runs httpd, one after the other.
fn assert_can_be_run(site: &mut Apache) {
    let accepted = site.test_config();
    assert_eq!(accepted.code, Some(0), "-t: {}", accepted.stderr);
    site.start();
    for how in ["graceful", "restart"] {
        site.again(how);
    }
    assert!(site.get("/server-status").contains("200 OK"));
    stop_by_command(site);
}

fn stop_by_command(site: &mut Apache) {
    let done = site.apache2(&["-k", "stop"]);
    assert_eq!(done.code, Some(0), "-k stop: {}", done.stderr);
    site.wait_for_the_end();
}

/// httpd leaves altogether when a module refuses its configuration in a restart.
#[test]
fn a_file_that_has_vanished_does_not_end_a_running_httpd() {
    for mpm in [Mpm::Event, Mpm::Prefork] {
        let mut site = Apache::new(mpm);
        site.start();
        site.wait_for_line("no update found");
        let (ca, away) = (site.path("keys/ca.pem"), site.path("keys/away.pem"));
        fs::rename(&ca, &away).expect("rename");
        let refused = site.test_config();
        assert!(
            refused.code != Some(0) && refused.stderr.contains("ca.pem"),
            "{}",
            refused.stderr
        );
        site.forget();
        let before = site.children();
        for (nth, how) in ["graceful", "restart"].into_iter().enumerate() {
            site.signal_apache(how);
            let lines = site.wait_for_lines("No security update checks are made", nth + 1);
            assert!(
                lines[nth].contains("[psc:error]") && lines[nth].contains("ca.pem"),
                "{lines:?}"
            );
        }
        wait_until("new children", SOON, || {
            let now = site.children();
            now.len() >= site.processes && now.iter().all(|pid| !before.contains(pid))
        });
        assert!(site.get("/psc").contains("200 OK"));
        // Cured.
        fs::rename(&away, &ca).expect("rename");
        site.again("graceful");
        site.wait_for_requests(2);
        fs::remove_file(&ca).expect("remove");
        // The command reads the configuration for the process id alone.
        stop_by_command(&mut site);
        let refused = site.apache2(&["-k", "start"]);
        assert!(
            refused.code != Some(0) && refused.stderr.contains("ca.pem"),
            "{}",
            refused.stderr
        );
    }
}

/// The files that psc finds in the resources directory by itself may come and go; the check tells what is missing.
#[test]
fn a_default_file_that_is_missing_costs_the_check_alone() {
    let mut site = Apache::new(Mpm::Event);
    fs::remove_file(site.path("keys/update_check_server_pubkey.pem")).expect("remove");
    assert_can_be_run(&mut site);
    let line = site.wait_for_line("Security update check failed:");
    assert!(line.contains("update_check_server_pubkey.pem"), "{line}");
    assert_eq!(site.check.requests().len(), 0);
}

#[test]
fn an_openssl_that_does_not_work_costs_the_check_alone() {
    let mut site = Apache::new(Mpm::Event);
    let config = site.path("openssl.cnf");
    fs::write(&config, LEGACY_ALONE).expect("a file");
    site.environment
        .push(("OPENSSL_CONF".into(), config.display().to_string()));
    assert_can_be_run(&mut site);
    let line = site.wait_for_line("Security update check failed:");
    assert!(line.contains("OpenSSL"), "{line}");
    assert!(!site.log().contains("forged"), "{}", site.log());
}

/// An openssl.cnf that switches the default provider off.
const LEGACY_ALONE: &str = "openssl_conf = conf\n[conf]\nproviders = providers\n[providers]\nlegacy = legacy\n[legacy]\nactivate = 1\n";

#[test]
fn a_state_directory_that_cannot_be_used_costs_what_it_remembers() {
    let mut site = Apache::new(Mpm::Event);
    let file = site.path("file");
    fs::write(&file, "").expect("a file");
    for path in [site.path("nowhere/state"), file.clone(), file.join("state")] {
        site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", path.display());
        assert_can_be_run(&mut site);
        let line = site.wait_for_line(&format!("the state directory {}", path.display()));
        assert!(line.contains("[psc:error]"), "{line}");
    }
}

/// Thread-local storage comes out of a thread's stack.
#[test]
fn an_httpd_with_much_thread_local_storage_checks() {
    let large = compile_preload("c-tests/preload/large-tls.c");
    for mpm in [Mpm::Event, Mpm::Prefork] {
        let mut site = Apache::new(mpm);
        site.environment
            .push(("LD_PRELOAD".into(), large.display().to_string()));
        site.start();
        site.wait_for_line("no update found");
        site.finish();
    }
}

/// Requests as fast as they are answered, until the time is over; returns how many.
fn rush(site: &Apache, time: Duration, over: impl Fn() -> bool) -> usize {
    let started = Instant::now();
    let mut requests = 0;
    while started.elapsed() < time && !over() {
        requests += usize::from(site.try_get("/nothing"));
    }
    requests
}

/// Children that serve one client each, in a rush: at the start of the server and once a day is once.
#[test]
fn a_known_update_is_told_once_whatever_becomes_of_the_children() {
    for (mpm, more) in [
        (Mpm::Prefork, "MaxConnectionsPerChild 1\n"),
        (Mpm::Event, "MaxConnectionsPerChild 1\n"),
        (
            Mpm::Prefork,
            "MaxConnectionsPerChild 1\nPscSecurityUpdateCheckStatePath off\n",
        ),
    ] {
        let mut site = Apache::new(mpm);
        site.version = "6.0.10".into();
        site.extra = more.into();
        site.start();
        let told = "security update is available";
        site.wait_for_line(told);
        let first = site.children();
        rush(&site, SOON, || {
            first.iter().all(|&pid| !proc::is_alive(pid))
        });
        for how in ["graceful", "restart"] {
            site.again(how);
        }
        let victim = site.checker();
        signal(victim, libc::SIGKILL).expect("the process runs");
        wait_until("another process", SOON, || site.checker() != victim);
        if !more.contains(" off") {
            site.owner();
        }
        assert_eq!(site.wait_for_lines(told, 1).len(), 1, "{}", site.log());
        assert_eq!(site.check.connections(), 1, "{mpm:?} {more}");
        site.stop_by("stop");
        if !more.contains(" off") {
            site.start();
            site.wait_for_lines(told, 2);
            site.stop_by("stop");
        }
    }
}

/// Nor does it keep the check from being made: the delay of the start is waited for once.
#[test]
fn a_check_is_made_in_a_rush() {
    for (mpm, more) in [
        (Mpm::Prefork, ""),
        (Mpm::Event, ""),
        (Mpm::Prefork, "PscSecurityUpdateCheckStatePath off\n"),
    ] {
        let mut site = Apache::new(mpm);
        site.extra =
            format!("MaxConnectionsPerChild 1\nPscSecurityUpdateCheckStartDelay 3 0\n{more}");
        site.start();
        rush(&site, SOON, || site.check.connections() > 0);
        site.wait_for_requests(1);
        site.wait_for_line("no update found");
        site.finish_a_rush();
    }
}

/// Gracefuls that come quicker than the delay do not put it off.
#[test]
fn a_check_is_made_under_frequent_gracefuls() {
    for more in ["", "PscSecurityUpdateCheckStatePath off\n"] {
        let mut site = Apache::new(Mpm::Event);
        site.processes = 1;
        site.extra = format!("PscSecurityUpdateCheckStartDelay 6 0\n{more}");
        site.start();
        let started = Instant::now();
        while site.check.connections() == 0 {
            assert!(
                started.elapsed() < 2 * SOON,
                "{more}: no check\n{}",
                site.log()
            );
            std::thread::sleep(Duration::from_millis(1500));
            site.again("graceful");
        }
        site.finish();
    }
}

/// Whoever writes a .htaccess may set handlers, and the pages tell which hole the server has.
#[test]
fn a_htaccess_publishes_nothing() {
    let mut site = Apache::new(Mpm::Event);
    let open = site.path("open");
    fs::create_dir(&open).expect("a directory");
    fs::write(open.join("page"), "hello\n").expect("a page");
    site.extra = format!(
        "<Directory {}>\nAllowOverride All\n</Directory>\n",
        open.display()
    );
    site.start();
    site.wait_for_line("no update found");
    for handler in ["psc-status", "server-status"] {
        fs::write(open.join(".htaccess"), format!("SetHandler {handler}\n")).expect("a file");
        let page = site.get("/open/page");
        assert!(!page.contains("verdict"), "{page}");
    }
    fs::write(
        open.join(".htaccess"),
        "SetHandler psc-status\nPscStatus On\n",
    )
    .expect("a file");
    let page = site.get("/open/page");
    assert!(
        page.contains("500 Internal") && !page.contains("verdict"),
        "{page}"
    );
    assert!(site.log().contains("PscStatus not allowed here"));
    // In the server's own configuration, for a place or for all.
    assert!(site.get("/psc").contains("verdict"));
    site.finish();
}

/// The process that checks has no part in serving clients: no port, no rights of root's.
#[test]
fn the_process_that_checks_is_a_child_like_the_others() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    let (checker, child) = (site.checker(), site.children()[0]);
    assert_eq!(proc::users(checker), proc::users(child));
    let sockets = |pid| proc::listening(pid);
    assert_ne!(sockets(child), 0);
    assert_eq!(sockets(checker), 0);
    // It leaves with the parent, even one that is killed.
    let parent = site.parent();
    let children = site.children();
    signal(parent, libc::SIGKILL).expect("the process runs");
    wait_until("the end of the process", SOON, || !proc::is_alive(checker));
    for pid in children {
        signal(pid, libc::SIGKILL).ok(); // an error: it has ended already
    }
    site.forget_parent();
}
