//! A configuration that a check can be made with, or that says why it cannot.

use super::Config;
use super::client_identity::ClientIdentity;
use super::environment::Environment;
use super::files::{Files, License};
use super::public_key::PublicKey;
use super::question::Question;
use super::settings::Settings;
use super::trust_store::{CachedTrustStore, TrustStore};
use crate::digest::sha256_hex;
use crate::error::Error;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone)]
pub struct CheckConfig {
    pub passenger_version: String,
    pub server_identifier: String,
    pub settings: Arc<Settings>,
    pub environment: Arc<Environment>,
    /// `None` only with a trouble.
    pub trust_store: Option<Arc<TrustStore>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    /// Empty only with a trouble.
    pub server_keys: Arc<Vec<PublicKey>>,
    pub license: Option<License>,
    /// Why an answer cannot be verified.
    pub key_error: Option<Error>,
    /// Why a check cannot be made, the first reason first.
    pub errors: Vec<Error>,
    files: Files,
}

impl CheckConfig {
    /// What is asked: an answer counts for nothing else.
    pub fn question(&self) -> Question {
        let asked = json!([
            self.settings.program_name,
            self.passenger_version,
            self.server_identifier,
        ]);
        let mut keys: Vec<&str> = self
            .server_keys
            .iter()
            .map(|key| key.fingerprint.as_str())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Question {
            asked: digest(&asked),
            keys: digest(&json!(keys)),
        }
    }

    /// Whom a check asks, and how: another one is worth a check of its own. A digest, because a URL may hold a secret.
    pub fn subject(&self) -> String {
        digest(&json!([
            self.settings.url.as_str(),
            self.settings.proxy.masked(),
            self.settings.certificate_path,
        ]))
    }

    /// As it is at this moment, for a check: the certificate authorities are read anew, and what could not be read, or has
    /// expired, once more. Reads files.
    pub fn refreshed(&self) -> CheckConfig {
        self.files.refresh(now());
        let trust_store = self
            .files
            .trust_store
            .as_deref()
            .map(CachedTrustStore::refreshed);
        self.with_files(trust_store)
    }

    /// As [`CheckConfig::refreshed`], for what an answer is verified with.
    pub fn with_keys_refreshed(&self) -> CheckConfig {
        self.files.refresh_keys();
        self.with_cached_files()
    }

    fn with_cached_files(&self) -> CheckConfig {
        let trust_store = self
            .files
            .trust_store
            .as_deref()
            .map(CachedTrustStore::cached);
        self.with_files(trust_store)
    }

    fn with_files(&self, trust_store: Option<Result<Arc<TrustStore>, Error>>) -> CheckConfig {
        let mut errors = Vec::new();
        let mut take = |error: Error| errors.push(error);
        let server_keys = match self.files.server_keys.as_ref().map(|file| file.cached()) {
            Some(Ok(keys)) => {
                let unknown = keys.iter().find_map(|key| key.key.as_ref().err());
                unknown.into_iter().cloned().for_each(&mut take);
                keys
            }
            Some(Err(error)) => {
                take(error);
                Arc::default()
            }
            None => Arc::default(),
        };
        let key_error = errors.first().cloned();
        let mut take = |error: Error| errors.push(error);
        let client_identity = match self
            .files
            .client_identity
            .as_ref()
            .map(|file| file.cached())
        {
            Some(Ok(identity)) => {
                identity
                    .validity_error(now())
                    .into_iter()
                    .for_each(&mut take);
                Some(identity)
            }
            Some(Err(error)) => {
                take(error);
                None
            }
            None => None,
        };
        let trust_store = match trust_store {
            Some(Ok(trust_store)) => Some(trust_store),
            Some(Err(error)) => {
                take(error);
                None
            }
            None => None,
        };
        let license = self.files.license().unwrap_or_else(|error| {
            take(error);
            None
        });
        CheckConfig {
            trust_store,
            client_identity,
            server_keys,
            license,
            key_error,
            errors,
            ..self.clone()
        }
    }
}

fn digest(value: &Value) -> String {
    sha256_hex(value.to_string().as_bytes())
}

/// What a configuration allows.
pub enum Readiness {
    /// A required key is not set.
    Incomplete,
    Disabled,
    Ready(Box<CheckConfig>),
}

impl Config {
    pub fn readiness(&self) -> Readiness {
        match self.check_config() {
            _ if self.settings.is_complete() && self.settings.disabled => Readiness::Disabled,
            Some(config) => Readiness::Ready(Box::new(config)),
            None => Readiness::Incomplete,
        }
    }

    /// All that a check needs, whether or not checks are disabled.
    pub fn check_config(&self) -> Option<CheckConfig> {
        let settings = &self.settings;
        let config = CheckConfig {
            passenger_version: settings.passenger_version.clone()?,
            server_identifier: settings.server_identifier.clone()?,
            settings: Arc::clone(settings),
            environment: Arc::clone(&self.environment),
            trust_store: None,
            client_identity: None,
            server_keys: Arc::default(),
            license: None,
            key_error: None,
            errors: Vec::new(),
            files: self.files.clone(),
        };
        Some(config.with_cached_files())
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
