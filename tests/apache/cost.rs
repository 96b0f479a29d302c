//! What the check costs the server: memory and requests.

use std::process::Command;
use std::time::Duration;

use psc_testkit::{long, require, run};

use crate::apache::{Apache, Mpm};
use crate::facts;

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
    let before = facts::resident(site.parent());
    for _ in 0..rounds {
        site.again("graceful");
    }
    let after = facts::resident(site.parent());
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
    let before = facts::resident(child);
    ask("8000");
    let after = facts::resident(child);
    assert!(after < before + 1024, "from {before} to {after} KiB");
    site.finish();
}

/// Requests a second and the failed ones, as ab counts them; a busy machine makes fewer of them.
fn load(site: &Apache) -> (f64, f64) {
    // a connection each, and there are some 28,000 ports
    let (seconds, most) = if long() {
        ("10", "12000")
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
    (field("Requests per second:"), field("Failed requests:"))
}

/// Close to httpd's defaults: with few threads event itself stalls now and then.
const THREADS: &str = "<IfModule !mpm_prefork_module>\n\
    ThreadsPerChild 25\nMinSpareThreads 50\nMaxSpareThreads 100\nMaxRequestWorkers 100\n\
    </IfModule>\n";

/// row 22
#[test]
fn row22_no_request_fails_while_a_check_runs() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        std::fs::write(site.path("page"), "hello\n").expect("a page");
        site.extra = format!("{THREADS}PscDisableSecurityUpdateCheck On\n");
        site.start();
        let (without, failed) = load(&site);
        assert!(failed < 1.0, "{failed} failed");

        site.extra = format!("{THREADS}PscSecurityUpdateCheckTimeout 180\n");
        site.check.set_fault("slow");
        site.again("restart");
        site.wait_for_check(1);
        let (with, failed) = load(&site);
        assert!(failed < 1.0, "{failed} failed");
        let children = site.children();
        let ticks: u64 = children
            .into_iter()
            .map(|pid| facts::processor_ticks(pid, "psc"))
            .sum();
        assert!(ticks < 10, "the check took {ticks} ticks of processor time");
        println!(
            "number: {mpm:?}: {without:.0} requests/s without, {with:.0} requests/s during a check; none failed"
        );
        site.finish();
    }
}
