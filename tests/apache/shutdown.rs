//! Leaving while a check hangs: quickly, by itself, and without a crash.

use std::time::{Duration, Instant};

use psc_testkit::proc::signal;
use psc_testkit::{Calls, Link, compile_preload, long, wait_until};

use crate::apache::{Apache, Mpm, SOON};
use crate::proc;

/// For a child.
const CHILD: Duration = Duration::from_millis(1500);
/// What the module may add to the time that httpd itself needs. A machine that is busy adds some, too.
const MORE: Duration = Duration::from_millis(750);

/// Waits for the end of a process, and returns how long it took.
fn time_to_end(pid: u32) -> Duration {
    let started = Instant::now();
    wait_until("the end of a child", SOON, || !proc::is_alive(pid));
    started.elapsed()
}

/// Starts (again) with a state directory that knows of no check, and waits until one is under way.
fn with_hanging_check(site: &mut Apache, start: impl FnOnce(&mut Apache)) -> u32 {
    site.forget();
    let before = site.check.requests().len();
    start(site);
    site.wait_for_check(before + 1);
    site.owner()
}

/// How long each way to leave takes: until one of the old children is gone, or the whole server.
struct Leaving {
    graceful: Duration,
    restart: Duration,
    stop: Duration,
    graceful_stop: Duration,
}

impl Leaving {
    fn each(self) -> [(&'static str, Duration); 4] {
        [
            ("graceful", self.graceful),
            ("restart", self.restart),
            ("stop", self.stop),
            ("graceful-stop", self.graceful_stop),
        ]
    }
}

/// What httpd itself needs, without the module.
fn leaving_of_httpd(mpm: Mpm) -> Leaving {
    let mut site = Apache::new(mpm);
    site.with_module = false;
    site.start();
    let again = |how: &str| {
        let old = site.children();
        site.signal_apache(how);
        let elapsed = time_to_end(old[0]);
        wait_until("new children", SOON, || {
            let now = site.children();
            now.len() >= site.processes && now.iter().all(|pid| !old.contains(pid))
        });
        elapsed
    };
    let (graceful, restart) = (again("graceful"), again("restart"));
    let stop = site.stop_by("stop");
    site.start();
    Leaving {
        graceful,
        restart,
        stop,
        graceful_stop: site.stop_by("graceful-stop"),
    }
}

fn leaving_of_a_check(site: &mut Apache) -> Leaving {
    let owner = with_hanging_check(site, Apache::start);
    site.forget();
    let checks = site.check.requests().len();
    site.signal_apache("graceful");
    let graceful = time_to_end(owner);

    site.wait_for_check(checks + 1);
    let owner = site.owner();
    site.signal_apache("restart");
    let restart = time_to_end(owner);
    wait_until("new children", SOON, || {
        site.children().len() >= site.processes
    });
    site.owner();

    let stop = site.stop_by("stop");
    with_hanging_check(site, Apache::start);
    Leaving {
        graceful,
        restart,
        stop,
        graceful_stop: site.stop_by("graceful-stop"),
    }
}

fn shut_down(mpm: Mpm, fault: &str) {
    let mut site = Apache::new(mpm);
    site.check.set_fault(fault);
    let with = leaving_of_a_check(&mut site).each();
    let without = leaving_of_httpd(mpm).each();
    println!("number: {mpm:?}, check server {fault}: {with:?}; without the module: {without:?}");
    for ((how, with), (_, without)) in with.into_iter().zip(without) {
        assert!(
            with < without + MORE,
            "{mpm:?}: {how} took {with:?}, and {without:?} without the module"
        );
    }
    site.assert_clean_log();
    // a wish of the administrator is no failure of the check
    assert!(
        !site.log().contains("Security update check failed"),
        "{}",
        site.log()
    );
}

#[test]
fn event_leaves_during_a_hanging_check() {
    shut_down(Mpm::Event, "hang");
}

#[test]
fn worker_leaves_during_a_hanging_check() {
    shut_down(Mpm::Worker, "hang");
}

#[test]
fn prefork_leaves_during_a_hanging_check() {
    shut_down(Mpm::Prefork, "hang");
}

#[test]
fn leaves_during_a_slow_answer() {
    for mpm in if long() {
        Mpm::ALL.to_vec()
    } else {
        vec![Mpm::Event]
    } {
        shut_down(mpm, "slow");
    }
}

/// Inside prefork's signal handler, at any moment of a request
#[test]
fn prefork_children_end_by_sigterm_under_load() {
    let mut site = Apache::new(Mpm::Prefork);
    site.processes = 4;
    site.check.set_fault("hang");
    site.start();
    site.wait_for_check(1);
    let over = std::sync::atomic::AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        for path in ["/psc", "/server-status", "/psc"] {
            let (site, over) = (&site, &over);
            scope.spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    site.try_get(path);
                }
            });
        }
        for _ in 0..if long() { 200 } else { 20 } {
            let victim = site.children()[0];
            signal(victim, libc::SIGTERM).expect("the process runs");
            let elapsed = time_to_end(victim);
            slowest = slowest.max(elapsed);
            wait_until("another child", SOON, || {
                site.children().len() >= site.processes
            });
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    println!("number: Prefork: kill -TERM of a child under load, slowest {slowest:?}");
    assert!(slowest < CHILD, "{slowest:?}");
    assert_eq!(site.check.connections(), 1, "the check goes on");
    site.finish();
}

/// Children of one request each, in a rush, while a check takes its time
#[test]
fn recycled_children_do_not_disturb_the_check() {
    for mpm in if long() {
        Mpm::ALL.to_vec()
    } else {
        vec![Mpm::Prefork, Mpm::Event]
    } {
        let mut site = Apache::new(mpm);
        site.extra = "MaxConnectionsPerChild 1\n".into();
        site.check.set_fault("slow");
        site.start();
        site.wait_for_check(1);
        let checker = site.checker();
        let first = site.children();
        let limit = Instant::now() + SOON;
        while first.iter().any(|&pid| proc::is_alive(pid)) {
            site.try_get("/psc");
            assert!(Instant::now() < limit, "the children were not recycled");
        }
        assert_eq!((site.owner(), site.checker()), (checker, checker));
        assert_eq!(site.check.connections(), 1);
        site.finish();
    }
}

#[test]
fn leaves_during_a_hanging_name_lookup() {
    let resolver = compile_preload("tests/apache/slow-resolver.c");
    let rounds = if long() { 50 } else { 2 };
    for mpm in if long() {
        Mpm::ALL.to_vec()
    } else {
        vec![Mpm::Event, Mpm::Prefork]
    } {
        let mut site = Apache::new(mpm);
        site.environment
            .push(("LD_PRELOAD".into(), resolver.display().to_string()));
        // libcurl knows "localhost" without asking
        site.extra = "PscSecurityUpdateCheckUrl https://check.test/\n".into();
        let looked_up = site.path("run/looked-up");
        std::fs::write(&looked_up, "").expect("a file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(&looked_up, mode).expect("permissions");
        site.environment
            .push(("SLOW_RESOLVER_LOG".into(), looked_up.display().to_string()));
        let lookups = || std::fs::metadata(&looked_up).map_or(0, |data| data.len());

        site.start();
        let mut slowest = Duration::ZERO;
        for round in 1..=rounds {
            wait_until("a name look-up", SOON, || lookups() >= round);
            let owner = site.owner();
            site.forget();
            site.signal_apache(if round % 2 == 0 {
                "restart"
            } else {
                "graceful"
            });
            slowest = slowest.max(time_to_end(owner));
        }
        wait_until("a name look-up", SOON, || lookups() > rounds);
        let stop = site.stop_by("stop");
        println!("number: {mpm:?}, name look-up hangs: slowest child {slowest:?}, stop {stop:?}");
        assert!(
            slowest < CHILD && stop < CHILD,
            "{mpm:?}: {slowest:?}, {stop:?}"
        );
        assert_eq!(site.check.connections(), 0);
        site.assert_clean_log();
    }
}

/// prefork leaves from inside its signal handler, which must not find a lock of psc's taken.
#[test]
fn a_child_asks_for_the_status_where_no_signal_can_interrupt() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.link = Link::Shared;
        let calls = Calls::in_file(&site.path("run/calls"));
        site.environment.extend(calls.environment());
        // no process that checks could have told
        site.extra = "PscDisableSecurityUpdateCheck On\n".into();
        site.start();
        assert!(site.get("/psc").contains("200 OK"));
        let status = calls.of("psc_status");
        assert!(!status.is_empty(), "{mpm:?}");
        assert!(
            status.iter().all(|call| call.sigterm_blocked),
            "{mpm:?}: {status:?}"
        );
        site.finish();
    }
}

/// Every thread is waited for, and every handle is freed, by the process that made it.
#[test]
fn each_process_stops_its_thread_and_the_parent_frees_its_handles() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.link = Link::Shared;
        let calls = Calls::in_file(&site.path("run/calls"));
        site.environment.extend(calls.environment());
        site.check.set_fault("hang");
        site.start();
        site.wait_for_check(1);
        let parent = site.parent();
        for how in ["graceful", "restart"] {
            let starts = calls.of("psc_start").len();
            site.again(how);
            assert_eq!(calls.kept_by(parent), 1, "{mpm:?} after {how}");
            wait_until("psc_start", SOON, || calls.of("psc_start").len() > starts);
        }
        site.stop_by("stop");
        assert_eq!(calls.kept_by(parent), 0, "{mpm:?}: {:?}", calls.all());
        let started = calls.of("psc_start");
        // One of each generation.
        assert_eq!(started.len(), 3, "{mpm:?}: {started:?}");
        let stopped = calls.of("psc_stop");
        for child in started {
            assert_ne!(child.pid, parent, "{mpm:?}");
            let stop = stopped.iter().find(|call| call.pid == child.pid);
            let stop = stop.unwrap_or_else(|| panic!("{mpm:?}: {} did not stop", child.pid));
            assert!(stop.in_main_thread, "{stop:?}");
            assert!(
                !calls
                    .of("psc_free")
                    .iter()
                    .any(|call| call.pid == child.pid)
            );
        }
        site.assert_clean_log();
    }
}

#[test]
fn cgi_programs_inherit_nothing() {
    let mut site = Apache::new(Mpm::Prefork);
    let script = site.path("descriptors.cgi");
    let text = "#!/bin/sh\necho 'Content-Type: text/plain'\necho\nls -l /proc/self/fd\n";
    std::fs::write(&script, text).expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("permissions");
    site.processes = 1;
    site.extra = "LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so\n\
                  <Directory />\nOptions +ExecCGI\n</Directory>\n\
                  <Files descriptors.cgi>\nSetHandler cgi-script\n</Files>\n"
        .into();
    site.check.set_fault("hang");
    site.start();
    site.wait_for_check(1);
    let response = site.get("/descriptors.cgi");
    assert!(response.contains("200 OK"), "{response}");
    let inherited: Vec<&str> = response
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .map(|(_, target)| target)
        .collect();
    assert!(!inherited.is_empty(), "{response}");
    // A libcurl before 8.11 leaves the socket pairs inheritable with which it wakes itself up; connections are TCP.
    let local = std::fs::read_to_string("/proc/net/unix").expect("/proc/net/unix");
    let is_local = |target: &str| {
        let inode = target.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(
            local
                .lines()
                .any(|line| line.split(' ').any(|word| word == inode)),
        )
    };
    for target in inherited {
        let ours = ["socket:", "eventfd", "timerfd", "eventpoll", "/state-"];
        let is_ours = ours.iter().any(|kind| target.contains(kind));
        assert!(!is_ours || is_local(target) == Some(true), "{target}");
    }
    // nor a pipe, but for the program's own three, and what httpd itself was started with
    let of_httpd = std::fs::read_dir(format!("/proc/{}/fd", site.parent())).expect("/proc");
    let of_httpd: Vec<String> = of_httpd
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .collect();
    let pipes = response.lines().filter(|line| {
        let Some((start, target)) = line.split_once(" -> ") else {
            return false;
        };
        let own = [" 0", " 1", " 2"]
            .iter()
            .any(|number| start.ends_with(number));
        target.starts_with("pipe:") && !own && !of_httpd.contains(&target.to_owned())
    });
    assert_eq!(pipes.collect::<Vec<_>>(), [] as [&str; 0]);
    site.finish();
}
