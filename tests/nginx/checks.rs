//! What the tests of nginx ask of the check server, and nginx configurations that ask it.

use crate::config::Config;
use crate::server::SOON;
use psc_testkit::{Site, wait_until};
use std::time::Duration;

/// A version that the sample advisories concern, and one that they do not.
pub const OUTDATED: &str = "6.0.10";
pub const CURRENT: &str = "99.0.0";

/// nginx that checks right at its start, for a version that is up to date.
pub fn config(site: &Site) -> Config {
    let mut config = Config::bare();
    config
        .set("version", CURRENT)
        .set("url", site.server.url())
        .set("proxy", "none")
        .set_path("certificate_path", &site.path("ca.pem"))
        .set_path("resources_dir", site.dir())
        .set("start_delay", 0)
        .set("start_jitter", 0);
    config
}

/// Waits for the requests, then a moment longer, and tells how many there were.
pub fn requests_after(site: &Site, count: usize) -> usize {
    site.server
        .wait_for_requests(count, Duration::from_secs(20));
    // That no more come cannot be waited for.
    std::thread::sleep(Duration::from_millis(500));
    site.server.requests().len()
}

/// Until a check is under way: connected, shaken hands, and asked.
pub fn wait_for_check(site: &Site) {
    wait_until("a request", SOON, || !site.server.requests().is_empty());
}
