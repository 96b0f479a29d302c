//! What the check costs the server: memory and requests.

use std::process::Command;
use std::time::Duration;

use psc_testkit::{long, require, run};

use crate::apache::{Apache, Mpm};
use crate::proc;

#[test]
fn memory_over_gracefuls() {
    let (warm_up, rounds) = if long() { (10, 200) } else { (2, 6) };
    let mut site = Apache::new(Mpm::Event);
    site.processes = 1;
    site.start();
    site.wait_for_line("no update found");
    for _ in 0..warm_up {
        site.again("graceful");
    }
    let before = proc::resident(site.parent());
    for _ in 0..rounds {
        site.again("graceful");
    }
    let after = proc::resident(site.parent());
    println!("number: parent's RSS over {rounds} gracefuls: {before} KiB, {after} KiB");
    let allowed = 1024 + 10 * rounds;
    assert!(after < before + allowed, "from {before} to {after} KiB");
    assert_eq!(site.check.connections(), 1);
    site.finish();
}

#[test]
fn memory_over_requests_for_the_status() {
    let mut site = Apache::new(Mpm::Prefork);
    site.extra =
        "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 1\n".into();
    site.processes = 1;
    site.start();
    site.wait_for_line("no update found");
    let ask = |times: &str| {
        let mut ab = Command::new(require("ab"));
        ab.args(["-q", "-n", times]);
        ab.arg(format!("http://127.0.0.1:{}/psc", site.port));
        let done = run(&mut ab, Duration::from_secs(120));
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    };
    ask("100");
    let child = site.owner();
    let before = proc::resident(child);
    ask("8000");
    let after = proc::resident(child);
    assert!(after < before + 1024, "from {before} to {after} KiB");
    site.finish();
}

struct Load {
    per_second: f64,
    failed: f64,
    /// Nearly all requests took no longer than so many milliseconds.
    slowest_ms: f64,
}

/// As ab counts it; a busy machine makes fewer requests.
fn load(site: &Apache) -> Load {
    // a connection each, and there are some 28,000 ports
    let (seconds, most) = if long() {
        ("10", "8000")
    } else {
        ("2", "3000")
    };
    let mut ab = Command::new(require("ab"));
    ab.args(["-q", "-c", "8", "-t", seconds, "-n", most]);
    ab.arg(format!("http://127.0.0.1:{}/page", site.port));
    let done = run(&mut ab, Duration::from_secs(120));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let field = |name: &str| {
        let line = done.stdout.lines().find(|line| line.starts_with(name));
        let text = line.unwrap_or_else(|| panic!("{name} in\n{}", done.stdout));
        let value = text[name.len()..]
            .split_whitespace()
            .next()
            .expect("a value");
        value.parse::<f64>().expect("a number")
    };
    assert!(!done.stdout.contains("Non-2xx"), "{}", done.stdout);
    assert!(field("Complete requests:") > 0.0, "{}", done.stdout);
    Load {
        per_second: field("Requests per second:"),
        failed: field("Failed requests:"),
        slowest_ms: field("  99%"),
    }
}

/// Close to httpd's defaults: with few threads event itself stalls now and then.
const THREADS: &str = "<IfModule !mpm_prefork_module>\n\
    ThreadsPerChild 25\nMinSpareThreads 50\nMaxSpareThreads 100\nMaxRequestWorkers 100\n\
    </IfModule>\n";

fn checked_site(mpm: Mpm, more: &str) -> Apache {
    let mut site = Apache::new(mpm);
    std::fs::write(site.path("page"), "hello\n").expect("a page");
    site.extra = format!("{THREADS}{more}\n");
    site.check.set_fault("slow");
    site.start();
    site
}

/// In turns, so that what else the machine does counts for both
#[test]
fn a_check_that_runs_fails_and_slows_no_request() {
    for mpm in Mpm::ALL {
        let without = checked_site(mpm, "PscDisableSecurityUpdateCheck On");
        let with = checked_site(mpm, "PscSecurityUpdateCheckTimeout 180");
        with.wait_for_check(1);
        let owner = with.owner();
        let (mut best_without, mut best_with) = (f64::MAX, f64::MAX);
        for round in 1..=3 {
            for (site, best) in [(&without, &mut best_without), (&with, &mut best_with)] {
                let load = load(site);
                assert!(load.failed < 1.0, "{} failed", load.failed);
                *best = best.min(load.slowest_ms);
                let check = if site.port == with.port { "a" } else { "no" };
                println!(
                    "number: {mpm:?}, round {round}, {check} check runs: {:.0} requests/s, 99 % within {} ms",
                    load.per_second, load.slowest_ms
                );
            }
        }
        assert!(
            best_with <= 2.0 * best_without + 10.0,
            "{mpm:?}: 99 % within {best_with} ms, {best_without} ms without a check"
        );
        let ticks = proc::processor_ticks(owner, "psc");
        assert!(ticks < 10, "the check took {ticks} ticks of processor time");
        assert_eq!(with.owner(), owner, "{mpm:?}: it is still the same check");
        assert_eq!(with.check.connections(), 1);
        without.finish();
        with.finish();
    }
}
