//! What the configured files contain: read, checked and kept in memory.
//!
//! A file that is named and will not do is a problem of the configuration. What changes by itself is none: a default file
//! that is not there, OpenSSL that does not work, a certificate that has expired, a system without certificate authorities.
//! Each check fails with that reason, and tries again before it does.

use super::client_identity::ClientIdentity;
use super::environment::Environment;
use super::error::Problem;
use super::file;
use super::public_key::{self, PublicKey};
use super::settings::{self, Settings};
use super::trust_store::{CachedTrustStore, Source};
use crate::code::Code;
use crate::error::Error;
use crate::sync::lock;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use zeroize::Zeroizing;

/// Bytes in a license file (64 KiB).
const MAX_LICENSE: u64 = 64 * 1024;

const SERVER_KEY_ADVICE: &str = "check server_public_key_path, or try upgrading or reinstalling the program that the file comes with";
const IDENTITY_ADVICE: &str = "check client_certificate_path, or try upgrading or reinstalling the program that the file comes with";
const LICENSE_ADVICE: &str = "check license_path and license_public_key_path";

/// The license file and the key that its one-time key is wrapped with.
#[derive(Clone)]
pub struct License {
    pub text: Arc<Zeroizing<Vec<u8>>>,
    pub wrapping_key: Arc<PublicKey>,
}

/// What a file held when it was last read, and how to read it.
pub struct CachedFile<T> {
    cached: Mutex<Result<Arc<T>, Error>>,
    read: Box<dyn Fn() -> Result<T, Error> + Send + Sync>,
}

impl<T> CachedFile<T> {
    fn new(read: impl Fn() -> Result<T, Error> + Send + Sync + 'static) -> CachedFile<T> {
        CachedFile {
            cached: Mutex::new(read().map(Arc::new)),
            read: Box::new(read),
        }
    }

    pub fn cached(&self) -> Result<Arc<T>, Error> {
        lock(&self.cached).clone()
    }

    /// Reads what could not be read, or is not `is_usable`, once more. No lock is held meanwhile; what cannot be read now leaves
    /// what was read before.
    fn refresh(&self, is_usable: impl Fn(&T) -> bool) {
        let cached = self.cached();
        if cached.as_ref().is_ok_and(|cached| is_usable(cached)) {
            return;
        }
        let again = (self.read)();
        if again.is_ok() || cached.is_err() {
            *lock(&self.cached) = again.map(Arc::new);
        }
    }
}

/// `None`: not configured, or not wanted yet.
#[derive(Clone, Default)]
pub struct Files {
    pub trust_store: Option<Arc<CachedTrustStore>>,
    pub client_identity: Option<Arc<CachedFile<ClientIdentity>>>,
    pub server_keys: Option<Arc<CachedFile<Vec<PublicKey>>>>,
    /// Apart from its key: either is read again when it is named alone.
    pub license_text: Option<Arc<CachedFile<Zeroizing<Vec<u8>>>>>,
    pub wrapping_key: Option<Arc<CachedFile<PublicKey>>>,
}

impl Files {
    /// The files for `settings`. Read are the files that `changed` keys name, and those that were not read yet:
    /// files given by name at once, default files once the configuration is complete.
    pub fn reloaded(
        &self,
        settings: &Settings,
        environment: &Environment,
        given: &Map<String, Value>,
        changed: &dyn Fn(&str) -> bool,
    ) -> Result<Files, Vec<Problem>> {
        let mut loader = Loader {
            settings,
            given,
            changed,
            problems: Vec::new(),
        };
        let path = settings.server_public_key_path.clone();
        let server_keys = loader.load(
            self.server_keys.as_ref(),
            settings::SERVER_PUBLIC_KEY_PATH,
            Some(path),
            |path| public_key::read(path, SERVER_KEY_ADVICE),
        );
        let client_identity = loader.load(
            self.client_identity.as_ref(),
            settings::CLIENT_CERTIFICATE_PATH,
            settings.client_certificate_path.clone(),
            |path| ClientIdentity::read(path, IDENTITY_ADVICE),
        );
        let source = Source::of(settings.certificate_path.as_deref(), environment);
        let trust_store = loader.trust_store(self.trust_store.as_ref(), source);
        let license_text = loader.load(
            self.license_text.as_ref(),
            settings::LICENSE_PATH,
            settings.license_path.clone(),
            |path| file::read(path, MAX_LICENSE, LICENSE_ADVICE),
        );
        let wrapping_key = loader.load(
            self.wrapping_key.as_ref(),
            settings::LICENSE_PUBLIC_KEY_PATH,
            settings.license_public_key_path.clone(),
            wrapping_key,
        );
        if !loader.problems.is_empty() {
            return Err(loader.problems);
        }
        Ok(Files {
            trust_store,
            client_identity,
            server_keys,
            license_text,
            wrapping_key,
        })
    }

    /// Reads once more what could not be read, or can no longer be used at that time (seconds since the epoch).
    pub fn refresh(&self, now: i64) {
        self.refresh_keys();
        if let Some(file) = &self.client_identity {
            file.refresh(|identity| identity.validity_error(now).is_none());
        }
        if let Some(file) = &self.license_text {
            file.refresh(|_| true);
        }
        if let Some(file) = &self.wrapping_key {
            file.refresh(|key| key.key.is_ok());
        }
    }

    /// As [`Files::refresh`], for the pinned keys alone.
    pub fn refresh_keys(&self) {
        if let Some(file) = &self.server_keys {
            file.refresh(|keys| keys.iter().all(|key| key.key.is_ok()));
        }
    }

    pub fn license(&self) -> Result<Option<License>, Error> {
        let (Some(text), Some(key)) = (&self.license_text, &self.wrapping_key) else {
            return Ok(None);
        };
        Ok(Some(License {
            text: text.cached()?,
            wrapping_key: key.cached()?,
        }))
    }
}

struct Loader<'a> {
    settings: &'a Settings,
    given: &'a Map<String, Value>,
    changed: &'a dyn Fn(&str) -> bool,
    problems: Vec<Problem>,
}

impl Loader<'_> {
    /// `key`: the configuration key that names the file. Without it the file lies in `resources_dir`.
    fn load<T>(
        &mut self,
        current: Option<&Arc<CachedFile<T>>>,
        key: &str,
        path: Option<PathBuf>,
        read: impl Fn(&Path) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Option<Arc<CachedFile<T>>> {
        let path = path?;
        let is_named = self.given.contains_key(key);
        let changed = (self.changed)(key) || (!is_named && (self.changed)(settings::RESOURCES_DIR));
        match current {
            // A default file may have been installed since.
            Some(current) if !changed && (is_named || current.cached().is_ok()) => {
                return Some(Arc::clone(current));
            }
            _ if !is_named && !self.settings.is_complete() => return None,
            _ => {}
        }
        let file = CachedFile::new(move || read(&path));
        if let Err(error) = file.cached() {
            self.judge(is_named, key, &error);
        }
        Some(Arc::new(file))
    }

    fn trust_store(
        &mut self,
        current: Option<&Arc<CachedTrustStore>>,
        source: Source,
    ) -> Option<Arc<CachedTrustStore>> {
        let key = settings::CERTIFICATE_PATH;
        let is_named = self.given.contains_key(key);
        match current {
            Some(current) if !(self.changed)(key) && *current.source() == source => {
                return Some(Arc::clone(current));
            }
            _ if !is_named && !self.settings.is_complete() => return None,
            _ => {}
        }
        let store = CachedTrustStore::new(source);
        if let Err(error) = store.cached() {
            // The copy serves where the system's store can no longer be read.
            if let Some(current) =
                current.filter(|current| !is_named && current.source() == store.source())
            {
                return Some(Arc::clone(current));
            }
            self.judge(is_named, key, &error);
        }
        Some(Arc::new(store))
    }

    /// A named file that will not do is a problem at once; what else fails may work later.
    fn judge(&mut self, is_named: bool, key: &str, error: &Error) {
        if is_named && error.code == Code::File {
            self.problems.push(Problem::new(key, &*error.reason));
        }
    }
}

fn wrapping_key(path: &Path) -> Result<PublicKey, Error> {
    let mut keys = public_key::read(path, LICENSE_ADVICE)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(Error::new(
            Code::File,
            format!(
                "{} must hold exactly one key",
                crate::text::quoted(&path.to_string_lossy())
            ),
            LICENSE_ADVICE,
        )),
    }
}
