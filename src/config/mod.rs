//! The configuration of contract section 3: merged, validated and loaded as a whole or not at all.
//!
//! `settings` holds the values, `files` what the named files contain, `check_config` what a check needs.

pub mod ca_bundle;
pub mod check_config;
pub mod client_identity;
pub mod environment;
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
use files::Files;
use serde_json::{Map, Value};
use settings::Settings;
use std::sync::Arc;

/// Why a configuration was not applied.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub code: Code,
    pub text: String,
}

/// The keys that were given so far and what they came to.
#[derive(Clone)]
pub struct Config {
    given: Map<String, Value>,
    pub settings: Arc<Settings>,
    /// As it was at the latest call.
    pub environment: Arc<Environment>,
    pub files: Files,
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

    /// The configuration with the keys of `json` merged into it; `null` puts a key back to its default.
    ///
    /// Files that this call names are read now; others keep the bytes that were read before, so that a later call
    /// works after privileges were dropped or a chroot was entered. The environment is read in each call.
    pub fn merged(&self, json: &[u8]) -> Result<Config, Rejection> {
        let changes = json::object(json).map_err(|text| Rejection {
            code: Code::Config,
            text: format!("the configuration is {text}"),
        })?;
        let environment = Arc::new(Environment::capture());
        let mut given = self.given.clone();
        for (key, value) in &changes {
            match value {
                Value::Null => given.remove(key),
                value => given.insert(key.clone(), value.clone()),
            };
        }
        // A null for a key that does not exist is as unknown as any other value for it.
        let unknown = changes.keys().filter(|key| !settings::is_known(key));
        let (settings, mut problems) = Settings::read(&given, unknown);
        let is_named_now = |key: &str| changes.contains_key(key);
        let code = if problems.is_empty() {
            Code::File
        } else {
            Code::Config
        };
        let files = match self
            .files
            .reloaded(&settings, &environment, &given, &is_named_now)
        {
            Ok(files) if problems.is_empty() => files,
            Ok(_) => return Err(rejection(code, &problems)),
            Err(files) => {
                // Beside wrong keys only the files that this call names are worth a word.
                let is_named = |problem: &String| {
                    code == Code::File
                        || problem
                            .split_once(':')
                            .is_some_and(|(key, _)| is_named_now(key))
                };
                problems.extend(files.into_iter().filter(is_named));
                return Err(rejection(code, &problems));
            }
        };
        Ok(Config {
            given,
            settings: Arc::new(settings),
            environment,
            files,
        })
    }
}

fn rejection(code: Code, problems: &[String]) -> Rejection {
    Rejection {
        code,
        text: problems.join("; "),
    }
}
