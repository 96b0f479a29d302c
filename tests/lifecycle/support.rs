//! What the tests of this directory share.

use psc_testkit::{Finished, Link, Site, compile, compile_preload, require, run, valgrind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// For one program; reached only by one that hangs.
const LIMIT: Duration = Duration::from_secs(240);

/// A configuration whose check finds no update.
pub fn up_to_date(site: &Site, changes: Value) -> Value {
    let mut config = site.config(json!({ "passenger_version": "99.0.0" }));
    let Value::Object(changes) = changes else {
        panic!("the changes must be an object")
    };
    config.as_object_mut().expect("an object").extend(changes);
    config
}

pub fn program(name: &str, link: Link) -> PathBuf {
    compile(&format!("c-tests/lifecycle/{name}.c"), link)
}

pub fn preload(name: &str) -> PathBuf {
    compile_preload(&format!("c-tests/preload/{name}.c"))
}

/// Runs a program of this directory's, which checks everything itself, to its proper end.
pub fn succeed(command: &mut Command) -> Finished {
    succeed_with(0, command)
}

/// The same for one whose proper end has another code.
pub fn succeed_with(code: i32, command: &mut Command) -> Finished {
    let done = run(command, LIMIT);
    assert!(
        done.code == Some(code),
        "{command:?} ended with code {:?}, signal {:?}\n--- stdout\n{}\n--- stderr\n{}",
        done.code,
        done.signal,
        done.stdout,
        done.stderr
    );
    done
}

/// With the schedule in psc's own thread, and by `psc_run` in one of the host's.
pub fn both_ways(program: &Path) -> [Command; 2] {
    let mut by_run = Command::new(program);
    by_run.env("PSC_TEST_RUN", "1");
    [Command::new(program), by_run]
}

/// Under memcheck, which the program is told, because it is slow then.
pub fn checked(program: &Path) -> Command {
    let mut command = valgrind(program);
    command.env("PSC_TEST_SLOW", "1");
    command
}

/// As [`checked`], for one whose children end while memory is its threads', which they do not have.
pub fn checked_but_for_leaks(program: &Path) -> Command {
    let mut command = Command::new(require("valgrind"));
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=no"])
        .args(["--fair-sched=yes", "--"])
        .arg(program)
        .env("PSC_TEST_SLOW", "1");
    command
}

/// One request of psc's arrived, not more; what a process does wrong it does within moments.
pub fn assert_one_request(site: &Site) {
    assert_requests(site, 1);
}

pub fn assert_requests(site: &Site, count: usize) {
    let requests = site
        .server
        .wait_for_requests(count, Duration::from_secs(10));
    assert_eq!(requests.len(), count);
}
