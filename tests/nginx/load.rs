//! Row 22: under load no request fails and none gets slow.

use crate::checks::{self, OUTDATED};
use crate::server::{Nginx, SOON, give_to_workers};
use psc_testkit::{Site, compile_preload, long, require, run, wait_until};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

struct Load {
    failed: u64,
    /// Milliseconds per request.
    mean: f64,
}

fn ab(nginx: &Nginx, requests: u32) -> Command {
    let mut command = Command::new(require("ab"));
    command
        .args(["-q", "-c", "8", "-n"])
        .arg(requests.to_string());
    command.arg(format!("http://{}/", nginx.address()));
    command
}

fn load(nginx: &Nginx, requests: u32) -> Load {
    let done = run(&mut ab(nginx, requests), Duration::from_secs(120));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    read(&done.stdout, requests)
}

fn read(report: &str, requests: u32) -> Load {
    assert_eq!(
        number(report, "Complete requests:"),
        Some(requests),
        "{report}"
    );
    let failed = ["Failed requests:", "Write errors:", "Non-2xx responses:"];
    Load {
        failed: failed
            .iter()
            .filter_map(|name| number::<u64>(report, name))
            .sum(),
        mean: number(report, "Time per request:").unwrap_or_else(|| panic!("{report}")),
    }
}

fn number<T: FromStr>(report: &str, name: &str) -> Option<T> {
    let line = report.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn requests() -> u32 {
    if long() { 200_000 } else { 15_000 }
}

/// Two servers, in turns: what else the machine does slows down both. The fastest round counts, the least disturbed one.
#[test]
fn a_check_in_flight_slows_nothing_down() {
    const ROUNDS: u32 = 6;
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.disable("on");
    let without = Nginx::started(&config);
    // Worker 0 is the only one, and its check lasts as long as the load.
    site.server.set_fault("hang");
    config.disable("off").set("timeout", 180);
    let with = Nginx::started(&config);
    checks::wait_for_check(&site);

    let mut fastest = [f64::MAX; 2];
    for _ in 0..ROUNDS {
        for (nginx, fastest) in [&without, &with].into_iter().zip(&mut fastest) {
            let load = load(nginx, requests() / ROUNDS);
            assert_eq!(load.failed, 0);
            *fastest = fastest.min(load.mean);
        }
    }
    assert_eq!(with.log_lines("Security update check"), [] as [String; 0]);
    println!(
        "nginx: of {} requests each took {:.3} ms without a check and {:.3} ms with one that hangs; none failed",
        requests(),
        fastest[0],
        fastest[1],
    );
    assert!(fastest[1] < 2.0 * fastest[0], "{fastest:?}");
    without.end_clean();
    with.end_clean();
}

/// Nobody but psc gives the loop something to do. What is usual takes less than a millisecond; the most that an answer can
/// give, forty long lines, some of them. The machine has other work, too, which only ever adds: what holds the loop up in most
/// rounds is ours.
#[test]
fn records_do_not_hold_the_loop_up() {
    for (what, text, limit) in [
        ("an update", vec!["a line"; 3], 1000),
        ("the longest text", vec![&*"x".repeat(1800); 50], 5000),
    ] {
        let site = Site::start_with_shared_keys();
        site.server.set_advisories(&format!(
            r#"{{"latest":"7.0.0","advisories":[{{"affected":"<7.0.0","fixed_in":"7.0.0","identifiers":["CVE-1"],"text":"{}"}}]}}"#,
            text.join("\\n")
        ));
        let mut longest: Vec<u64> = (0..if long() { 16 } else { 8 })
            .map(|_| longest_turn(&site, text.len().min(40)))
            .collect();
        longest.sort_unstable();
        let usual = longest[longest.len() / 4];
        println!("nginx: {what} holds the event loop for {usual} µs");
        assert!(usual < limit, "{what}: {longest:?}");
    }
}

/// Microseconds between two waits for events.
fn longest_turn(site: &Site, lines: usize) -> u64 {
    let preload = compile_preload("c-tests/preload/turns.c");
    let mut nginx = Nginx::new(&checks::config(site));
    let turns = nginx.path("turns");
    nginx.set_environment("LD_PRELOAD", &preload.display().to_string());
    nginx.set_environment("PSC_TEST_TURNS", &turns.display().to_string());
    nginx.config.set("version", OUTDATED).main = "env PSC_TEST_TURNS;".to_string();
    fs::create_dir(&turns).expect("a directory");
    give_to_workers(&turns);
    nginx.start();
    let worker = nginx.only_worker();
    let records = "Additional security update check information";
    wait_until("all records", SOON, || {
        nginx.log_lines(records).len() >= lines
    });
    // The second request is seen after the turn that wrote them has ended.
    for _ in 0..2 {
        nginx.get("/");
    }
    nginx.end(libc::SIGQUIT);
    let turns = fs::read_to_string(turns.join(worker.to_string())).expect("turns");
    let longest = turns.lines().map(|line| line.parse().expect("a number"));
    longest.max().expect("a turn")
}

#[test]
fn reloads_with_checks_lose_no_request() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    let mut running = Running(
        ab(&nginx, requests())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ab"),
    );
    let mut rounds = 0;
    while running.0.try_wait().expect("wait").is_none() {
        rounds += 1;
        let fault = ["", "forged", "hang"][rounds % 3];
        site.server.set_fault(fault);
        let state = nginx.path(&format!("state-{rounds}"));
        nginx.config.set_path("state_path", &state);
        nginx.reload();
    }
    let report =
        std::io::read_to_string(running.0.stdout.take().expect("a pipe")).expect("a report");
    let done = read(&report, requests());
    let made = site.server.connections();
    println!(
        "nginx: {} requests during {rounds} reloads and {made} checks; failed: {}",
        requests(),
        done.failed
    );
    assert_eq!(done.failed, 0);
    assert!(rounds > 1 && made > 1, "{rounds} reloads, {made} checks");
    nginx.end_clean();
}

/// ab, which must not outlive a test that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
