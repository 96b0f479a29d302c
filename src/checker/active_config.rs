//! The configuration that is in force, and what was logged about it: each problem once, not at every call.

use crate::config::Config;
use crate::sync::lock;
use std::sync::{Arc, Mutex};

pub struct ActiveConfig {
    current: Mutex<Config>,
    logged: Mutex<Logged>,
}

/// What was logged last.
#[derive(Default)]
struct Logged {
    /// Why no check can be made for now.
    problems: Option<String>,
    /// Certificates that were passed over.
    skipped: Option<String>,
}

impl ActiveConfig {
    pub fn new(config: Config) -> ActiveConfig {
        ActiveConfig {
            current: Mutex::new(config),
            logged: Mutex::default(),
        }
    }

    /// A copy, as it is now.
    pub fn get(&self) -> Config {
        lock(&self.current).clone()
    }

    /// Puts `config` in force unless another one than `before` is by now; `then` runs before anybody sees it.
    pub fn replace(&self, before: &Config, config: Config, then: impl FnOnce()) -> bool {
        let mut current = lock(&self.current);
        let is_same = Arc::ptr_eq(&current.settings, &before.settings);
        if is_same {
            then();
            *current = config;
        }
        is_same
    }

    /// Whether these problems are to be logged.
    pub fn is_new_problem(&self, text: Option<&str>) -> bool {
        is_new(&mut lock(&self.logged).problems, text)
    }

    /// Whether these certificates are to be logged.
    pub fn is_newly_skipped(&self, text: Option<&str>) -> bool {
        is_new(&mut lock(&self.logged).skipped, text)
    }
}

/// Whether there is something to log that is not what was logged last.
fn is_new(logged: &mut Option<String>, text: Option<&str>) -> bool {
    let is_new = text.is_some() && logged.as_deref() != text;
    *logged = text.map(str::to_owned);
    is_new
}
