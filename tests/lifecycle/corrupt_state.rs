//! A state directory that cannot be used, or must not be believed: one warning, and the schedule is kept in memory.

use crate::clock::{Clock, NEXT_CHECK};
use crate::host::{Host, with_state};
use crate::support::{assert_one_request, program, up_to_date};
use psc_testkit::{Link, Site, is_root, mounted, private_dir, require, run, write_private};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const WARNING: i32 = 2;
const NO_RECORD: &str = "is not a record of psc's";
const NOT_SENSIBLE: &str = "not a regular file of a sensible size";
const OTHERS_WRITE: &str = "other users may write to it";

/// Makes its check in spite of all, warns once, saying `why`, and knows when the next is due.
fn goes_on(site: &Site, mut host: Host, why: &str) {
    // Before the start, too, as nginx's module asks.
    host.status();
    host.start();
    host.expect_log("no update found");
    let next = host.next_check();
    assert!(next > 12 * 3600 - 60, "{next}");
    assert_eq!(host.run(), 0);
    host.status();
    let records = host.quit();
    let warnings: Vec<_> = records
        .iter()
        .filter(|(level, _)| *level <= WARNING)
        .collect();
    assert_eq!(warnings.len(), 1, "{records:#?}");
    assert_eq!(warnings[0].0, WARNING);
    assert!(warnings[0].1.contains("the state in "), "{records:#?}");
    assert!(warnings[0].1.contains(why), "not {why:?}: {records:#?}");
    let requests = site.server.requests().len();
    assert_eq!(requests, 2, "the check that was due, and the one by hand");
}

fn goes_on_with(why: &str, spoil: impl FnOnce(&Path)) {
    let site = Site::start();
    let state = private_dir();
    spoil(state.path());
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    goes_on(&site, Host::new(&config), why);
}

#[test]
fn corrupt() {
    for bytes in [
        &b"{\"format\":1"[..],
        b"",
        b"{}",
        b"[]",
        b"\0\0\0\0",
        b"\xff\xfe",
    ] {
        goes_on_with(NO_RECORD, |state| {
            write_private(&state.join("state.json"), bytes);
        });
    }
}

#[test]
fn huge() {
    goes_on_with(NOT_SENSIBLE, |state| {
        let file = File::create(state.join("state.json")).unwrap();
        file.set_len(8 << 30).unwrap();
    });
}

#[test]
fn nested_deeply() {
    goes_on_with(NO_RECORD, |state| {
        write_private(&state.join("state.json"), "[".repeat(400_000).as_bytes());
    });
}

#[test]
fn a_symbolic_link() {
    let elsewhere = private_dir();
    let target = elsewhere.path().join("precious");
    for name in ["state.json", "state.lock", "owner.lock"] {
        fs::write(&target, "precious").unwrap();
        goes_on_with("Too many levels", |state| {
            symlink(&target, state.join(name)).unwrap()
        });
        assert_eq!(fs::read(&target).unwrap(), b"precious", "{name}");
    }
    let missing = elsewhere.path().join("missing");
    goes_on_with("Too many levels", |state| {
        symlink(&missing, state.join("state.json")).unwrap();
    });
    assert!(!missing.exists());
}

#[test]
fn a_fifo() {
    for (name, why) in [
        ("state.json", NOT_SENSIBLE),
        ("state.lock", "state.lock is not a regular file"),
        ("owner.lock", "owner.lock is not a regular file"),
    ] {
        goes_on_with(why, |state| {
            let mut command = Command::new(require("mkfifo"));
            let made = run(command.arg(state.join(name)), Duration::from_secs(10));
            assert_eq!(made.code, Some(0));
        });
    }
}

#[test]
fn a_directory() {
    for (name, why) in [
        ("state.json", NOT_SENSIBLE),
        ("state.lock", "Is a directory"),
        ("owner.lock", "Is a directory"),
    ] {
        goes_on_with(why, |state| fs::create_dir(state.join(name)).unwrap());
    }
}

#[test]
fn a_directory_that_others_can_write_to() {
    for mode in [0o777, 0o770, 0o1777] {
        let why = if mode == 0o1777 {
            "other users may write to it; use a directory below it"
        } else {
            "other users may write to it; take that right from them, or use a directory below one"
        };
        goes_on_with(why, |state| {
            fs::set_permissions(state, fs::Permissions::from_mode(mode)).unwrap();
        });
    }
}

#[test]
fn a_missing_or_impossible_directory() {
    let parent = private_dir();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    for (state, why) in [
        (parent.path().join("missing/state"), "No such file"),
        (file, "not a directory"),
    ] {
        let site = Site::start();
        let config = with_state(&up_to_date(&site, json!({})), &state);
        goes_on(&site, Host::new(&config), why);
    }
    assert!(!parent.path().join("missing").exists());
}

/// What a host wrote, with every time in it moved.
fn moved(value: &mut Value, seconds: i64) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_i64() {
                    Some(time) if key == "boot" || key == "wall" => *value = json!(time + seconds),
                    _ => moved(value, seconds),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| moved(value, seconds)),
        _ => {}
    }
}

#[test]
fn dated_2099() {
    const YEARS: i64 = 73 * 365 * 24 * 3600;
    for boot_id in [None, Some("another boot")] {
        let site = Site::start();
        let state = private_dir();
        let config = with_state(&up_to_date(&site, json!({})), state.path());
        let mut host = Host::started(&config);
        host.expect_log("no update found");
        host.quit();
        assert_one_request(&site);

        let path = state.path().join("state.json");
        let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        moved(&mut record, YEARS);
        if let Some(boot_id) = boot_id {
            record["boot_id"] = json!(boot_id);
        }
        fs::write(&path, record.to_string()).unwrap();

        // A host whose clock is right does not wait until then.
        let other = Site::start();
        let config = with_state(&up_to_date(&other, json!({})), state.path());
        goes_on(&other, Host::new(&config), "dated in the future");
    }
}

/// On a file system of its own, which no other user may write to: what stands in the way is what the test says.
fn goes_on_with_mount(mount_it: &str, why: &str) {
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let command = mounted(mount_it, state.path(), &Host::command());
    let host = Host::with(command, &config);
    goes_on(&site, host, why);
}

#[test]
fn a_full_disk() {
    goes_on_with_mount(
        "mount -t tmpfs -o mode=700,size=64k psc-test \"$1\"; \
         dd if=/dev/zero of=\"$1/filler\" bs=4k 2>/dev/null || true",
        "No space left",
    );
}

#[test]
fn a_disk_without_a_free_inode() {
    // One is the directory's.
    let mount = "mount -t tmpfs -o mode=700,nr_inodes=1 psc-test \"$1\"";
    goes_on_with_mount(mount, "No space left");
}

#[test]
fn a_read_only_file_system() {
    let mount = "mount -t tmpfs -o mode=700,ro psc-test \"$1\"";
    goes_on_with_mount(mount, "Read-only file system");
}

/// As another user, for whom the server's public files and the program are readable.
fn as_nobody(site: &Site, place: &Path) -> Command {
    for path in [Path::new(&site.path("")), place] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in [
        "ca.pem",
        "update_check_client_cert.pem",
        "update_check_server_pubkey.pem",
    ] {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let program_there = place.join("host");
    // By a program of its own: a descriptor open for writing, inherited by what another test starts just then, would keep
    // the copy from being executed (ETXTBSY).
    let mut copy = Command::new("cp");
    copy.args([program("host", Link::Static).as_path(), &program_there]);
    assert_eq!(run(&mut copy, Duration::from_secs(60)).code, Some(0));
    let mut command = Command::new(require("setpriv"));
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(program_there);
    command
}

#[test]
fn of_another_user() {
    if !is_root() {
        return psc_testkit::skip("of_another_user", "becoming another user needs root");
    }
    const THIRD: u32 = 65533;
    // Nothing may be made in it; nothing may be read in it; its files may be neither read nor changed. A third user's may be
    // made to be read.
    for (owner, mode, with_files, why) in [
        (0, 0o755, false, "Permission denied"),
        (0, 0o700, true, "Permission denied"),
        (0, 0o777, true, OTHERS_WRITE),
        (THIRD, 0o755, true, "it belongs to another user"),
    ] {
        let site = Site::start();
        let place = private_dir();
        let state = place.path().join("state");
        fs::create_dir(&state).unwrap();
        if with_files {
            for name in ["state.json", "state.lock", "owner.lock"] {
                fs::write(state.join(name), "{}").unwrap();
                fs::set_permissions(state.join(name), fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        chown(&state, Some(owner), None).unwrap();
        let config = with_state(&up_to_date(&site, json!({})), &state);
        let host = Host::with(as_nobody(&site, place.path()), &config);
        goes_on(&site, host, why);
    }
}

/// By root, before it dropped its privileges: the directory is the server's own, and so is what it makes of its files.
#[test]
fn files_of_another_user_in_its_own_directory() {
    if !is_root() {
        return psc_testkit::skip(
            "files_of_another_user_in_its_own_directory",
            "becoming another user needs root",
        );
    }
    const NOBODY: u32 = 65534;
    let site = Site::start();
    let place = private_dir();
    let state = place.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    let files = ["state.json", "state.lock", "owner.lock"].map(|name| state.join(name));
    for file in &files {
        write_private(file, b"{}");
    }
    let command = as_nobody(&site, place.path());
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    let config = with_state(&up_to_date(&site, json!({})), &state);
    let mut host = Host::with(command, &config);
    host.start();
    host.expect_log("no update found");
    host.wait_for_status("ownership", |status| status["owner"] == true);
    let records = host.quit();
    // What was known is lost, and that is said.
    let mut warnings = records.iter().filter(|(level, _)| *level <= WARNING);
    let (_, line) = warnings.next().expect("a line");
    assert!(
        line.contains("uid 0), and what was known is lost; it is replaced"),
        "{line}"
    );
    assert_eq!(warnings.count(), 0, "{records:#?}");
    for file in &files {
        assert_eq!(file.metadata().unwrap().uid(), NOBODY, "{file:?}");
    }
    assert_one_request(&site);
}

/// A directory that can be used again after the next start is.
#[test]
fn what_was_repaired_is_used_again() {
    let site = Site::start();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    fs::create_dir(state.path().join("owner.lock")).unwrap();
    let mut host = Host::started(&config);
    host.expect_log("no update found");
    host.stop();
    // As long as it is not, each start is worth a line.
    host.start();
    host.expect_log_times("cannot be used", 2);
    host.stop();
    fs::remove_dir(state.path().join("owner.lock")).unwrap();
    host.start();
    host.wait_for_status("ownership", |status| status["owner"] == true);
    host.quit();
    assert_one_request(&site);
}

/// Nobody has to restart anything: it is tried again when there is something to do.
#[test]
fn what_was_repaired_meanwhile_is_shared_at_the_next_check() {
    let site = Site::start();
    let state = private_dir();
    let mut clock = Clock::new();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    fs::create_dir(state.path().join("owner.lock")).unwrap();
    let mut hosts = [0, 1].map(|_| {
        let mut host = Host::with(clock.command(), &config);
        host.start();
        host.expect_log("cannot be used");
        host
    });
    for host in &mut hosts {
        host.wait_for_status("a verdict", |status| status["verdict"] == "ok");
        host.wait_for_rest();
    }
    let before = site.server.requests().len();
    fs::remove_dir(state.path().join("owner.lock")).unwrap();
    clock.pass(NEXT_CHECK);
    let [one, other] = &mut hosts;
    one.wait_for_status("one owner", |status| {
        (status["owner"] == true) != (other.status()["owner"] == true)
    });
    for host in [one, other] {
        host.wait_for_status("a next check", |status| {
            let next = status["next_check"].as_i64();
            next.is_some_and(|next| next > 12 * 3600 - 60)
        });
        host.wait_for_rest();
    }
    assert_eq!(site.server.requests().len(), before + 1);
}

/// Who owns a directory on the way can put another one in the place of the last.
#[test]
fn below_another_users_directory() {
    if !is_root() {
        return psc_testkit::skip("below_another_users_directory", "needs root");
    }
    let site = Site::start();
    let place = private_dir();
    let home = place.path().join("home");
    fs::create_dir_all(home.join("state")).unwrap();
    chown(&home, Some(65534), None).unwrap();
    let config = with_state(&up_to_date(&site, json!({})), &home.join("state"));
    goes_on(
        &site,
        Host::new(&config),
        "who could put another directory in its place; use a directory below one that only root",
    );
    assert_eq!(fs::read_dir(home.join("state")).unwrap().count(), 0);
}

/// Set up by root, as systemd's StateDirectory is under DynamicUser.
#[test]
fn behind_a_link_of_roots() {
    let site = Site::start();
    let place = private_dir();
    fs::create_dir(place.path().join("private")).unwrap();
    symlink("private/psc", place.path().join("psc")).unwrap();
    let config = with_state(&up_to_date(&site, json!({})), &place.path().join("psc"));
    let mut host = Host::started(&config);
    host.expect_log("no update found");
    let records = host.quit();
    assert!(
        records.iter().all(|(level, _)| *level > WARNING),
        "{records:#?}"
    );
    assert!(place.path().join("private/psc/state.json").exists());
}
