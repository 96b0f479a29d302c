//! The default state path: file systems that nginx alone sees.

use crate::checks::Checks;
use crate::server::{Nginx, SOON, is_root};
use crate::state::{as_nobody, open_to_all};
use psc_testkit::{require, run};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command in a mount namespace of its own, in which `mount_it` is run first, with the directory as its argument.
fn mounted(mount_it: &str, dir: &Path, command: &Command) -> Command {
    assert!(
        is_root(),
        "this test mounts file systems for nginx, which then changes its user: run it as root"
    );
    require("mount");
    let mut wrapped = Command::new(require("unshare"));
    wrapped
        .args(["--mount", "sh", "-ec"])
        .arg(format!("{mount_it}; shift; exec \"$@\""))
        .arg("sh")
        .arg(dir)
        .arg(command.get_program())
        .args(command.get_args());
    wrapped
}

/// Where the installed nginx has its temporary files.
fn default_parent() -> PathBuf {
    let version = run(Command::new(require("nginx")).arg("-V"), SOON).stderr;
    let option = "--http-client-body-temp-path=";
    let path = version
        .split_whitespace()
        .find_map(|word| word.strip_prefix(option));
    let path = Path::new(path.unwrap_or_else(|| panic!("no {option} in {version}")));
    path.parent().expect("a directory").to_owned()
}

#[test]
fn the_default_state_path_is_beside_nginxs_temporary_files() {
    let checks = Checks::start();
    let mut nginx = Nginx::new(&checks.config());
    nginx.config.unset("state_path");
    nginx.write_config();
    let parent = default_parent();
    let mount_it = "mount -t tmpfs -o mode=755 psc-test \"$1\"";
    let mut command = mounted(mount_it, &parent, &nginx.command());
    nginx.start_command(&mut command);
    assert_eq!(checks.requests_after(1), 1);
    nginx.wait_for_line("no update found");

    let seen = format!("/proc/{}/root{}/psc", nginx.pid(), parent.display());
    let state = fs::metadata(&seen).expect("the default state directory");
    let worker = fs::metadata(format!("/proc/{}", nginx.only_worker())).expect("the worker");
    assert_eq!((state.uid(), state.mode() & 0o777), (worker.uid(), 0o700));
    assert!(worker.uid() != 0 && Path::new(&seen).join("state.json").is_file());
    assert_eq!(nginx.log_lines("[warn]"), [] as [String; 0]);
    nginx.end_clean();
}

#[test]
fn a_default_state_path_that_cannot_be_used_is_one_warning() {
    let read_only = "mount -t tmpfs -o mode=755,ro psc-test \"$1\"";
    let roots = "mount -t tmpfs -o mode=755 psc-test \"$1\"";
    for (mount_it, ordinary_user, why) in [
        (read_only, false, "Read-only file system"),
        (roots, true, "Permission denied"),
    ] {
        let checks = Checks::start();
        let mut nginx = Nginx::new(&checks.config());
        nginx.config.unset("state_path");
        nginx.write_config();
        let mut command = nginx.command();
        if ordinary_user {
            nginx.give_to_nobody();
            open_to_all(checks.dir.path());
            command = as_nobody(&command);
        }
        let mut test = mounted(mount_it, &default_parent(), &command);
        let done = run(test.arg("-t"), SOON);
        assert_eq!(done.code, Some(0), "{}", done.stderr);

        let mut command = mounted(mount_it, &default_parent(), &command);
        nginx.start_command(&mut command);
        assert_eq!(checks.requests_after(1), 1);
        nginx.wait_for_line("no update found");
        let warnings = nginx.log_lines("the state in ");
        assert_eq!(warnings.len(), 1, "{}", nginx.log());
        assert!(
            warnings[0].contains(" [warn] ") && warnings[0].contains(why),
            "{warnings:?}"
        );
        // As with "off".
        nginx.reload();
        assert_eq!(checks.requests_after(1), 1);
        nginx.end_clean();
    }
}
