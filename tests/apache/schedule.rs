//! One check a day, however many processes, restarts and crashes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use psc_testkit::{is_root, long, wait_until};

use crate::apache::{Apache, Foreground, Mpm, SOON, bytes, signal};
use crate::facts;

/// row 3
#[test]
fn row03_one_request_and_one_owner() {
    for mpm in Mpm::ALL {
        for processes in if long() { vec![1, 4, 16] } else { vec![1, 4] } {
            let mut site = Apache::new(mpm);
            site.processes = processes;
            site.start();
            site.wait_for_requests(1);
            site.wait_for_line("no update found");
            let owner = site.owner();
            assert!(
                site.children().contains(&owner),
                "{mpm:?}: the owner is a child"
            );
            assert_eq!(
                site.check.connections(),
                1,
                "{mpm:?} with {processes} processes"
            );
            assert_eq!(
                facts::threads(site.parent()),
                1,
                "{mpm:?}: no thread in the parent"
            );
            site.finish();
        }
    }
}

/// row 3
#[test]
fn row03_the_thread_takes_no_signals() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.start();
        let masks = facts::blocked_signals(site.owner(), "psc");
        assert_eq!(masks.len(), 1, "{mpm:?}");
        for number in [
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGUSR1,
            libc::SIGWINCH,
            libc::SIGINT,
        ] {
            assert_ne!(
                masks[0] & (1 << (number - 1)),
                0,
                "{mpm:?}: signal {number} is open"
            );
        }
        site.finish();
    }
}

fn many_restarts(mpm: Mpm, gracefuls: usize, restarts: usize) {
    let mut site = Apache::new(mpm);
    site.start();
    site.wait_for_requests(1);
    site.wait_for_line("no update found");
    for _ in 0..gracefuls {
        site.again("graceful");
    }
    for _ in 0..restarts {
        site.again("restart");
    }
    site.owner();
    let requests = site.check.requests().len();
    println!(
        "number: {mpm:?}: {gracefuls} gracefuls and {restarts} restarts: {requests} request(s)"
    );
    assert_eq!((requests, site.check.connections()), (1, 1));
    assert_eq!(facts::threads(site.parent()), 1);
    site.finish();
}

/// row 4
#[test]
fn row04_event_graceful_20_times_restart_5_times() {
    many_restarts(Mpm::Event, 20, 5);
}

/// row 4
#[test]
fn row04_worker_graceful_and_restart() {
    if long() {
        many_restarts(Mpm::Worker, 20, 5)
    } else {
        many_restarts(Mpm::Worker, 2, 1)
    }
}

/// row 4
#[test]
fn row04_prefork_graceful_and_restart() {
    if long() {
        many_restarts(Mpm::Prefork, 20, 5)
    } else {
        many_restarts(Mpm::Prefork, 2, 1)
    }
}

/// row 5
#[test]
fn row05_stop_and_start_remember() {
    let mut site = Apache::new(Mpm::Event);
    for _ in 0..if long() { 5 } else { 3 } {
        site.start();
        site.wait_for_line("no update found");
        site.owner();
        site.stop_by("stop");
    }
    assert_eq!(site.check.connections(), 1);
    fs::remove_file(site.state().join("state.json")).expect("a state file");
    site.start();
    site.wait_for_requests(2);
    site.finish();
}

/// row 6
#[test]
fn row06_a_killed_owner_is_replaced_without_a_new_check() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    for round in 0..if long() { 10 } else { 2 } {
        let owner = site.owner();
        signal(
            owner,
            if round % 2 == 0 {
                libc::SIGKILL
            } else {
                libc::SIGSEGV
            },
        );
        wait_until("the end of the owner", SOON, || !facts::is_alive(owner));
        let limit = Duration::from_secs(65);
        wait_until("another owner", limit, || {
            site.owners().first().is_some_and(|&now| now != owner)
        });
    }
    assert_eq!(site.check.connections(), 1);
    site.stop_by("stop");
}

/// row 13
#[test]
fn row13_a_draining_child_gives_the_lock_away() {
    let mut site = Apache::new(Mpm::Event);
    site.processes = 1;
    site.start();
    site.wait_for_line("no update found");
    let old = site.owner();
    let client = client_that_does_not_read(&site);

    site.again("graceful");
    let limit = Duration::from_secs(65);
    wait_until("an owner of the new generation", limit, || {
        site.owners().first().is_some_and(|&now| now != old)
    });
    assert!(
        facts::is_alive(old),
        "the old child still serves its client"
    );
    assert!(
        facts::blocked_signals(old, "psc").is_empty(),
        "and does not check any more"
    );
    assert_eq!(site.check.connections(), 1);
    drop(client);
    wait_until("the end of the old child", SOON, || !facts::is_alive(old));
    site.finish();
}

/// row 13: nor is the election held up by it
#[test]
fn row13_a_draining_child_without_a_state_directory() {
    let mut site = Apache::new(Mpm::Event);
    site.processes = 1;
    site.extra = "PscSecurityUpdateCheckStatePath off\n".into();
    site.start();
    site.wait_for_line("no update found");
    let old = site.children()[0];
    let client = client_that_does_not_read(&site);
    site.again("graceful");
    // said by a child of the new generation that was elected
    site.wait_for_line(HELD_BACK);
    assert!(
        facts::is_alive(old),
        "the old child still serves its client"
    );
    drop(client);
    site.finish();
}

/// Keeps a child busy.
fn client_that_does_not_read(site: &Apache) -> TcpStream {
    fs::write(site.path("large"), vec![b'x'; 32 << 20]).expect("a large file");
    let mut client = TcpStream::connect(("127.0.0.1", site.port)).expect("a connection");
    client
        .write_all(b"GET /large HTTP/1.0\r\n\r\n")
        .expect("a request");
    client.read_exact(&mut [0; 1]).expect("the first byte");
    client
}

/// row 16
#[test]
fn row16_a_state_directory_of_somebody_else() {
    let mut site = Apache::new(Mpm::Event);
    // as root it is root's and not www-data's; for anybody else /usr is
    let foreign = if is_root() {
        site.path("run")
    } else {
        "/usr".into()
    };
    let entries = || fs::read_dir(&foreign).expect("the directory").count();
    let before = entries();
    site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", foreign.display());
    site.start();
    site.wait_for_requests(1);
    site.wait_for_line("no update found");
    let lines = site.wait_for_lines("the state directory", 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("does not belong to the server's user"),
        "{lines:?}"
    );
    assert_eq!(site.check.connections(), 1, "one child checks, not each");
    site.stop_by("stop");
    assert_eq!(entries(), before);
    site.assert_clean_log();
}

/// row 16
#[test]
fn row16_a_state_path_that_is_no_directory() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    // a link to a directory that would do, and a file
    let (link, file) = (site.path("link"), site.path("file"));
    std::os::unix::fs::symlink(site.state(), &link).expect("a link");
    fs::write(&file, "").expect("a file");
    for path in [link, file] {
        site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", path.display());
        site.again("graceful");
        let line = site.wait_for_line(&format!("the state directory {}", path.display()));
        assert!(line.contains("is not a directory"), "{line}");
    }
    site.finish();
}

/// row 16
#[test]
fn row16_a_state_directory_that_cannot_be_made() {
    let mut site = Apache::new(Mpm::Prefork);
    site.extra = "PscSecurityUpdateCheckStatePath /proc/psc-state\n".into();
    site.start();
    site.wait_for_requests(1);
    site.wait_for_line("no update found");
    let lines = site.wait_for_lines("the state directory", 1);
    assert!(
        lines[0].contains("/proc/psc-state cannot be made"),
        "{lines:?}"
    );
    site.again("graceful");
    assert_eq!(site.check.connections(), 1);
    site.finish();
}

fn shift_due(file: &Path, seconds: i64) {
    let mut state: serde_json::Value =
        serde_json::from_slice(&bytes(file)).expect("the state as JSON");
    for clock in ["boot", "wall"] {
        let due = &mut state["due"][clock];
        *due = (due.as_i64().expect("a due time") + seconds).into();
    }
    fs::write(file, state.to_string()).expect("a state file");
}

/// row 16
#[test]
fn row16_a_due_time_ten_years_ahead() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    site.stop_by("stop");
    shift_due(&site.state().join("state.json"), 3650 * 86_400);
    site.start();
    let status = site.get("/psc");
    let body = status.split_once("\r\n\r\n").expect("a response").1;
    let status: serde_json::Value = serde_json::from_str(body).expect("JSON");
    let next = status["next_check"].as_i64().unwrap_or(0);
    assert!(next <= 7 * 86_400, "{status}");
    assert!(site.check.connections() <= 2);
    site.finish();
}

/// row 16
#[test]
fn row16_a_state_file_of_garbage() {
    for garbage in ["", "{", "\0\0\0\0", "[[[[[[[["] {
        let mut site = Apache::new(Mpm::Event);
        site.start();
        site.wait_for_line("no update found");
        site.stop_by("stop");
        fs::write(site.state().join("state.json"), garbage).expect("a state file");
        // psc's warning comes through where httpd writes warnings
        site.extra = "LogLevel psc:warn\n".into();
        site.start();
        site.wait_for_requests(2);
        let line = site.wait_for_line("it is replaced");
        assert!(line.contains("[psc:warn]"), "{line}");
        site.finish();
        if !long() {
            break;
        }
    }
}

/// row 16
#[test]
fn row16_a_state_directory_that_turns_read_only_or_full() {
    if !is_root() {
        return psc_testkit::skip("row16", "a small file system needs root");
    }
    let mut site = Apache::new(Mpm::Event);
    let small = site.path("small");
    fs::create_dir(&small).expect("a directory");
    fs::set_permissions(&small, fs::Permissions::from_mode(0o755)).expect("permissions");
    let mount = SmallFileSystem::mount(&small);
    site.extra = format!(
        "PscSecurityUpdateCheckStatePath {}\n",
        small.join("state").display()
    );
    site.start();
    site.wait_for_line("no update found");
    fs::write(small.join("fill"), vec![0; 1 << 20]).expect_err("a full file system");
    site.again("restart");
    wait_until("the new owner", SOON, || {
        !facts::lock_holders(&small.join("state/owner.lock")).is_empty()
    });
    assert_eq!(site.check.connections(), 1);

    site.stop_by("stop");
    mount.read_only();
    site.start();
    site.wait_for_line("cannot be written");
    // nobody remembers now: one more, from one child
    site.wait_for_requests(2);
    site.again("graceful");
    assert_eq!(site.check.connections(), 2);
    site.stop_by("stop");
    drop(mount);
    site.assert_clean_log();
}

struct SmallFileSystem(std::path::PathBuf);

impl SmallFileSystem {
    fn mount(dir: &std::path::Path) -> SmallFileSystem {
        Self::run(&["-t", "tmpfs", "-o", "size=64k,mode=755", "none"], dir);
        SmallFileSystem(dir.to_owned())
    }

    fn read_only(&self) {
        Self::run(&["-o", "remount,ro"], &self.0);
    }

    fn run(arguments: &[&str], dir: &std::path::Path) {
        let mut mount = std::process::Command::new(psc_testkit::require("mount"));
        let done = psc_testkit::run(mount.args(arguments).arg(dir), SOON);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
}

impl Drop for SmallFileSystem {
    /// Lazily: after a failed assertion the server is still at work in it.
    fn drop(&mut self) {
        let mut umount = std::process::Command::new(psc_testkit::require("umount"));
        psc_testkit::run(umount.arg("--lazy").arg(&self.0), SOON);
    }
}

/// The library that lies about the time.
fn faketime() -> String {
    psc_testkit::require("faketime");
    ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|file| Path::new(file).exists())
        .expect("libfaketime; install it with `make deps`")
}

/// row 19
#[test]
fn row19_a_clock_that_jumps() {
    let library = faketime();
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    site.stop_by("stop");
    // the wall clock alone counts for nothing
    for jump in ["-2d", "+2d"] {
        site.environment = vec![
            ("LD_PRELOAD".into(), library.clone()),
            ("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()),
            ("FAKETIME".into(), jump.into()),
        ];
        site.start();
        site.owner();
        std::thread::sleep(Duration::from_secs(1)); // what must not come cannot be awaited
        assert_eq!(site.check.connections(), 1, "{jump}");
        site.stop_by("stop");
    }
    // two days that really passed are one check
    site.environment = vec![
        ("LD_PRELOAD".into(), library),
        ("FAKETIME".into(), "+2d".into()),
    ];
    site.start();
    site.wait_for_requests(2);
    site.owner();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(site.check.connections(), 2);
    site.finish();
}

/// row 21
#[test]
fn row21_two_servers_with_one_state_directory_and_with_two() {
    let mut first = Apache::new(Mpm::Event);
    let mut second = Apache::new(Mpm::Event);
    second.extra = format!(
        "PscSecurityUpdateCheckStatePath {}\nPscSecurityUpdateCheckUrl {}\n\
         PscSecurityUpdateCheckCertificatePath {keys}/ca.pem\nPscSecurityUpdateCheckResourcesDir {keys}\n",
        first.state().display(),
        first.check.url(),
        keys = first.path("keys").display(),
    );
    first.start();
    second.start();
    first.wait_for_line("no update found");
    let owner = first.owner();
    assert!(first.children().contains(&owner) || second.children().contains(&owner));
    assert_eq!(first.check.connections(), 1);

    second.extra.clear();
    second.again("graceful");
    second.wait_for_requests(1);
    assert_eq!(
        (first.check.connections(), second.check.connections()),
        (1, 1)
    );
    first.finish();
    second.finish();
}

/// What the successor of a child that checked says when nothing but the server's memory knows of that check.
const HELD_BACK: &str = "no state directory remembers this server's last security update check";

fn checking(site: &Apache) -> Vec<u32> {
    let mut children = site.children();
    children.retain(|&pid| !facts::blocked_signals(pid, "psc").is_empty());
    children
}

/// Kills every child, again and again; each time one of the new ones is elected, and waits.
fn crash_loop(site: &Apache, rounds: usize) {
    let before = site.check.connections();
    let lines = site.log().matches(HELD_BACK).count();
    for round in 1..=rounds {
        let victims = site.children();
        for &pid in &victims {
            signal(pid, libc::SIGKILL);
        }
        wait_until("new children", SOON, || {
            let now = site.children();
            now.len() >= site.processes && now.iter().all(|pid| !victims.contains(pid))
        });
        site.wait_for_lines(HELD_BACK, lines + round);
    }
    assert!(checking(site).is_empty());
    let children = format!("{:?}", site.mpm);
    assert_eq!(
        site.check.connections(),
        before,
        "{children}\n{}",
        site.log()
    );
}

/// `StatePath off`: nothing is kept, and still one child checks once.
#[test]
fn without_a_state_directory_one_child_checks() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.processes = 4;
        site.extra = "PscSecurityUpdateCheckStatePath off\n".into();
        site.start();
        site.wait_for_line("no update found");
        assert_eq!(checking(&site).len(), 1, "{mpm:?}");
        site.again("graceful");
        site.wait_for_line(HELD_BACK);
        crash_loop(&site, 3);
        assert_eq!(site.check.connections(), 1, "{mpm:?}");
        assert!(!site.state().exists());
        site.stop_by("stop");
    }
}

/// Nobody is forked when enough children are left: one of these has to notice.
#[test]
fn a_child_that_is_there_already_takes_over() {
    let mut site = Apache::new(Mpm::Prefork);
    site.processes = 3;
    site.extra = "PscSecurityUpdateCheckStatePath off\nMinSpareServers 1\n".into();
    site.start();
    site.wait_for_line("no update found");
    let children = site.children();
    let owner = checking(&site)[0];
    signal(owner, libc::SIGKILL);
    let line = site.wait_for_line(HELD_BACK);
    let there_before = |pid: &&u32| line.contains(&format!("[pid {pid}"));
    let successor = children.iter().find(there_before);
    assert!(successor.is_some(), "{children:?}\n{}", site.log());
    site.stop_by("stop");
}

/// row 16
#[test]
fn row16_a_crash_loop_with_a_full_state_directory() {
    if !is_root() {
        return psc_testkit::skip("row16", "a small file system needs root");
    }
    let mut site = Apache::new(Mpm::Prefork);
    let small = site.path("small");
    fs::create_dir(&small).expect("a directory");
    let mount = SmallFileSystem::mount(&small);
    let state = small.join("state");
    site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", state.display());
    site.start();
    site.wait_for_line("no update found");
    site.stop_by("stop");
    shift_due(&state.join("state.json"), -3 * 86_400);
    fs::write(small.join("fill"), vec![0; 1 << 20]).expect_err("a full file system");
    site.start();
    site.wait_for_lines("no update found", 2);
    crash_loop(&site, 6);
    site.stop_by("stop");
    drop(mount);
}

/// row 16
#[test]
fn row16_a_crash_loop_with_a_state_directory_that_is_taken_away() {
    if !is_root() {
        return psc_testkit::skip("row16", "chown needs root");
    }
    for mpm in [Mpm::Event, Mpm::Prefork] {
        let mut site = Apache::new(mpm);
        site.start();
        site.wait_for_line("no update found");
        // the directory alone remembers now
        site.stop_by("stop");
        site.start();
        site.owner();
        let nobody = Some(65534);
        std::os::unix::fs::chown(site.state(), nobody, nobody).expect("chown");
        crash_loop(&site, 3);
        assert_eq!(site.check.connections(), 1);
        site.stop_by("stop");
    }
}

/// Each successor waits only for what is left of the interval.
#[test]
fn gracefuls_do_not_put_off_the_check_without_a_state_directory() {
    const INTERVAL: u64 = 43_200;
    let mut site = Apache::new(Mpm::Event);
    site.extra =
        format!("PscSecurityUpdateCheckStatePath off\nPscSecurityUpdateCheckInterval {INTERVAL}\n");
    let offset = site.path("offset");
    let advance = |seconds: u64| fs::write(&offset, format!("+{seconds}s")).expect("a clock");
    advance(0);
    fs::set_permissions(&offset, fs::Permissions::from_mode(0o644)).expect("permissions");
    site.environment = vec![
        ("LD_PRELOAD".into(), faketime()),
        (
            "FAKETIME_TIMESTAMP_FILE".into(),
            offset.display().to_string(),
        ),
        ("FAKETIME_NO_CACHE".into(), "1".into()),
    ];
    site.start();
    site.wait_for_line("no update found");
    let checked = std::time::Instant::now();
    for (gracefuls, hours) in [5, 10].into_iter().enumerate() {
        advance(hours * 3600);
        site.again("graceful");
        let line = site.wait_for_lines(HELD_BACK, gracefuls + 1).pop();
        let line = line.expect("a line");
        let (_, seconds) = line.split_once("waits for ").expect("how long");
        let (seconds, _) = seconds.split_once(' ').expect("a unit");
        let seconds: u64 = seconds.parse().expect("a number");
        let left = INTERVAL - hours * 3600;
        assert!((left - 120..=left).contains(&seconds), "{hours} h: {line}");
    }
    assert_eq!(site.check.connections(), 1);

    // the wait ends by itself
    advance(INTERVAL - 5 - checked.elapsed().as_secs());
    site.again("graceful");
    site.wait_for_requests(2);
    // and the next one is over before it begins
    site.wait_for_lines("no update found", 2);
    advance(3 * INTERVAL);
    site.again("graceful");
    site.wait_for_requests(3);
    site.finish();
}

#[test]
fn the_default_state_directory_is_below_the_runtime_directory() {
    let site = Apache::new(Mpm::Event);
    let line = format!(
        "PscSecurityUpdateCheckStatePath {}\n",
        site.state().display()
    );
    let config = site.config().replace(&line, "");
    fs::write(site.path("default.conf"), config).expect("a configuration");
    let mut command = site.command();
    let apache = Foreground::start(command.arg("-f").arg(site.path("default.conf")));
    site.wait_for_line("no update found");
    let directory = site.path("run/psc").metadata().expect("the directory");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert_eq!(apache.stop(), Some(0), "{}", site.log());
}
