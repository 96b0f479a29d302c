//! Proxies and the environment, and files that only root can read.

use crate::checks;
use crate::process;
use crate::server::Nginx;
use psc_testkit::Site;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// Nobody listens on the port "discard".
const NOBODY: &str = "http://127.0.0.1:9";

#[test]
fn the_environment_does_not_count() {
    let site = Site::start_with_shared_keys();
    for proxy in ["none", ""] {
        let mut nginx = Nginx::new(&checks::config(&site));
        nginx.config.unset("proxy");
        if !proxy.is_empty() {
            nginx.config.set("proxy", proxy);
        }
        nginx.set_environment("https_proxy", NOBODY);
        nginx.start();
        nginx.wait_for_line("no update found");
        nginx.end_clean();
    }
}

#[test]
fn the_environment_counts_when_nginx_is_told_so() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.set_environment("https_proxy", NOBODY);
    nginx.config.main = "env https_proxy;".to_string();
    nginx.config.unset("proxy");
    nginx.start();
    nginx.wait_for_line("Security update check failed:");
    nginx.end_clean();

    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.set_environment("https_proxy", NOBODY);
    nginx.config.main = "env https_proxy;".to_string();
    nginx.start();
    nginx.wait_for_line("no update found");
    nginx.end_clean();
}

#[test]
fn a_proxy_password_is_told_to_nobody() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.set("proxy", "http://bob:s3cret@127.0.0.1:9");
    config.log_level = "debug".to_string();
    let nginx = Nginx::started(&config);
    nginx.wait_for_line("Security update check failed:");
    assert!(!nginx.log().contains("s3cret"), "{}", nginx.log());
    assert!(!nginx.get("/psc").body.contains("s3cret"));
    for pid in process::in_group(nginx.pid()) {
        assert!(!process::title(pid).contains("s3cret"));
    }
    nginx.end_clean();
    assert_eq!(site.server.connections(), 0);
}

/// The master reads the files, and the worker that checks has another user by then.
#[test]
fn files_may_be_for_root_only() {
    let site = Site::start_with_shared_keys();
    for entry in fs::read_dir(site.dir()).expect("the keys").flatten() {
        fs::set_permissions(entry.path(), Permissions::from_mode(0o600)).expect("chmod");
    }
    fs::set_permissions(site.dir(), Permissions::from_mode(0o700)).expect("chmod");
    let nginx = Nginx::started(&checks::config(&site));
    nginx.wait_for_line("no update found");
    if psc_testkit::is_root() {
        use std::os::unix::fs::MetadataExt;
        let worker = fs::metadata(format!("/proc/{}", nginx.only_worker())).expect("/proc");
        assert_ne!(worker.uid(), 0);
    }
    nginx.end_clean();
}
