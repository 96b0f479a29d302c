//! A check server in a directory of its own, and configurations of psc that fit it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use psc_refserver::{Options, Server, keygen};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Stops the server and removes its directory when dropped.
pub struct Site {
    pub server: Server,
    dir: TempDir,
}

impl Site {
    /// With fresh keys.
    pub fn start() -> Site {
        Site::start_with(|_| {})
    }

    /// `change` may change how the server runs.
    pub fn start_with(change: impl FnOnce(&mut Options)) -> Site {
        let dir = tempfile::tempdir().expect("a temporary directory");
        keygen(dir.path()).expect("fresh keys");
        let mut options = Options::new(dir.path());
        change(&mut options);
        let server = Server::start(options).expect("a check server");
        Site { server, dir }
    }

    /// With the keys that all tests of this process share: making new ones takes long.
    pub fn start_with_shared_keys() -> Site {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = start_in(dir.path());
        Site { server, dir }
    }

    /// Ends the server and starts one on the same directory.
    pub fn restart(self) -> Site {
        let Site { server, dir } = self;
        drop(server);
        let server = Server::start(Options::new(dir.path())).expect("a check server");
        Site { server, dir }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file of the server's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// A configuration whose check finds an update, with the keys of `changes` in place of its own.
    pub fn config(&self, changes: Value) -> Value {
        let config = json!({
            "passenger_version": "6.0.10",
            "server_identifier": "nginx",
            "resources_dir": self.dir(),
            "certificate_path": self.path("ca.pem"),
            "url": self.server.url(),
            "proxy_url": "none",
            "timeout": 30,
        });
        merged(config, changes)
    }
}

/// Starts a check server in a directory of the caller's, with the shared keys.
pub fn start_in(dir: &Path) -> Server {
    static KEYS: OnceLock<Vec<(OsString, Vec<u8>)>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a temporary directory");
        keygen(dir.path()).expect("keys");
        fs::read_dir(dir.path())
            .expect("the keys")
            .map(|entry| entry.expect("a key"))
            .map(|entry| (entry.file_name(), fs::read(entry.path()).expect("a key")))
            .collect()
    });
    for (name, content) in keys {
        fs::write(dir.join(name), content).expect("a key's copy");
    }
    Server::start(Options::new(dir)).expect("a check server")
}

/// The keys of `more` in place of those of `base`; both are objects.
pub fn merged(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("not an object: {more}")
    };
    base.as_object_mut().expect("an object").extend(more);
    base
}
