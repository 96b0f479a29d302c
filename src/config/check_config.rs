//! A configuration that a check can be made with, or that says why it cannot.

use super::Config;
use super::environment::Environment;
use super::identity::ClientIdentity;
use super::keys::PublicKey;
use super::materials::{License, Materials};
use super::settings::Settings;
use super::trust::{Store, Trust};
use crate::digest::sha256_hex;
use crate::failure::Failure;
use crate::state::store::Question;
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
    pub trust: Option<Arc<Trust>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    /// Empty only with a trouble.
    pub server_keys: Arc<Vec<PublicKey>>,
    pub license: Option<License>,
    /// Why an answer cannot be verified.
    pub key_trouble: Option<Failure>,
    /// Why a check cannot be made, the first reason first.
    pub troubles: Vec<Failure>,
    materials: Materials,
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
    pub fn renewed(&self) -> CheckConfig {
        self.materials.renew(now());
        let trust = self.materials.trust.as_deref().map(Store::renewed);
        self.with_materials(trust)
    }

    /// As [`CheckConfig::renewed`], for what an answer is verified with.
    pub fn with_keys_renewed(&self) -> CheckConfig {
        self.materials.renew_keys();
        self.with_held_materials()
    }

    fn with_held_materials(&self) -> CheckConfig {
        let trust = self.materials.trust.as_deref().map(Store::held);
        self.with_materials(trust)
    }

    fn with_materials(&self, trust: Option<Result<Arc<Trust>, Failure>>) -> CheckConfig {
        let mut troubles = Vec::new();
        let mut take = |failure: Failure| troubles.push(failure);
        let server_keys = match self.materials.server_keys.as_ref().map(|slot| slot.held()) {
            Some(Ok(keys)) => {
                let unknown = keys.iter().find_map(|key| key.key.as_ref().err());
                unknown.into_iter().cloned().for_each(&mut take);
                keys
            }
            Some(Err(failure)) => {
                take(failure);
                Arc::default()
            }
            None => Arc::default(),
        };
        let key_trouble = troubles.first().cloned();
        let mut take = |failure: Failure| troubles.push(failure);
        let client_identity = match self
            .materials
            .client_identity
            .as_ref()
            .map(|slot| slot.held())
        {
            Some(Ok(identity)) => {
                identity.trouble(now()).into_iter().for_each(&mut take);
                Some(identity)
            }
            Some(Err(failure)) => {
                take(failure);
                None
            }
            None => None,
        };
        let trust = match trust {
            Some(Ok(trust)) => Some(trust),
            Some(Err(failure)) => {
                take(failure);
                None
            }
            None => None,
        };
        let license = self.materials.license().unwrap_or_else(|failure| {
            take(failure);
            None
        });
        CheckConfig {
            trust,
            client_identity,
            server_keys,
            license,
            key_trouble,
            troubles,
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
            trust: None,
            client_identity: None,
            server_keys: Arc::default(),
            license: None,
            key_trouble: None,
            troubles: Vec::new(),
            materials: self.materials.clone(),
        };
        Some(config.with_held_materials())
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
