//! Stopping at once, whatever the check is doing. c-tests/lifecycle/stop.c measures and judges.

use crate::support::{both_ways, checked, preload, program, succeed, up_to_date};
use psc_testkit::{LINKS, Link, Site, long, private_dir, require};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

fn trials() -> &'static str {
    if long() { "50" } else { "9" }
}

fn measure(link: Link, config: &str, scenario: &str) {
    for mut command in both_ways(&program("stop", link)) {
        let done = succeed(command.arg(config).arg(scenario).arg(trials()));
        println!("{scenario} {command:?}\n{}", done.stdout);
    }
}

#[test]
fn while_a_look_up_hangs() {
    let site = Site::start();
    let dir = tempdir().unwrap();
    let log = dir.path().join("names");
    fs::write(&log, "").unwrap();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let mut command = Command::new(program("stop", link));
        command
            .env("LD_PRELOAD", preload("resolver"))
            .env("RESOLVER_HANG", "hang.example")
            .env("RESOLVER_LOG", &log);
        let done = succeed(command.arg(&config).arg("resolver").arg(trials()));
        println!("{}", done.stdout);
    }
    assert_eq!(site.server.connections(), 0);
}

/// In a network namespace of its own, with a name server on loopback that never answers.
fn with_silent_name_server(resolv_conf: &Path, program: &Path) -> Command {
    require("ip");
    require("mount");
    let script =
        "ip link set lo up && mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
    let mut command = Command::new(require("unshare"));
    if !psc_testkit::is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--net", "--mount", "sh", "-c", script, "sh"])
        .arg(resolv_conf)
        .arg(program);
    command
}

#[test]
fn while_a_name_server_is_silent() {
    let site = Site::start();
    let dir = tempdir().unwrap();
    let resolv_conf = dir.path().join("resolv.conf");
    fs::write(
        &resolv_conf,
        "nameserver 127.0.0.1\noptions timeout:20 attempts:3\n",
    )
    .unwrap();
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = with_silent_name_server(&resolv_conf, &program("stop", Link::Shared));
    let done = succeed(command.arg(&config).arg("nameserver").arg(trials()));
    println!("{}", done.stdout);
}

#[test]
fn while_it_waits_for_a_connection_a_proxy_or_a_handshake() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for scenario in ["connect", "proxy", "socks", "tls"] {
        measure(Link::Shared, &config, scenario);
    }
    measure(Link::Static, &config, "tls");
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn while_the_server_stalls() {
    for fault in ["handshake-stall", "hang", "hang-head", "hang-body", "slow"] {
        let site = Site::start();
        site.server.set_fault(fault);
        let config = up_to_date(&site, json!({})).to_string();
        println!("{fault}");
        measure(Link::Shared, &config, "server");
        assert!(site.server.connections() > 0);
    }
}

#[test]
fn by_a_storm_of_signals() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let milliseconds = if long() { "20000" } else { "2000" };
    for link in LINKS {
        for mut command in both_ways(&program("stop", link)) {
            let done = succeed(command.arg(&config).arg("signals").arg(milliseconds));
            println!("{}", done.stdout);
        }
    }
}

#[test]
fn from_inside_the_callback() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for scenario in ["reentrant", "request-inside", "free-inside"] {
        for link in LINKS {
            for mut command in both_ways(&program("stop", link)) {
                succeed(command.arg(&config).arg(scenario));
            }
        }
        let mut command = checked(&program("stop", Link::Static));
        succeed(command.arg(&config).arg(scenario));
    }
}

#[test]
fn psc_free_leaves_a_running_callback_its_handle() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for how in ["beside", "late", "inside", "call"] {
        for link in LINKS {
            for mut command in both_ways(&program("free", link)) {
                succeed(command.arg(&config).arg(how));
            }
        }
        succeed(
            checked(&program("free", Link::Shared))
                .arg(&config)
                .arg(how),
        );
    }
}

#[test]
fn although_the_callback_does_not_return() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let program = program("stop", Link::Shared);
    for mut command in both_ways(&program) {
        let done = succeed(command.arg(&config).arg("blocked"));
        println!("{}", done.stdout);
    }
    succeed(checked(&program).arg(&config).arg("blocked"));
}

#[test]
fn although_the_state_directory_is_slow() {
    let site = Site::start();
    let (state, dir) = (private_dir(), tempdir().unwrap());
    let config = up_to_date(&site, json!({})).to_string();
    let mut command = Command::new(program("slow-state", Link::Shared));
    command
        .env("LD_PRELOAD", preload("rename"))
        .env("RENAME_SECONDS", "4")
        .env("RENAME_MARK", dir.path().join("mark"));
    succeed(command.arg(config).arg(state.path()));
}

#[test]
fn no_call_waits_behind_another_ones_files() {
    let site = Site::start();
    let (state, dir) = (private_dir(), tempdir().unwrap());
    let config = up_to_date(&site, json!({})).to_string();
    let program = program("slow-files", Link::Shared);
    let slow = dir.path().join("slow.pem");
    fs::copy(site.path("ca.pem"), &slow).unwrap();
    let mark = dir.path().join("opened");
    let mut command = Command::new(&program);
    command
        .env("LD_PRELOAD", preload("open"))
        .env("OPEN_SLOW", &slow)
        .env("OPEN_SECONDS", "4")
        .env("OPEN_MARK", &mark);
    succeed(command.arg(&config).arg(&mark).arg("configure").arg(&slow));
    let mark = dir.path().join("renamed");
    let mut command = Command::new(&program);
    command
        .env("LD_PRELOAD", preload("rename"))
        .env("RENAME_SECONDS", "4")
        .env("RENAME_MARK", &mark);
    succeed(
        command
            .arg(&config)
            .arg(&mark)
            .arg("state")
            .arg(state.path()),
    );
}

#[test]
fn from_several_threads_at_once() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let program = program("stop", Link::Static);
    let trials = if long() { "200" } else { "40" };
    for mut command in both_ways(&program) {
        succeed(command.arg(&config).arg("several").arg(trials));
    }
}
