//! One check a day, however many processes, restarts and crashes.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use psc_testkit::proc::signal;
use psc_testkit::{is_root, long, wait_until};

use crate::apache::{Apache, Foreground, Mpm, SOON, bytes};
use crate::proc;

#[test]
fn one_request_and_one_owner() {
    for mpm in Mpm::ALL {
        for processes in if long() { vec![1, 4, 16] } else { vec![1, 4] } {
            let mut site = Apache::new(mpm);
            site.processes = processes;
            site.start();
            site.wait_for_requests(1);
            site.wait_for_line("no update found");
            assert_eq!(site.owner(), site.checker(), "{mpm:?}");
            assert_eq!(
                site.check.connections(),
                1,
                "{mpm:?} with {processes} processes"
            );
            assert_eq!(
                proc::threads(site.parent()),
                1,
                "{mpm:?}: no thread in the parent"
            );
            site.finish();
        }
    }
}

#[test]
fn the_thread_takes_no_signals() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.start();
        let masks = proc::blocked_signals(site.owner(), "psc");
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
    assert_eq!(proc::threads(site.parent()), 1);
    site.finish();
}

#[test]
fn event_graceful_20_times_restart_5_times() {
    many_restarts(Mpm::Event, 20, 5);
}

#[test]
fn worker_graceful_and_restart() {
    if long() {
        many_restarts(Mpm::Worker, 20, 5)
    } else {
        many_restarts(Mpm::Worker, 2, 1)
    }
}

#[test]
fn prefork_graceful_and_restart() {
    if long() {
        many_restarts(Mpm::Prefork, 20, 5)
    } else {
        many_restarts(Mpm::Prefork, 2, 1)
    }
}

#[test]
fn stop_and_start_remember() {
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

#[test]
fn a_killed_owner_is_replaced_without_a_new_check() {
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
        )
        .expect("the process runs");
        wait_until("the end of the owner", SOON, || !proc::is_alive(owner));
        let limit = Duration::from_secs(65);
        wait_until("another owner", limit, || {
            site.owners().first().is_some_and(|&now| now != owner)
        });
    }
    assert_eq!(site.check.connections(), 1);
    site.stop_by("stop");
}

/// A child that drains for hours holds nothing up
#[test]
fn a_draining_child_does_not_keep_the_check() {
    for state in ["", "PscSecurityUpdateCheckStatePath off\n"] {
        let mut site = Apache::new(Mpm::Event);
        site.processes = 1;
        site.extra = state.into();
        site.start();
        site.wait_for_line("no update found");
        let old = site.children()[0];
        let client = client_that_does_not_read(&site);
        let checker = site.checker();
        site.again("graceful");
        assert_ne!(site.checker(), checker);
        if state.is_empty() {
            assert_eq!(site.owner(), site.checker());
        } else {
            site.wait_for_line(HELD_BACK);
        }
        assert!(proc::is_alive(old), "the old child still serves its client");
        assert_eq!(site.check.connections(), 1);
        drop(client);
        wait_until("the end of the old child", SOON, || !proc::is_alive(old));
        site.finish();
    }
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

/// What psc says of a state directory when the server starts, which names the cure, and what the process that checks says.
fn complaints(site: &Apache, path: &Path) -> (Vec<String>, Vec<String>) {
    let about = |phrase: &str| {
        let mut lines = site.psc_lines();
        lines.retain(|line| line.contains(phrase) && line.contains(&path.display().to_string()));
        lines
    };
    (about("the state directory "), about("the state in "))
}

#[test]
fn a_state_directory_of_somebody_else() {
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
    let (at_start, at_work) = complaints(&site, &foreign);
    assert_eq!((at_start.len(), at_work.len()), (1, 1), "{}", site.log());
    assert!(
        at_start[0].contains("[psc:error]") && at_start[0].contains("use a directory below it"),
        "{at_start:?}"
    );
    assert_eq!(site.check.connections(), 1, "one process checks, not each");
    site.stop_by("stop");
    assert_eq!(entries(), before);
    site.assert_clean_log();
}

#[test]
fn a_state_path_that_is_a_link_or_no_directory() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    // an administrator's link to the directory is as good as the directory
    let (link, file) = (site.path("link"), site.path("file"));
    std::os::unix::fs::symlink(site.state(), &link).expect("a link");
    site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", link.display());
    site.again("graceful");
    site.owner();
    assert_eq!(complaints(&site, &link), (vec![], vec![]), "{}", site.log());
    assert_eq!(site.check.connections(), 1);
    fs::write(&file, "").expect("a file");
    site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", file.display());
    site.again("graceful");
    site.wait_for_line(&format!("the state directory {}", file.display()));
    site.finish();
}

/// Nothing is given to the server's user that another user could have put in the place.
#[test]
fn a_state_path_that_the_servers_user_can_exchange_gives_nothing_away() {
    if !is_root() {
        return psc_testkit::skip("a link of the server's user", "root gives things away");
    }
    let mut site = Apache::new(Mpm::Prefork);
    let (theirs, ours, shared) = (site.path("theirs"), site.path("ours"), site.path("shared"));
    for dir in [&theirs, &ours, &shared] {
        fs::create_dir(dir).expect("a directory");
    }
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).expect("permissions");
    std::os::unix::fs::symlink(&ours, theirs.join("state")).expect("a link");
    let www_data = psc_testkit::user_id("www-data");
    for path in [theirs.join("state"), theirs.clone()] {
        std::os::unix::fs::lchown(path, Some(www_data), Some(www_data)).expect("lchown");
    }
    site.start();
    for path in [theirs.join("state"), shared.clone()] {
        site.extra = format!("PscSecurityUpdateCheckStatePath {}\n", path.display());
        site.again("graceful");
        // By root, or, below a directory of its own, by the server itself.
        site.wait_for_line(&format!("{} cannot be", path.display()));
    }
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&path.metadata().expect("it"));
    assert_eq!((owner(&ours), owner(&shared)), (0, 0));
    site.finish();
}

/// The new user knows what the old one knew, and goes on with it.
#[test]
fn another_user_is_given_what_is_known() {
    if !is_root() {
        return psc_testkit::skip("another user of httpd's", "only root has one");
    }
    let mut site = Apache::new(Mpm::Event);
    site.version = "6.0.10".into();
    site.start();
    site.wait_for_line("security update is available");
    site.user = "nobody".into();
    site.again("restart");
    assert_eq!(site.owner(), site.checker());
    let owner = |path: &Path| std::os::unix::fs::MetadataExt::uid(&path.metadata().expect("it"));
    let nobody = psc_testkit::user_id("nobody");
    assert_eq!(owner(&site.state()), nobody);
    assert_eq!(owner(&site.state().join("state.json")), nobody);
    wait_until("what was known", SOON, || {
        site.get("/psc").contains("\"verdict\":\"update\"")
    });
    assert_eq!(site.check.connections(), 1);
    site.finish();
}

#[test]
fn a_state_directory_that_cannot_be_made() {
    let mut site = Apache::new(Mpm::Prefork);
    site.extra = "PscSecurityUpdateCheckStatePath /proc/psc-state\n".into();
    site.start();
    site.wait_for_requests(1);
    site.wait_for_line("no update found");
    let (at_start, _) = complaints(&site, Path::new("/proc/psc-state"));
    assert_eq!(at_start.len(), 1, "{at_start:?}");
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

#[test]
fn a_due_time_ten_years_ahead() {
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

#[test]
fn a_state_file_of_garbage() {
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

#[test]
fn a_state_directory_that_turns_read_only_or_full() {
    if !is_root() {
        return psc_testkit::skip(
            "a_state_directory_that_turns_read_only_or_full",
            "a small file system needs root",
        );
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
        !proc::lock_holders(&small.join("state/owner.lock")).is_empty()
    });
    assert_eq!(site.check.connections(), 1);

    site.stop_by("stop");
    mount.read_only();
    site.start();
    site.wait_for_line("Read-only file system");
    // what is known can still be read
    site.again("graceful");
    assert!(site.get("/psc").contains("\"verdict\":\"ok\""));
    assert_eq!(site.check.connections(), 1);
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

#[test]
fn a_clock_that_jumps() {
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

#[test]
fn two_servers_with_one_state_directory_and_with_two() {
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
    assert!(owner == first.checker() || owner == second.checker());
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

/// Kills the process that checks, again and again; each time another one takes its place, and waits.
fn crash_loop(site: &Apache, rounds: usize) {
    let before = site.check.connections();
    let lines = site.log().matches(HELD_BACK).count();
    for round in 1..=rounds {
        signal(site.checker(), libc::SIGKILL).expect("the process runs");
        site.wait_for_lines(HELD_BACK, lines + round);
    }
    assert!(proc::blocked_signals(site.checker(), "psc").is_empty());
    assert_eq!(
        site.check.connections(),
        before,
        "{:?}\n{}",
        site.mpm,
        site.log()
    );
}

/// `StatePath off`: nothing is kept on disk, and still one process checks, once, and every child knows what came of it.
#[test]
fn without_a_state_directory_one_process_checks() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.processes = 4;
        site.extra = "PscSecurityUpdateCheckStatePath off\n".into();
        site.start();
        site.wait_for_line("no update found");
        let known = || site.get("/psc").contains("\"verdict\":\"ok\"");
        wait_until("the verdict in every child", SOON, || known() && known());
        site.again("graceful");
        site.wait_for_line(HELD_BACK);
        crash_loop(&site, 3);
        assert_eq!(site.check.connections(), 1, "{mpm:?}");
        assert!(!site.state().exists());
        site.stop_by("stop");
    }
}

#[test]
fn a_crash_loop_with_a_full_state_directory() {
    if !is_root() {
        return psc_testkit::skip(
            "a_crash_loop_with_a_full_state_directory",
            "a small file system needs root",
        );
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

#[test]
fn a_crash_loop_with_a_state_directory_that_is_taken_away() {
    if !is_root() {
        return psc_testkit::skip(
            "a_crash_loop_with_a_state_directory_that_is_taken_away",
            "chown needs root",
        );
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
    let held_back = |gracefuls: usize, passed: u64| {
        advance(passed);
        site.again("graceful");
        let line = site.wait_for_lines(HELD_BACK, gracefuls).pop();
        let line = line.expect("a line");
        let (_, seconds) = line.split_once("waits for ").expect("how long");
        let (seconds, _) = seconds.split_once(' ').expect("a unit");
        let seconds: u64 = seconds.parse().expect("a number");
        // a random part is added once
        let left = INTERVAL - passed;
        let most = left + INTERVAL / 10;
        assert!((left - 120..=most).contains(&seconds), "{passed}: {line}");
        passed + seconds
    };
    let due = held_back(1, 5 * 3600);
    let due_later = held_back(2, 10 * 3600);
    assert!(due_later.abs_diff(due) < 60, "{due}, {due_later}");
    assert_eq!(site.check.connections(), 1);

    // the wait ends by itself
    advance(due_later - 5);
    site.again("graceful");
    site.wait_for_requests(2);
    // and the next one is over before it begins
    site.wait_for_lines("no update found", 2);
    advance(3 * INTERVAL);
    site.again("graceful");
    site.wait_for_requests(3);
    site.finish();
}

/// It outlasts a reboot, and stands where the distribution has given httpd room. In a mount namespace of its own, so that
/// this machine keeps nothing of it.
#[test]
fn the_default_state_directory_is_below_var_lib() {
    if !is_root() {
        return psc_testkit::skip("the default state directory", "/var/lib/apache2 is root's");
    }
    let site = Apache::new(Mpm::Event);
    let line = format!(
        "PscSecurityUpdateCheckStatePath {}\n",
        site.state().display()
    );
    let config = site.config().replace(&line, "");
    fs::write(site.path("default.conf"), config).expect("a configuration");
    let plain = site.command();
    let mut command = std::process::Command::new(psc_testkit::require("unshare"));
    command
        .args(["--mount", "--", "sh", "-c"])
        .arg("mount -t tmpfs -o mode=755 none /var/lib/apache2 && exec \"$@\"")
        .arg("sh")
        .arg(plain.get_program())
        .args(plain.get_args())
        .arg("-f")
        .arg(site.path("default.conf"));
    let apache = Foreground::start(&mut command);
    site.wait_for_line("no update found");
    let state = format!("/proc/{}/root/var/lib/apache2/psc", apache.pid());
    let directory = fs::metadata(&state).expect("the directory");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    assert!(fs::exists(format!("{state}/state.json")).expect("the state"));
    assert_eq!(apache.stop(), Some(0), "{}", site.log());
}
