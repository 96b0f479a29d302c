//! A host process that does what a test tells it: c-tests/lifecycle/host.c.

use crate::support::program;
use psc::ffi::codes::PSC_ERR_STATE;
use psc_testkit::printed::{LogLine, log_line, objects};
use psc_testkit::{Link, proc, wait_until};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// Killed, if it has not left by then, when dropped.
pub struct Host {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// Every line so far.
    pub log: Vec<LogLine>,
    /// Every result of the schedule so far.
    pub results: Vec<Value>,
}

impl Host {
    pub fn command() -> Command {
        Command::new(program("host", Link::Shared))
    }

    /// Configured, and its first check comes at once; not started.
    pub fn new(config: &Value) -> Host {
        Host::with(Host::command(), config)
    }

    pub fn with(mut command: Command, config: &Value) -> Host {
        let mut child = command
            // Cargo's, where the library of the tests' own build is.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut host = Host {
            child,
            stdin,
            lines,
            log: Vec::new(),
            results: Vec::new(),
        };
        host.configure(config);
        host.configure(&json!({ "start_delay": 0, "start_jitter": 0 }));
        host
    }

    pub fn started(config: &Value) -> Host {
        let mut host = Host::new(config);
        host.start();
        host
    }

    fn send(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").expect("the host reads its commands");
    }

    /// The next object that is no log line.
    fn answer(&mut self) -> Map<String, Value> {
        let started = Instant::now();
        loop {
            if let Some(answer) = self.next_answer(LIMIT.saturating_sub(started.elapsed())) {
                return answer;
            }
            assert!(started.elapsed() < LIMIT, "no answer; {:?}", self.log);
        }
    }

    /// Takes what the host printed next, if that comes in time: a log line is kept, an answer returned.
    fn next_answer(&mut self, limit: Duration) -> Option<Map<String, Value>> {
        let line = match self.lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => panic!("the host has died: {:?}", self.log),
        };
        let mut object = objects(&line).remove(0);
        if let Some(line) = log_line(&object) {
            self.log.push(line);
            return None;
        }
        if let Some(result) = object.remove("result") {
            self.results.push(result);
            return None;
        }
        Some(object)
    }

    fn call(&mut self, command: &str) -> i32 {
        self.send(command);
        let code = self.answer()["returned"].as_i64().expect("a code");
        i32::try_from(code).expect("a code")
    }

    /// A check by hand that nobody waits for.
    pub fn begin_run(&mut self) {
        self.send("run");
    }

    pub fn configure(&mut self, config: &Value) {
        assert_eq!(self.call(&format!("configure {config}")), 0, "{config}");
    }

    pub fn start(&mut self) {
        assert_eq!(self.call("start"), 0);
    }

    pub fn stop(&mut self) {
        assert_eq!(self.call("stop"), 0);
    }

    /// A check by hand, as soon as the one that is in flight, if any, has ended.
    pub fn run(&mut self) -> i32 {
        let mut code = 0;
        wait_until("the end of the check in flight", LIMIT, || {
            code = self.call("run");
            code != PSC_ERR_STATE
        });
        code
    }

    /// Waits until psc's thread has looked what is to be done and gone to sleep, more than once: in time that a test makes.
    pub fn wait_for_rest(&self) {
        let before = self.rests();
        wait_until("the thread's rest", LIMIT, || self.rests() > before + 4);
    }

    /// How often psc's thread has gone to sleep.
    fn rests(&self) -> u64 {
        let statuses = proc::of_threads(self.child.id(), "status");
        let thread = statuses
            .iter()
            .find(|status| status.starts_with("Name:\tpsc\n"));
        let status = thread.map_or("", String::as_str);
        let count = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.map_or(0, |count| count.trim().parse().expect("a number"))
    }

    /// Clock ticks, a hundredth of a second each, that the process has computed for so far.
    pub fn processor_ticks(&self) -> u64 {
        proc::processor_ticks(self.child.id())
    }

    pub fn status(&mut self) -> Value {
        self.send("status");
        self.answer()["json"].clone()
    }

    /// The log lines with that phrase, those included that were logged until now.
    pub fn log_lines(&mut self, phrase: &str) -> Vec<LogLine> {
        self.status();
        let found = self.log.iter().filter(|(_, text)| text.contains(phrase));
        found.cloned().collect()
    }

    /// Waits for so many log lines with that phrase.
    pub fn expect_log_times(&mut self, phrase: &str, times: usize) -> LogLine {
        let started = Instant::now();
        loop {
            let mut found = self.log.iter().filter(|(_, text)| text.contains(phrase));
            if let Some(record) = found.nth(times - 1) {
                return record.clone();
            }
            assert!(
                started.elapsed() < LIMIT,
                "no log line contains {phrase:?}: {:#?}",
                self.log
            );
            let other = self.next_answer(LIMIT.saturating_sub(started.elapsed()));
            assert_eq!(other, None, "an answer that nobody asked for");
        }
    }

    /// Waits for so many results of the schedule that tell of an update; the last one.
    pub fn expect_updates(&mut self, count: usize) -> Value {
        let started = Instant::now();
        loop {
            let mut updates = self.results.iter().filter(|result| result["code"] == 1);
            if let Some(update) = updates.nth(count - 1) {
                return update.clone();
            }
            assert!(started.elapsed() < LIMIT, "{:?}", self.results);
            let other = self.next_answer(LIMIT.saturating_sub(started.elapsed()));
            assert_eq!(other, None, "an answer that nobody asked for");
        }
    }

    pub fn expect_log(&mut self, phrase: &str) -> LogLine {
        self.expect_log_times(phrase, 1)
    }

    /// Waits until the status is as wanted.
    pub fn wait_for_status(&mut self, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let mut status = Value::Null;
        wait_until(what, LIMIT, || {
            status = self.status();
            wanted(&status)
        });
        status
    }

    /// Waits until it knows when the next check is due; returns in how many seconds.
    pub fn next_check(&mut self) -> i64 {
        let planned = |status: &Value| status["next_check"].as_i64().is_some_and(|next| next > 0);
        let status = self.wait_for_status("a next check", planned);
        status["next_check"].as_i64().expect("a number")
    }

    /// Leaves properly; everything that it logged.
    pub fn quit(mut self) -> Vec<LogLine> {
        self.send("quit");
        let status = self.child.wait().expect("a status");
        assert!(status.success(), "{status}; {:?}", self.log);
        while let Ok(line) = self.lines.recv() {
            let object = objects(&line).remove(0);
            if object.contains_key("result") {
                continue;
            }
            self.log
                .push(log_line(&object).expect("only log lines and results after the end"));
        }
        std::mem::take(&mut self.log)
    }

    /// By SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("a status");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A host of that configuration with a state directory.
pub fn with_state(config: &Value, state_dir: &Path) -> Value {
    let mut config = config.clone();
    config["state_dir"] = json!(state_dir);
    config
}
