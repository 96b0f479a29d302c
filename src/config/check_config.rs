//! A configuration that a check can be made with: nothing in it is missing.

use super::Config;
use super::environment::Environment;
use super::keys::{ClientIdentity, PublicKey, hex};
use super::materials::Licence;
use super::settings::Settings;
use super::trust::Trust;
use serde_json::json;
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
    /// What a check is about: another subject is worth a check of its own. A digest, because a URL may hold a secret.
    pub fn subject(&self) -> String {
        let keys = self.server_keys.iter().map(|key| key.fingerprint.as_str());
        let subject = json!([
            self.passenger_version,
            self.settings.url.as_str(),
            self.settings.proxy.masked(),
            self.settings.certificate_path,
            keys.collect::<Vec<_>>(),
        ]);
        hex(&openssl::sha::sha256(subject.to_string().as_bytes()))
    }
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
