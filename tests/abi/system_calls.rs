//! A system call that fails: psc says so or goes on, and never gives a wrong verdict.

use psc::ffi::codes::{PSC_ERR_INTERNAL, PSC_ERR_NONCE, PSC_ERR_SIGNATURE, PSC_UPDATE_AVAILABLE};
use psc_testkit::printed::Printed;
use psc_testkit::{Finished, Link, Site, compile, long, private_dir, require, run};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What a check calls, with an error that the kernel may give.
const CALLS: [(&str, &str); 40] = [
    ("openat", "EMFILE"),
    ("openat", "EACCES"),
    ("read", "EIO"),
    ("write", "ENOSPC"),
    ("close", "EIO"),
    ("newfstatat", "ENOMEM"),
    ("fstat", "ENOMEM"),
    ("lseek", "EINVAL"),
    ("mmap", "ENOMEM"),
    ("munmap", "ENOMEM"),
    ("mprotect", "ENOMEM"),
    ("statx", "EACCES"),
    ("madvise", "EINVAL"),
    ("socket", "EMFILE"),
    ("socket", "ENOBUFS"),
    ("socketpair", "EMFILE"),
    ("connect", "ENETUNREACH"),
    ("connect", "ECONNREFUSED"),
    ("bind", "EADDRINUSE"),
    ("sendto", "EPIPE"),
    ("sendmmsg", "ENOBUFS"),
    ("recvfrom", "ECONNRESET"),
    ("recvmsg", "ENOMEM"),
    ("getsockname", "ENOBUFS"),
    ("getpeername", "ENOTCONN"),
    ("getsockopt", "ENOBUFS"),
    ("setsockopt", "ENOBUFS"),
    ("poll", "ENOMEM"),
    ("pipe2", "EMFILE"),
    ("eventfd2", "EMFILE"),
    ("fcntl", "EINVAL"),
    ("ioctl", "ENOTTY"),
    ("getrandom", "ENOSYS"),
    ("clone3", "EAGAIN"),
    ("rt_sigprocmask", "EINVAL"),
    ("rt_sigaction", "EINVAL"),
    ("flock", "ENOLCK"),
    ("fsync", "EIO"),
    ("rename", "EXDEV"),
    ("mkdirat", "ENOSPC"),
];

/// How many calls of each kind there are to let fail in the short form.
const SAMPLES: usize = 8;

struct Host {
    site: Site,
    strace: PathBuf,
    program: PathBuf,
}

struct Run {
    done: Finished,
    /// What strace has seen, a line each.
    calls: Vec<String>,
}

impl Run {
    /// The number of the calls before psc's part of the program, and of all.
    fn count(&self, call: &str) -> (usize, usize) {
        let is_marker = |line: &String| line.contains("write(2, \"begun");
        let marker = self.calls.iter().position(is_marker).expect("the marker");
        let name = format!("{call}(");
        // A call that another thread has interrupted has a second line, "<... NAME resumed>".
        let count = |lines: &[String]| lines.iter().filter(|line| line.contains(&name)).count();
        (count(&self.calls[..=marker]), count(&self.calls))
    }
}

impl Host {
    fn run(&self, options: &[String]) -> Run {
        let dir = private_dir();
        let (trace, state) = (dir.path().join("trace"), dir.path().join("state"));
        let config = self
            .site
            .config(json!({ "timeout": 5, "state_dir": state }));
        let mut command = Command::new(&self.strace);
        command.args(["-f", "-qq"]).args(options).arg("-o");
        command
            .arg(&trace)
            .arg(&self.program)
            .arg(config.to_string());
        let done = run(&mut command, Duration::from_secs(60));
        let calls = fs::read_to_string(&trace).unwrap_or_default();
        Run {
            done,
            calls: calls.lines().map(str::to_owned).collect(),
        }
    }
}

/// Evenly spread over a check; all of them in the long form.
fn chosen(before: usize, all: usize) -> Vec<usize> {
    let step = if long() {
        1
    } else {
        (all - before).div_ceil(SAMPLES).max(1)
    };
    (before + 1..=all).step_by(step).collect()
}

/// The server has an update: a check finds it, or says what has failed. It is never "no update", nobody has forged or repeated
/// anything, and the host goes on.
#[test]
fn no_failed_system_call_makes_a_wrong_verdict() {
    let host = Host {
        site: Site::start(),
        strace: require("strace"),
        program: compile("c-tests/api/system-calls.c", Link::Shared),
    };
    let undisturbed = host.run(&[]);
    assert_eq!(
        Printed::parse(&undisturbed.done.stdout).number_of("code"),
        Some(PSC_UPDATE_AVAILABLE),
        "{:?}",
        undisturbed.done
    );
    let (mut runs, mut failed) = (0, 0);
    for (call, error) in CALLS {
        let (before, all) = undisturbed.count(call);
        for n in chosen(before, all) {
            let done = host
                .run(&[
                    "-e".to_owned(),
                    format!("trace={call},write"),
                    "-e".to_owned(),
                    format!("inject={call}:error={error}:when={n}"),
                ])
                .done;
            let what = format!("{call} {error} {n}: {done:?}");
            assert_eq!((done.signal, done.code), (None, Some(0)), "{what}");
            // The program's own output may be what failed.
            let Some(code) = Printed::parse(&done.stdout).number_of::<i32>("code") else {
                assert_eq!(call, "write", "{what}");
                continue;
            };
            assert!(
                code == PSC_UPDATE_AVAILABLE || (code < 0 && !NOT_TO_BLAME.contains(&code)),
                "{what}"
            );
            runs += 1;
            failed += u32::from(code < 0);
        }
    }
    println!("{runs} runs, {failed} failed checks");
    assert!(
        runs >= 80 && failed >= 10,
        "{runs} runs, {failed} failed checks"
    );
}

/// A forged signature, a replay, a bug.
const NOT_TO_BLAME: [i32; 3] = [PSC_ERR_SIGNATURE, PSC_ERR_NONCE, PSC_ERR_INTERNAL];
