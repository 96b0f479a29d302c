//! A configuration that a check can be made with: nothing in it is missing.

use super::Config;
use super::keys::{ClientIdentity, PublicKey};
use super::materials::Licence;
use super::settings::Settings;
use super::trust::Trust;
use std::sync::Arc;

#[derive(Clone)]
pub struct CheckConfig {
    pub passenger_version: String,
    pub server_identifier: String,
    pub settings: Arc<Settings>,
    pub trust: Arc<Trust>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    pub server_keys: Arc<Vec<PublicKey>>,
    pub licence: Option<Arc<Licence>>,
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
        let settings = &self.settings;
        let (Some(version), Some(identifier)) =
            (&settings.passenger_version, &settings.server_identifier)
        else {
            return Readiness::Incomplete;
        };
        if settings.disabled {
            return Readiness::Disabled;
        }
        let (Some(trust), Some(server_keys)) = (&self.materials.trust, &self.materials.server_keys)
        else {
            return Readiness::Incomplete;
        };
        Readiness::Ready(Box::new(CheckConfig {
            passenger_version: version.clone(),
            server_identifier: identifier.clone(),
            settings: Arc::clone(settings),
            trust: Arc::clone(trust),
            client_identity: self.materials.client_identity.clone(),
            server_keys: Arc::clone(server_keys),
            licence: self.materials.licence.clone(),
        }))
    }
}
