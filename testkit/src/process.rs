//! Running programs with a time limit.

use crate::support::repo;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// How a program ended and what it said.
#[derive(Clone, Debug)]
pub struct Finished {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

/// Runs one of the repository's demos, which must end well and print each of these.
pub fn demo(script: &str, phrases: &[&str]) {
    let done = run(
        &mut Command::new(repo().join(script)),
        Duration::from_secs(600),
    );
    assert_eq!(done.code, Some(0), "{}\n{}", done.stdout, done.stderr);
    for phrase in phrases {
        assert!(done.stdout.contains(phrase), "{phrase}: {}", done.stdout);
    }
}

/// Of a user of this system.
pub fn user_id(name: &str) -> u32 {
    let users = std::fs::read_to_string("/etc/passwd").expect("the users");
    let of_user = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    };
    let id = users.lines().find_map(of_user);
    id.unwrap_or_else(|| panic!("there is no user {name}"))
}

pub fn is_root() -> bool {
    // SAFETY: takes nothing, cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// `command` in a mount namespace of its own, in which the shell runs `mount_it` first, with the directory as its argument.
pub fn mounted(mount_it: &str, dir: &Path, command: &Command) -> Command {
    require("mount");
    let mut wrapped = Command::new(require("unshare"));
    if !is_root() {
        wrapped.arg("--map-root-user");
    }
    wrapped
        .args(["--mount", "sh", "-ec"])
        .arg(format!("{mount_it}; shift; exec \"$@\""))
        .arg("sh")
        .arg(dir)
        .arg(command.get_program())
        .args(command.get_args());
    wrapped
}

/// Runs `command` to its end. Takes it longer than `limit`, it is killed together with
/// the processes it started, and this panics.
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    let started = Instant::now();
    // Cargo's own, for the tests it starts: with it a program would load another build of libpsc.so
    // than the one it was linked with.
    if command.get_envs().all(|(name, _)| name != LIBRARY_PATH) {
        command.env_remove(LIBRARY_PATH);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait_or_kill(&mut child, started, limit);
    let elapsed = started.elapsed();
    let (stdout, stderr) = (text(stdout), text(stderr));
    let Some(status) = status else {
        panic!(
            "{command:?} took longer than {limit:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        );
    };
    Finished {
        code: status.code(),
        signal: status.signal(),
        stdout,
        stderr,
        elapsed,
    }
}

fn wait_or_kill(child: &mut Child, started: Instant, limit: Duration) -> Option<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().expect("wait for a child") {
            return Some(status);
        }
        if started.elapsed() > limit {
            kill_group(child);
            return None;
        }
        thread::sleep(Duration::from_millis(3));
    }
}

fn kill_group(child: &mut Child) {
    let group = libc::pid_t::try_from(child.id()).expect("a process id");
    // SAFETY: the group is the child's own, made by process_group(0), and the child is not reaped yet.
    unsafe { libc::killpg(group, libc::SIGKILL) };
    child.wait().expect("wait for a killed child");
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes)
                .expect("read what a child writes");
        }
        bytes
    })
}

fn text(reader: JoinHandle<Vec<u8>>) -> String {
    let bytes = reader.join().expect("the reader of a child's output");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A command that runs `program` under memcheck; errors and leaks make it exit with 99.
pub fn valgrind(program: &Path) -> Command {
    let mut command = Command::new(require("valgrind"));
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args([
            "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible",
        ])
        .args([
            "--track-fds=no",
            "--num-callers=40",
            "--fair-sched=yes",
            "--",
        ])
        .arg(program);
    command
}

/// The full path of a program that a test needs.
pub fn require(tool: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers live in sbin, which an ordinary user's PATH leaves out.
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(OsStr::new(tool)))
        .find(|file| is_executable(file))
        .unwrap_or_else(|| panic!("{tool} is needed by this test; install it with `make deps`"))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Waits until `condition` holds; panics, naming `what`, when it does not within `limit`.
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < limit,
            "waited {limit:?} in vain for: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_exit_code_are_told() {
        let done = run(
            &mut shell("echo out; echo err >&2; exit 3"),
            Duration::from_secs(10),
        );
        assert_eq!((done.code, done.signal), (Some(3), None));
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            ("out\n", "err\n")
        );
    }

    #[test]
    fn a_signal_is_told() {
        let done = run(&mut shell("kill -TERM $$"), Duration::from_secs(10));
        assert_eq!((done.code, done.signal), (None, Some(libc::SIGTERM)));
    }

    #[test]
    #[should_panic(expected = "took longer than")]
    fn a_program_that_hangs_is_killed_with_its_children() {
        run(
            &mut shell("sleep 600 & sleep 600"),
            Duration::from_millis(300),
        );
    }

    #[test]
    #[should_panic(expected = "make deps")]
    fn a_missing_tool_is_an_error() {
        require("psc-no-such-tool");
    }
}
