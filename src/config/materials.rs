//! What the configured files contain: read once, checked, kept in memory.

use super::file;
use super::keys::{self, ClientIdentity, PublicKey};
use super::settings::{self, Settings};
use super::trust::Trust;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes in a licence file (64 KiB).
const LARGEST_LICENCE: u64 = 64 * 1024;

/// The licence file and the key that its one-time key is wrapped with.
#[derive(Clone)]
pub struct Licence {
    pub text: Arc<Zeroizing<Vec<u8>>>,
    pub wrapping_key: Arc<PublicKey>,
}

/// `None`: not read yet, or not configured.
#[derive(Clone, Default)]
pub struct Materials {
    pub trust: Option<Arc<Trust>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    pub server_keys: Option<Arc<Vec<PublicKey>>>,
    /// Apart from its key: either is read again when it is named alone.
    pub licence_text: Option<Arc<Zeroizing<Vec<u8>>>>,
    pub wrapping_key: Option<Arc<PublicKey>>,
}

impl Materials {
    pub fn licence(&self) -> Option<Licence> {
        Some(Licence {
            text: Arc::clone(self.licence_text.as_ref()?),
            wrapping_key: Arc::clone(self.wrapping_key.as_ref()?),
        })
    }

    /// The materials for `settings`. Read are the files that `changed` keys name, and those that were not read yet:
    /// files given by name at once, default files once the configuration is complete. While checks are disabled a
    /// default file may be missing.
    pub fn reloaded(
        &self,
        settings: &Settings,
        given: &Map<String, Value>,
        changed: &dyn Fn(&str) -> bool,
    ) -> Result<Materials, Vec<String>> {
        let loader = Loader {
            settings,
            given,
            changed,
        };
        let mut problems = Vec::new();
        let mut next = Materials::default();
        match loader.load(
            self.server_keys.as_ref(),
            settings::SERVER_PUBLIC_KEY_PATH,
            || keys::public_keys(&settings.server_public_key_path),
        ) {
            Ok(keys) => next.server_keys = keys,
            Err(problem) => problems.push(format!("server_public_key_path: {problem}")),
        }
        if let Some(path) = &settings.client_certificate_path {
            match loader.load(
                self.client_identity.as_ref(),
                settings::CLIENT_CERTIFICATE_PATH,
                || keys::client_identity(path),
            ) {
                Ok(identity) => next.client_identity = identity,
                Err(problem) => problems.push(format!("client_certificate_path: {problem}")),
            }
        }
        match loader.load(
            self.trust.as_ref(),
            settings::CERTIFICATE_PATH,
            || match &settings.certificate_path {
                Some(path) => Trust::configured(path),
                None => Trust::system(),
            },
        ) {
            Ok(trust) => next.trust = trust,
            Err(problem) => problems.push(format!("certificate_path: {problem}")),
        }
        if let Some(path) = &settings.license_path {
            match loader.load(self.licence_text.as_ref(), settings::LICENSE_PATH, || {
                file::read(path, LARGEST_LICENCE)
            }) {
                Ok(text) => next.licence_text = text,
                Err(problem) => problems.push(format!("license_path: {problem}")),
            }
        }
        if let Some(path) = &settings.license_public_key_path {
            match loader.load(
                self.wrapping_key.as_ref(),
                settings::LICENSE_PUBLIC_KEY_PATH,
                || wrapping_key(path),
            ) {
                Ok(key) => next.wrapping_key = key,
                Err(problem) => problems.push(format!("license_public_key_path: {problem}")),
            }
        }
        if problems.is_empty() {
            Ok(next)
        } else {
            Err(problems)
        }
    }
}

struct Loader<'a> {
    settings: &'a Settings,
    given: &'a Map<String, Value>,
    changed: &'a dyn Fn(&str) -> bool,
}

impl Loader<'_> {
    /// `key`: the configuration key that names the file. Without it the file lies in `resources_dir`.
    fn load<T>(
        &self,
        current: Option<&Arc<T>>,
        key: &str,
        read: impl FnOnce() -> Result<T, String>,
    ) -> Result<Option<Arc<T>>, String> {
        let named = self.given.contains_key(key);
        let changed = (self.changed)(key) || (!named && (self.changed)(settings::RESOURCES_DIR));
        if let (false, Some(current)) = (changed, current) {
            return Ok(Some(Arc::clone(current)));
        }
        if !named && !self.settings.is_complete() {
            return Ok(None);
        }
        match read() {
            Ok(value) => Ok(Some(Arc::new(value))),
            Err(_) if !named && self.settings.disabled => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

fn wrapping_key(path: &Path) -> Result<PublicKey, String> {
    let mut keys = keys::public_keys(path)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err("must hold exactly one key".to_owned()),
    }
}
