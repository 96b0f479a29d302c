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
pub struct Licence {
    pub text: Zeroizing<Vec<u8>>,
    pub wrapping_key: PublicKey,
}

/// `None`: not read yet, or not configured.
#[derive(Clone, Default)]
pub struct Materials {
    pub trust: Option<Arc<Trust>>,
    pub client_identity: Option<Arc<ClientIdentity>>,
    pub server_keys: Option<Arc<Vec<PublicKey>>>,
    pub licence: Option<Arc<Licence>>,
}

impl Materials {
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
            &[settings::SERVER_PUBLIC_KEY_PATH],
            || keys::public_keys(&settings.server_public_key_path),
        ) {
            Ok(keys) => next.server_keys = keys,
            Err(problem) => problems.push(format!("server_public_key_path: {problem}")),
        }
        if let Some(path) = &settings.client_certificate_path {
            match loader.load(
                self.client_identity.as_ref(),
                &[settings::CLIENT_CERTIFICATE_PATH],
                || keys::client_identity(path),
            ) {
                Ok(identity) => next.client_identity = identity,
                Err(problem) => problems.push(format!("client_certificate_path: {problem}")),
            }
        }
        match loader.load(
            self.trust.as_ref(),
            &[settings::CERTIFICATE_PATH],
            || match &settings.certificate_path {
                Some(path) => Trust::configured(path),
                None => Trust::system(),
            },
        ) {
            Ok(trust) => next.trust = trust,
            Err(problem) => problems.push(format!("certificate_path: {problem}")),
        }
        if let (Some(path), Some(key_path)) =
            (&settings.license_path, &settings.license_public_key_path)
        {
            let keys = [settings::LICENSE_PATH, settings::LICENSE_PUBLIC_KEY_PATH];
            match loader.load(self.licence.as_ref(), &keys, || licence(path, key_path)) {
                Ok(licence) => next.licence = licence,
                Err(problem) => problems.push(problem),
            }
        }
        if let (None, Some(path)) = (&settings.license_path, &settings.license_public_key_path) {
            let read = changed(settings::LICENSE_PUBLIC_KEY_PATH).then(|| wrapping_key(path));
            problems.extend(read.and_then(Result::err));
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
    /// `keys`: the configuration keys that name the file, the first for sure. Without them it lies in `resources_dir`.
    fn load<T>(
        &self,
        current: Option<&Arc<T>>,
        keys: &[&str],
        read: impl FnOnce() -> Result<T, String>,
    ) -> Result<Option<Arc<T>>, String> {
        let named = keys.iter().any(|key| self.given.contains_key(*key));
        let changed = keys.iter().any(|key| (self.changed)(key))
            || (!named && (self.changed)(settings::RESOURCES_DIR));
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

fn licence(path: &Path, key_path: &Path) -> Result<Licence, String> {
    let text =
        file::read(path, LARGEST_LICENCE).map_err(|problem| format!("license_path: {problem}"))?;
    let wrapping_key = wrapping_key(key_path)?;
    Ok(Licence { text, wrapping_key })
}

fn wrapping_key(path: &Path) -> Result<PublicKey, String> {
    let mut keys =
        keys::public_keys(path).map_err(|problem| format!("license_public_key_path: {problem}"))?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err("license_public_key_path: must hold exactly one key".to_owned()),
    }
}
