//! A configuration that a check can be made with, or that says why it cannot.

use super::Config;
use super::client_identity::ClientIdentity;
use super::environment::Environment;
use super::files::{CachedFile, Files, License};
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
    /// `None` only with an error.
    pub trust_store: Option<Arc<TrustStore>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    /// Empty only with an error.
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
        let files = &self.files;
        let mut errors = Vec::new();
        let server_keys = files.server_keys.as_deref().map(CachedFile::cached);
        let server_keys = usable(server_keys, &mut errors).unwrap_or_default();
        let unknown = server_keys.iter().find_map(|key| key.key.as_ref().err());
        errors.extend(unknown.cloned());
        let key_error = errors.first().cloned();
        let client_identity = files.client_identity.as_deref().map(CachedFile::cached);
        let client_identity = usable(client_identity, &mut errors);
        let invalid = |identity: &Arc<ClientIdentity>| identity.validity_error(now());
        errors.extend(client_identity.as_ref().and_then(invalid));
        let trust_store = usable(trust_store, &mut errors);
        let license = usable(files.license().transpose(), &mut errors);
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

/// What was read, if it was; why it was not goes to `errors`.
fn usable<T>(read: Option<Result<T, Error>>, errors: &mut Vec<Error>) -> Option<T> {
    read?.map_err(|error| errors.push(error)).ok()
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
        if self.settings.is_complete() && self.settings.disabled {
            return Readiness::Disabled;
        }
        self.check_config().map_or(Readiness::Incomplete, |config| {
            Readiness::Ready(Box::new(config))
        })
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
