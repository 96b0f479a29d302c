//! A configuration that a check can be made with: nothing in it is missing.

use super::Config;
use super::environment::Environment;
use super::keys::{ClientIdentity, PublicKey, hex};
use super::materials::Licence;
use super::settings::Settings;
use super::trust::Trust;
use crate::state::store::Question;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Clone)]
pub struct CheckConfig {
    pub passenger_version: String,
    pub server_identifier: String,
    pub settings: Arc<Settings>,
    pub environment: Arc<Environment>,
    /// `None` only where nothing is to be sent: checks are disabled and there is no store.
    pub trust: Option<Arc<Trust>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    pub server_keys: Arc<Vec<PublicKey>>,
    pub licence: Option<Licence>,
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
}

fn digest(value: &Value) -> String {
    hex(&openssl::sha::sha256(value.to_string().as_bytes()))
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
        Some(CheckConfig {
            passenger_version: settings.passenger_version.clone()?,
            server_identifier: settings.server_identifier.clone()?,
            settings: Arc::clone(settings),
            environment: Arc::clone(&self.environment),
            trust: self.materials.trust.clone(),
            client_identity: self.materials.client_identity.clone(),
            server_keys: self.materials.server_keys.clone()?,
            licence: self.materials.licence(),
        })
    }
}
