//! The check server of a test, and nginx configurations that ask it.

use crate::config::Config;
use psc_refserver::{Options, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// A version that the sample advisories concern, and one that they do not.
pub const OUTDATED: &str = "6.0.10";
pub const CURRENT: &str = "99.0.0";

pub struct Checks {
    pub server: Server,
    pub dir: TempDir,
}

impl Checks {
    pub fn start() -> Checks {
        let dir = tempfile::tempdir().expect("a temporary directory");
        copy_files(&keys(), dir.path());
        let server = Server::start(Options::new(dir.path())).expect("the check server");
        Checks { server, dir }
    }

    /// nginx that checks right at its start, for a version that is up to date.
    pub fn config(&self) -> Config {
        let mut config = Config::bare();
        config
            .set("version", CURRENT)
            .set("url", self.server.url())
            .set("proxy", "none")
            .set_path("certificate_path", &self.dir.path().join("ca.pem"))
            .set_path("resources_dir", self.dir.path())
            .set("start_delay", 0)
            .set("start_jitter", 0);
        config
    }

    /// Waits for the requests, then a moment longer, and tells how many there were.
    pub fn requests_after(&self, count: usize) -> usize {
        self.server
            .wait_for_requests(count, Duration::from_secs(20));
        // That no more come cannot be waited for.
        std::thread::sleep(Duration::from_millis(500));
        self.server.requests().len()
    }

    /// Until a check is under way: connected, shaken hands, and asked.
    pub fn wait_for_check(&self) {
        psc_testkit::wait_until("a request", crate::server::SOON, || {
            !self.server.requests().is_empty()
        });
    }
}

/// Made once per test process: RSA keys take their time.
fn keys() -> PathBuf {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    KEYS.get_or_init(|| {
        let dir = psc_testkit::target_dir().join(format!("nginx-keys.{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for keys");
        psc_refserver::keygen(&dir).expect("keys");
        let kept = psc_testkit::target_dir().join("nginx-keys");
        fs::remove_dir_all(&kept).ok();
        fs::rename(&dir, &kept).expect("the keys in their place");
        kept
    })
    .clone()
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the keys").flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a key's copy");
    }
}
