//! A check server with keys of its own, and configurations of psc that fit it.

use psc_refserver::{Options, Server, keygen};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Stops the server and removes its directory when dropped.
pub struct Site {
    pub server: Server,
    dir: TempDir,
}

impl Site {
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

    /// A file of the server's directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    /// A configuration whose check finds an update, with the keys of `changes` in place of its own.
    pub fn config(&self, changes: Value) -> Value {
        let mut config = json!({
            "passenger_version": "6.0.10",
            "server_identifier": "nginx",
            "resources_dir": self.path(""),
            "certificate_path": self.path("ca.pem"),
            "url": self.server.url(),
            "proxy_url": "none",
            "timeout": 30,
        });
        let Value::Object(changes) = changes else {
            panic!("the changes must be an object")
        };
        config.as_object_mut().expect("an object").extend(changes);
        config
    }
}
