//! The configuration that is in force, and what was logged about it: each problem once, not at every call.

use crate::config::Config;
use crate::sync::lock;
use std::mem;
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

    /// Puts `config` in force, and gives back the one before; `then` runs before anybody sees it. With `only_after` nothing is
    /// done, and `config` is given back as an error, when another one than that is in force by now.
    pub fn replace(
        &self,
        only_after: Option<&Config>,
        config: Config,
        then: impl FnOnce(),
    ) -> Result<Config, Config> {
        let mut current = lock(&self.current);
        if only_after.is_some_and(|before| !Arc::ptr_eq(&current.settings, &before.settings)) {
            return Err(config);
        }
        then();
        Ok(mem::replace(&mut *current, config))
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
