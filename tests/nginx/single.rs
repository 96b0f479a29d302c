//! Row 12: `master_process off`. nginx calls that a mode for development; after a reload it takes no
//! new connections in it, with or without us.

use crate::checks;
use crate::config::Config;
use crate::server::{Nginx, SOON};
use psc_testkit::{Site, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

const DAY: i64 = 24 * 3600;

fn started(site: &Site) -> Nginx {
    let mut config = checks::config(site);
    config.master_process = false;
    config.daemon = true;
    config.log_level = "info".to_string();
    Nginx::started(&config)
}

#[test]
fn a_single_process_checks_and_leaves() {
    let site = Site::start_with_shared_keys();
    let nginx = started(&site);
    assert_eq!(checks::requests_after(&site, 1), 1);
    assert_eq!(
        nginx.wait_for_owner("the process", SOON, |_| true),
        nginx.pid()
    );
    assert_eq!(nginx.status()["running"], true);
    nginx.end_clean();
}

#[test]
fn a_single_process_leaves_a_check_that_hangs() {
    let site = Site::start_with_shared_keys();
    site.server.set_fault("hang");
    let mut nginx = started(&site);
    checks::wait_for_check(&site);
    let elapsed = nginx.end(libc::SIGQUIT);
    assert!(elapsed.as_millis() < 1500, "{elapsed:?}");
    nginx.assert_no_bad_signs();
}

#[test]
fn a_reload_gives_the_running_thread_its_new_configuration() {
    let site = Site::start_with_shared_keys();
    let mut nginx = started(&site);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.wait_for_line("no update found");
    let mut client = Client::of(&nginx);
    let planned = client.status()["next_check"].as_i64().expect("a time");
    assert!(planned < 3 * DAY, "{planned}");

    nginx.config.set("interval", "7d");
    reload(&nginx, "another interval");
    wait_until("another plan", SOON, || {
        client.status()["next_check"].as_i64() > Some(5 * DAY)
    });
    nginx.config.unset("interval");
    reload(&nginx, "no interval any more");
    wait_until("the plan of before", SOON, || {
        client.status()["next_check"].as_i64() < Some(3 * DAY)
    });

    nginx.config.disable("on");
    reload(&nginx, "disabled");
    nginx.wait_for_line("disabled");
    wait_until("nobody's turn", SOON, || nginx.owners().is_empty());
    nginx.config.disable("off");
    reload(&nginx, "enabled again");
    nginx.wait_for_owner("the process", SOON, |pid| pid == nginx.pid());

    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}

#[test]
fn a_reload_can_bring_the_first_configuration_to_check_with() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.master_process = false;
    config.daemon = true;
    config.unset("version").disable("on");
    let mut nginx = Nginx::started(&config);
    assert!(nginx.checking().is_empty());
    nginx.config.set("version", "6.0.10").disable("off");
    nginx.config.log_level = "debug".to_string();
    reload(&nginx, "something to check with");
    nginx.wait_for_owner("the process", SOON, |pid| pid == nginx.pid());
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.wait_for_line("sending:");
    nginx.end_clean();
}

#[test]
fn a_reload_can_change_the_level() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.master_process = false;
    config.daemon = true;
    config.disable("on");
    let mut nginx = Nginx::started(&config);
    nginx.config.disable("off");
    nginx.config.log_level = "debug".to_string();
    reload(&nginx, "another level");
    nginx.wait_for_line("sending:");
    nginx.end_clean();
}

#[test]
fn a_reload_can_take_everything_away() {
    for with_http in [true, false] {
        let site = Site::start_with_shared_keys();
        let mut nginx = started(&site);
        nginx.wait_for_owner("the process", SOON, |pid| pid == nginx.pid());
        let mut bare = Config::bare();
        bare.master_process = false;
        bare.daemon = true;
        nginx.config = bare;
        nginx.write_config();
        if !with_http {
            let text = fs::read_to_string(nginx.conf_file()).expect("nginx.conf");
            let (main, _) = text.split_once("http {").expect("a block");
            fs::write(nginx.conf_file(), main).expect("nginx.conf");
        }
        signal_reload(&nginx, "nothing to check with");
        wait_until("nobody's turn", SOON, || nginx.owners().is_empty());
        nginx.end_clean();
    }
}

/// A connection from before the reloads.
struct Client(BufReader<TcpStream>);

impl Client {
    fn of(nginx: &Nginx) -> Client {
        Client(BufReader::new(nginx.connect()))
    }

    fn status(&mut self) -> serde_json::Value {
        let request = b"GET /psc HTTP/1.1\r\nHost: localhost\r\n\r\n";
        self.0.get_mut().write_all(request).expect("send");
        let mut line = String::new();
        while !line.starts_with('{') {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).expect("an answer"), 0);
        }
        serde_json::from_str(&line).expect("JSON")
    }
}

fn reload(nginx: &Nginx, what: &str) {
    nginx.write_config();
    signal_reload(nginx, what);
}

/// nginx reads the file some time after the signal.
fn signal_reload(nginx: &Nginx, what: &str) {
    let done = |nginx: &Nginx| nginx.log_lines("using the \"epoll\"").len();
    let before = done(nginx);
    let sent = Instant::now();
    nginx.signal(libc::SIGHUP);
    wait_until(what, SOON, || {
        nginx.nudge(sent);
        done(nginx) > before
    });
}
