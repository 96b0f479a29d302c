//! Row 22: under load no request fails and none gets slow.

use crate::checks::Checks;
use crate::server::Nginx;
use psc_testkit::{long, require, run};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Load {
    failed: u64,
    /// Nearly all requests took no longer than so many milliseconds.
    slowest_ms: u64,
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
        Some(u64::from(requests)),
        "{report}"
    );
    let failed = ["Failed requests:", "Write errors:", "Non-2xx responses:"];
    Load {
        failed: failed.iter().filter_map(|name| number(report, name)).sum(),
        slowest_ms: number(report, "  99%").unwrap_or_else(|| panic!("{report}")),
    }
}

fn number(report: &str, name: &str) -> Option<u64> {
    let line = report.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}

fn requests() -> u32 {
    if long() { 200_000 } else { 15_000 }
}

#[test]
fn row_22_a_check_in_flight_slows_nothing_down() {
    let checks = Checks::start();
    let mut config = checks.config();
    config.disable("on");
    let nginx = Nginx::started(&config);
    let without = load(&nginx, requests());
    nginx.end_clean();

    // Worker 0 is the only one, and its check lasts as long as the load.
    checks.server.set_fault("hang");
    config.disable("off").set("timeout", 180);
    let nginx = Nginx::started(&config);
    checks.wait_for_check();
    let with = load(&nginx, requests());
    assert_eq!(nginx.log_lines("Security update check"), [] as [String; 0]);
    nginx.end_clean();

    println!(
        "nginx: 99 % of {} requests within {} ms without a check and {} ms with one that hangs; failed: {} and {}",
        requests(),
        without.slowest_ms,
        with.slowest_ms,
        without.failed,
        with.failed
    );
    assert_eq!((without.failed, with.failed), (0, 0));
    // The machine has other work, too; a worker that waited for the check would answer nothing at all.
    assert!(with.slowest_ms < without.slowest_ms + 250);
}

#[test]
fn row_22_reloads_with_checks_lose_no_request() {
    let checks = Checks::start();
    let mut nginx = Nginx::started(&checks.config());
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
        checks.server.set_fault(fault);
        let state = nginx.path(&format!("state-{rounds}"));
        nginx.config.set_path("state_path", &state);
        nginx.reload();
    }
    let report =
        std::io::read_to_string(running.0.stdout.take().expect("a pipe")).expect("a report");
    let done = read(&report, requests());
    let made = checks.server.connections();
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
