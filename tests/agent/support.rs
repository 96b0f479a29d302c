//! The agent as a process, with a check server's directory for its files.

use psc_testkit::{Link, Site, compile, merged, proc, valgrind, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const LIMIT: Duration = Duration::from_secs(60);

/// A configuration that talks to this server at once.
pub fn agent_config(site: &Site, more: Value) -> Value {
    let config = site.config(json!({
        "server_identifier": "agent",
        "start_delay": 0,
        "start_jitter": 0,
    }));
    merged(config, more)
}

/// For the agent's next start or reload.
pub fn write_config(site: &Site, config: &Value) {
    fs::write(site.path("agent.json"), config.to_string()).expect("write the configuration");
}

/// passenger_version and server_version of each request so far.
pub fn versions(site: &Site) -> Vec<(String, Value)> {
    let version = |body: &str| {
        let request: Value = serde_json::from_str(body).expect("a request");
        (
            request["passenger_version"]
                .as_str()
                .expect("a version")
                .to_owned(),
            request["server_version"].clone(),
        )
    };
    site.server
        .requests()
        .iter()
        .map(|request| version(&request.body))
        .collect()
}

/// A running agent; killed when a test leaves it behind.
pub struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    /// Starts it with the configuration that was written before, and waits until it runs.
    pub fn start(site: &Site) -> Agent {
        Agent::start_by(
            Command::new(compile("examples-c/agent.cpp", Link::Shared)),
            site,
        )
    }

    pub fn start_under_valgrind(site: &Site) -> Agent {
        Agent::start_by(
            valgrind(&compile("examples-c/agent.cpp", Link::Shared)),
            site,
        )
    }

    pub fn start_by(command: Command, site: &Site) -> Agent {
        let log = site.path("agent.log");
        if log.exists() {
            fs::remove_file(&log).expect("remove an earlier agent's log");
        }
        let agent = Agent::spawn(command, site, &log);
        agent.wait_for_log("started");
        agent
    }

    /// Does not wait for anything.
    pub fn spawn(mut command: Command, site: &Site, log: &Path) -> Agent {
        command
            .arg(site.path("agent.json"))
            .arg(log)
            .stdin(Stdio::null());
        let child = command.spawn().expect("the agent runs");
        let log = log.to_path_buf();
        Agent { child, log }
    }

    /// How many it has open.
    pub fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.expect("a running agent").count()
    }

    /// Empty when it is no plain file, which could not be read to its end.
    pub fn log(&self) -> String {
        if !self.log.is_file() {
            return String::new();
        }
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn logs(&self, part: &str) -> bool {
        self.log().contains(part)
    }

    pub fn wait_for_log(&self, part: &str) {
        wait_until(&format!("{part:?} in the agent's log"), LIMIT, || {
            self.logs(part)
        });
    }

    pub fn signal(&self, number: i32) {
        proc::signal(self.child.id(), number).expect("the agent is there");
    }

    /// Sends the signal and waits for the end: the exit code and how long it took.
    pub fn end(mut self, number: i32) -> (Option<i32>, Duration, String) {
        let asked = Instant::now();
        self.signal(number);
        let mut code = None;
        wait_until("the agent's end", LIMIT, || {
            code = self.child.try_wait().expect("wait for the agent");
            code.is_some()
        });
        (
            code.and_then(|status| status.code()),
            asked.elapsed(),
            self.log(),
        )
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
