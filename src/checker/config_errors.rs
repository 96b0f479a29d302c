//! What was wrong with each thread's last refused configuration, by key.

use super::per_thread::PerThread;
use crate::config::error::{ConfigError, Problem};
use crate::sync::lock;
use serde_json::{Value, json};
use std::sync::Mutex;

pub struct ConfigErrors(Mutex<PerThread<Vec<Problem>>>);

impl ConfigErrors {
    pub fn new() -> ConfigErrors {
        ConfigErrors(Mutex::new(PerThread::new()))
    }

    /// Of this thread; `None`: its last configuration was not refused.
    pub fn set(&self, error: Option<&ConfigError>) {
        let problems = error.map(|error| error.problems.clone());
        lock(&self.0).set(problems);
    }

    /// Of this thread: `[{"key": ..., "text": ...}]`.
    pub fn get(&self) -> Value {
        let all = lock(&self.0);
        all.get()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .map(|problem| json!({ "key": problem.key, "text": problem.text }))
            .collect()
    }
}
