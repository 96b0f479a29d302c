//! Whose the state directory is: root makes it for the workers, and gives away nothing else.

use crate::checks::{self, OUTDATED};
use crate::server::{NOBODY, Nginx, SOON};
use psc_testkit::{Site, is_root, skip, user_id, wait_until};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

fn owner(path: &Path) -> u32 {
    fs::metadata(path).expect("the directory").uid()
}

fn directory(nginx: &Nginx, name: &str) -> std::path::PathBuf {
    let path = nginx.path(name);
    fs::create_dir(&path).expect("a directory");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
    path
}

#[test]
fn a_link_of_roots_is_as_good_as_the_directory() {
    if !is_root() {
        return skip("a link of root's", "only root makes one");
    }
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let real = directory(&nginx, "real");
    chown(&real, Some(user_id("www-data")), None).expect("chown");
    let link = nginx.path("link");
    symlink(&real, &link).expect("a link");
    nginx.config.set_path("state_path", &link);
    nginx.start();
    nginx.wait_for_line("no update found");
    assert!(real.join("state.json").is_file());
    assert_eq!(nginx.log_lines("state directory"), [] as [String; 0]);
    nginx.end_clean();
}

/// Neither by "nginx -t" nor by a start.
#[test]
fn what_is_shared_or_behind_a_workers_link_is_not_given_away() {
    if !is_root() {
        return skip("what root gives away", "only root can");
    }
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let (ours, site) = (directory(&nginx, "ours"), directory(&nginx, "site"));
    let shared = directory(&nginx, "shared");
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).expect("chmod");
    symlink(&ours, site.join("state")).expect("a link");
    let worker = Some(user_id("www-data"));
    lchown(site.join("state"), worker, worker).expect("chown");
    chown(&site, worker, worker).expect("chown");

    // What lies below a directory of the server's own is the server's affair: root leaves it alone, and psc tells in the worker.
    for (path, level) in [(site.join("state"), "[warn]"), (shared.clone(), "[error]")] {
        nginx.config.set_path("state_path", &path);
        let done = nginx.test();
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert_eq!((owner(&ours), owner(&shared)), (0, 0));
        nginx.start();
        let line = nginx.wait_for_line(&format!("{} cannot be used", path.display()));
        assert!(line.contains(level), "{line}");
        assert_eq!((owner(&ours), owner(&shared)), (0, 0));
        nginx.end(libc::SIGQUIT);
    }
    assert!(
        nginx
            .wait_for_line(&format!("state directory {}", shared.display()))
            .contains("use a directory below it")
    );
}

/// The new user knows what the old one knew, and goes on with it.
#[test]
fn another_user_is_given_what_is_known() {
    if !is_root() {
        return skip("another user of nginx's", "only root has one");
    }
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.set("version", OUTDATED);
    let mut nginx = Nginx::started(&config);
    nginx.wait_for_line("security update is available");
    nginx.config.user = "nobody nogroup".to_string();
    nginx.reload();
    let worker = nginx.only_worker();
    nginx.wait_for_owner("the new worker", SOON, |pid| pid == worker);
    for path in ["state", "state/state.json"] {
        assert_eq!(owner(&nginx.path(path)), NOBODY, "{path}");
    }
    wait_until("what the old worker knew", SOON, || {
        nginx.status()["verdict"] == "update"
    });
    // The old worker, which leaves, says nothing of a directory that is not its user's any more.
    for user in ["www-data", "nobody nogroup", "www-data"] {
        nginx.config.user = user.to_string();
        nginx.reload();
    }
    assert_eq!(nginx.log_lines("belongs to another"), [] as [String; 0]);
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}
