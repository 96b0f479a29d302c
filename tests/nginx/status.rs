//! The status page.

use crate::checks;
use crate::config::Config;
use crate::server::{Nginx, SOON};
use psc_testkit::{Site, wait_until};
use std::collections::BTreeSet;

#[test]
fn the_status_page_is_json_and_not_kept() {
    let site = Site::start_with_shared_keys();
    let nginx = Nginx::started(&checks::config(&site));
    nginx.wait_for_line("no update found");
    let answer = nginx.get("/psc");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("\r\nContent-Type: application/json\r\n"),
        "{}",
        answer.head
    );
    assert!(
        answer.head.contains("\r\nCache-Control: no-store"),
        "{}",
        answer.head
    );
    assert!(answer.body.ends_with("}\n"), "{}", answer.body);
    assert!(nginx.status().is_object());

    let head = nginx.ask("HEAD", "/psc");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(nginx.ask(method, "/psc").status, 405, "{method}");
    }
    nginx.end_clean();
}

/// The workers share the state directory: whichever answers knows the last result.
#[test]
fn every_worker_knows_the_state() {
    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.workers = "4".to_string();
    // The kernel gives each worker its part of the connections.
    config.listen = "reuseport".to_string();
    config.http = "add_header X-Worker $pid;".to_string();
    let nginx = Nginx::started(&config);
    nginx.wait_for_line("no update found");
    let mut workers = BTreeSet::new();
    wait_until("an answer of each worker", SOON, || {
        let answer = nginx.get("/psc");
        let status: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(status["verdict"], "ok", "{status}");
        let worker = answer.head.split("X-Worker: ").nth(1).expect("a worker");
        workers.insert(worker.to_string());
        workers.len() == 4
    });
    nginx.end_clean();
}

#[test]
fn the_status_page_works_without_a_check() {
    let mut nginx = Nginx::new(&Config::bare());
    nginx.config.unset("state_path");
    nginx.start();
    assert_eq!(nginx.status()["running"], false);
    assert!(nginx.checking().is_empty());
    assert_eq!(nginx.log_lines("psc"), [] as [String; 0]);
    assert!(!nginx.path("psc_state").exists());
    nginx.end_clean();

    let site = Site::start_with_shared_keys();
    let mut config = checks::config(&site);
    config.disable("on");
    let mut nginx = Nginx::new(&config);
    nginx.config.unset("state_path");
    nginx.start();
    assert!(nginx.status().is_object());
    assert_eq!(site.server.connections(), 0);
    assert!(!nginx.path("psc_state").exists());
    nginx.end_clean();
}
