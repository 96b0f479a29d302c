//! The configuration (docs/configuration.md): merged, validated and loaded as a whole or not at all.
//!
//! `settings` holds the values, `files` what the named files contain, `check_config` what a check needs.

pub mod ca_bundle;
pub mod check_config;
pub mod client_identity;
pub mod environment;
pub mod error;
pub mod file;
pub mod files;
pub mod inspect;
pub mod pem;
pub mod proxy;
pub mod public_key;
pub mod question;
pub mod settings;
pub mod trust_store;
pub mod url;

use crate::code::Code;
use crate::json;
use environment::Environment;
use error::{ConfigError, Problem};
use files::Files;
use serde_json::{Map, Value};
use settings::Settings;
use std::sync::Arc;

/// The keys that were given so far and what they came to.
#[derive(Clone)]
pub struct Config {
    given: Map<String, Value>,
    pub settings: Arc<Settings>,
    /// As it was at the latest call.
    pub environment: Arc<Environment>,
    pub files: Files,
}

/// What the keys of a call are added to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The keys that were given before.
    Present,
    /// The defaults.
    Defaults,
}

impl Config {
    /// Nothing given yet: defaults, no file read.
    pub fn empty() -> Config {
        Config {
            given: Map::new(),
            settings: Arc::new(Settings::defaults()),
            environment: Arc::default(),
            files: Files::default(),
        }
    }

    /// The configuration with the keys of `json` added to `base`; `null` puts a key back to its default.
    ///
    /// Files that this call names are read now; others keep the bytes that were read before, so that a later call
    /// works after privileges were dropped or a chroot was entered. From the defaults on every file is read now. The
    /// environment is read in each call.
    pub fn changed(&self, json: &[u8], base: Base) -> Result<Config, ConfigError> {
        let changes = json::object(json).map_err(|text| ConfigError {
            code: Code::Config,
            problems: vec![Problem {
                key: None,
                text: format!("the configuration is {text}"),
            }],
        })?;
        let environment = Arc::new(Environment::capture());
        let mut given = match base {
            Base::Present => self.given.clone(),
            Base::Defaults => Map::new(),
        };
        for (key, value) in &changes {
            match value {
                Value::Null => given.remove(key),
                Value::String(text) if text.is_empty() && settings::is_unset_by_empty(key) => {
                    given.remove(key)
                }
                value => given.insert(key.clone(), value.clone()),
            };
        }
        // A null for a key that does not exist is as unknown as any other value for it.
        let unknown = changes.keys().filter(|key| !settings::is_known(key));
        let (settings, mut problems) = Settings::read(&given, unknown);
        let is_named_now = |key: &str| base == Base::Defaults || changes.contains_key(key);
        let code = if problems.is_empty() {
            Code::File
        } else {
            Code::Config
        };
        let files = self
            .files
            .reloaded(&settings, &environment, &given, &is_named_now);
        let files = files.unwrap_or_else(|of_files| {
            // Beside wrong keys only the files that this call names are worth a word.
            let is_of_this_call = |problem: &Problem| {
                code == Code::File || problem.key.as_deref().is_some_and(is_named_now)
            };
            problems.extend(of_files.into_iter().filter(is_of_this_call));
            Files::default()
        });
        if !problems.is_empty() {
            return Err(ConfigError { code, problems });
        }
        Ok(Config {
            given,
            settings: Arc::new(settings),
            environment,
            files,
        })
    }
}
