//! What was wrong with each thread's last refused configuration, by key.

use crate::config::error::{ConfigError, Problem};
use crate::sync::{ThreadMark, lock};
use serde_json::{Value, json};
use std::sync::Mutex;

pub struct ConfigErrors(Mutex<Vec<(ThreadMark, Vec<Problem>)>>);

impl ConfigErrors {
    pub fn new() -> ConfigErrors {
        ConfigErrors(Mutex::default())
    }

    /// Of this thread; `None`: its last configuration was not refused.
    pub fn set(&self, error: Option<&ConfigError>) {
        let thread = ThreadMark::of_this_thread();
        let problems = error.map(|error| (thread, error.problems.clone()));
        let mut all = lock(&self.0);
        all.retain(|(of, _)| *of != thread);
        all.extend(problems);
    }

    /// Of this thread: `[{"key": ..., "text": ...}]`.
    pub fn get(&self) -> Value {
        let thread = ThreadMark::of_this_thread();
        let all = lock(&self.0);
        let own = all.iter().find(|(of, _)| *of == thread);
        own.map_or(&[][..], |(_, problems)| problems)
            .iter()
            .map(|problem| json!({ "key": problem.key, "text": problem.text }))
            .collect()
    }
}
