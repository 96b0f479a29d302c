//! Rows 3 to 6, 11, 13, 14 and 21: one check for all processes, whatever becomes of them.

use crate::checks;
use crate::process;
use crate::server::{Nginx, SOON, workers_of};
use psc_testkit::{Site, long, wait_until};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

#[test]
fn one_request_and_one_owner() {
    let all = [
        ("1", false),
        ("4", true),
        ("auto", false),
        ("1", true),
        ("4", false),
        ("auto", true),
    ];
    for (workers, with_cache) in if long() { &all[..] } else { &all[..2] } {
        let site = Site::start_with_shared_keys();
        let mut config = checks::config(&site);
        config.workers = workers.to_string();
        if *with_cache {
            // The cache manager and the cache loader are processes like worker 0, nearly.
            config.http = "proxy_cache_path cache keys_zone=z:1m;".to_string();
        }
        let nginx = Nginx::started(&config);
        assert_eq!(
            checks::requests_after(&site, 1),
            1,
            "{workers} workers, cache: {with_cache}"
        );
        let owner = nginx.wait_for_owner("a worker", SOON, |pid| nginx.workers().contains(&pid));
        assert_eq!(nginx.checking(), [owner]);
        nginx.end_clean();
    }
}

/// The web server's version and ours arrive as they are.
#[test]
fn the_request_tells_the_running_server() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    // What means something in JSON is part of a value as well.
    config.set("version", r#"'99.0.0 "b\\c"'"#);
    let nginx = Nginx::started(&config);
    let requests = site.server.wait_for_requests(1, SOON);
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).expect("JSON");
    let mut version = nginx.command();
    let version = psc_testkit::run(version.arg("-v"), SOON).stderr;
    assert_eq!(body["server_integration"], "nginx");
    assert_eq!(body["passenger_version"], r#"99.0.0 "b\c""#);
    assert_eq!(
        format!(
            "nginx version: nginx/{}",
            body["server_version"].as_str().expect("a version")
        ),
        version.trim()
    );
    nginx.end_clean();
}

#[test]
fn and_05_reloads_and_restarts_make_no_check() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    assert_eq!(checks::requests_after(&site, 1), 1);
    for _ in 0..20 {
        nginx.reload();
        assert_eq!(
            process::thread_names(nginx.pid()).len(),
            1,
            "threads of the master"
        );
    }
    for _ in 0..5 {
        nginx.end(libc::SIGQUIT);
        nginx.start();
    }
    let worker = nginx.only_worker();
    nginx.wait_for_owner("the new worker", SOON, |pid| pid == worker);
    let requests = checks::requests_after(&site, 1);
    println!("nginx: requests for 20 reloads and 5 restarts: {requests}");
    assert_eq!(requests, 1);

    nginx.end(libc::SIGQUIT);
    fs::remove_dir_all(nginx.path("state")).expect("the state");
    nginx.start();
    assert_eq!(
        checks::requests_after(&site, 2),
        2,
        "without the state a check is due"
    );
    nginx.end_clean();
}

#[test]
fn a_killed_owner_is_replaced_without_a_check() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.workers = "2".to_string();
    let mut nginx = Nginx::started(&config);
    assert_eq!(checks::requests_after(&site, 1), 1);
    for round in 0..if long() { 10 } else { 2 } {
        let owner = nginx.wait_for_owner("any", SOON, |_| true);
        process::signal(
            owner,
            if round % 2 == 0 {
                libc::SIGKILL
            } else {
                libc::SIGSEGV
            },
        );
        nginx.wait_for_owner("another", Duration::from_secs(65), |pid| pid != owner);
    }
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end(libc::SIGQUIT);
}

#[test]
fn an_upgrade_of_the_program_moves_the_ownership() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    // In the foreground nginx refuses to start itself anew.
    config.daemon = true;
    let nginx = Nginx::started(&config);
    assert_eq!(checks::requests_after(&site, 1), 1);
    let old_owner = nginx.wait_for_owner("the old worker", SOON, |_| true);
    let (second, new_worker) = second_program(&nginx);

    // Given up: the old worker goes on.
    process::signal(second, libc::SIGQUIT);
    wait_until("the end of the second master", SOON, || {
        !process::is_alive(second)
    });
    assert_eq!(nginx.owners(), [old_owner]);
    assert!(!process::is_alive(new_worker));

    // Gone through with: the new worker takes over.
    let (second, new_worker) = second_program(&nginx);
    nginx.signal(libc::SIGWINCH);
    nginx.wait_for_owner("the new worker", Duration::from_secs(65), |pid| {
        pid == new_worker
    });
    nginx.signal(libc::SIGQUIT);
    wait_until("the end of the first master", SOON, || {
        !process::is_alive(nginx.pid())
    });
    assert_eq!(nginx.owners(), [new_worker]);
    assert_eq!(checks::requests_after(&site, 1), 1);

    process::signal(second, libc::SIGQUIT);
    wait_until("the end of the second master", SOON, || {
        !process::is_alive(second)
    });
    nginx.assert_no_bad_signs();
}

/// Starts nginx anew beside itself; tells the new master and its worker.
fn second_program(nginx: &Nginx) -> (process::Pid, process::Pid) {
    let first = nginx.pid();
    nginx.signal(libc::SIGUSR2);
    let master = |pid: &process::Pid| process::title(*pid).starts_with("nginx: master");
    wait_until("a second master with a worker", SOON, || {
        let masters: Vec<_> = process::children(first)
            .into_iter()
            .filter(master)
            .collect();
        masters.len() == 1 && workers_of(masters[0]).len() == 1
    });
    let second = process::children(first)
        .into_iter()
        .find(master)
        .expect("the second master");
    (second, workers_of(second)[0])
}

#[test]
fn a_worker_that_drains_gives_up_the_ownership() {
    let site = Site::start_with_shared_keys();
    let nginx = Nginx::started(&checks::config(&site));
    assert_eq!(checks::requests_after(&site, 1), 1);
    let old = nginx.wait_for_owner("the first worker", SOON, |_| true);

    let mut client = nginx.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\n")
        .expect("half a request");
    // The worker has to have seen it before it is told to leave.
    nginx.get("/");
    nginx.signal(libc::SIGHUP);
    let new = nginx.wait_for_owner("the new worker", Duration::from_secs(65), |pid| pid != old);
    assert!(
        process::is_alive(old),
        "the old worker should still have a client"
    );
    assert_eq!(nginx.workers(), [new]);

    client
        .write_all(b"Host: localhost\r\n\r\n")
        .expect("the other half");
    wait_until("the end of the old worker", SOON, || {
        !process::is_alive(old)
    });
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}

#[test]
fn a_bad_configuration_changes_nothing() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    assert_eq!(checks::requests_after(&site, 1), 1);
    let owner = nginx.wait_for_owner("the worker", SOON, |_| true);

    nginx.config.set("certificate_path", "missing.pem");
    nginx.write_config();
    nginx.signal(libc::SIGHUP);
    nginx.wait_for_line("missing.pem");
    assert_eq!(nginx.owners(), [owner]);
    assert_eq!(nginx.workers(), [owner]);
    assert_eq!(nginx.get("/").body, "hello\n");
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end(libc::SIGQUIT);
}

#[test]
fn the_module_can_go_and_come_back() {
    let other = Path::new("/usr/lib/nginx/modules/ngx_http_echo_module.so");
    assert!(
        other.exists(),
        "{} is missing; install it with `make deps`",
        other.display()
    );
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    assert_eq!(checks::requests_after(&site, 1), 1);

    // Meanwhile another module takes the place among nginx's modules that was ours.
    let with_ours = nginx.config.clone();
    nginx.config = crate::config::Config::bare();
    nginx.config.load_module = false;
    nginx.reload();
    assert_eq!(nginx.owners(), [] as [process::Pid; 0]);
    let load_other = format!("load_module {};", other.display());
    nginx.config.main = load_other.clone();
    nginx.reload();

    nginx.config = with_ours;
    nginx.config.main = load_other;
    nginx.config.http = format!(
        "server {{ listen unix:{}; location / {{ echo_before_body hello; return 204; }} }}",
        nginx.path("echo.sock").display()
    );
    nginx.reload();
    nginx.wait_for_owner("the new worker", SOON, |pid| nginx.workers() == [pid]);
    assert_eq!(nginx.status()["running"], true);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}

#[test]
fn a_state_directory_is_one_schedule() {
    let site = Site::start_with_shared_keys();
    let mut first = Nginx::new(&checks::config(&site));
    first.start();
    let mut second = Nginx::new(&checks::config(&site));
    let shared = first.path("state");
    second.config.set_path("state_path", &shared);
    second.start();
    assert_eq!(
        checks::requests_after(&site, 1),
        1,
        "two servers, one state directory"
    );

    let own = second.path("state");
    second.config.set_path("state_path", &own);
    second.reload();
    assert_eq!(checks::requests_after(&site, 2), 2, "two state directories");
    first.end_clean();
    second.end_clean();
}
