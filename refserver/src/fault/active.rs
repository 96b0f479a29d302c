//! The fault in force, and what faults remember between connections.

use super::effect::{Effect, Fault};
use super::table::FAULTS;
use crate::error::Error;
use crate::sync::lock;
use openssl::ssl::SslContext;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub(crate) struct Faults {
    dir: PathBuf,
    set: Mutex<Option<&'static Fault>>,
    /// Of the TLS faults, by name; made when they are first needed.
    contexts: Mutex<HashMap<&'static str, SslContext>>,
    /// A proper answer of earlier, for the replay.
    pub earlier_answer: Mutex<Option<Vec<u8>>>,
}

impl Faults {
    pub fn new(dir: &Path, name: &str) -> Result<Faults, Error> {
        Ok(Faults {
            dir: dir.to_owned(),
            set: Mutex::new(find(name)?),
            contexts: Mutex::default(),
            earlier_answer: Mutex::default(),
        })
    }

    /// Misbehaves so from now on; "" ends that.
    pub fn set(&self, name: &str) -> Result<(), Error> {
        *lock(&self.set) = find(name)?;
        Ok(())
    }

    /// For the next connection: what the file `fault` names, or what was set.
    pub fn current(&self) -> Result<Option<&'static Fault>, Error> {
        let text = fs::read_to_string(self.dir.join("fault")).unwrap_or_default();
        match text.trim() {
            "" => Ok(*lock(&self.set)),
            name => find(name),
        }
    }

    /// `None` when it is no TLS fault.
    pub fn tls_context(&self, fault: &Fault) -> Result<Option<SslContext>, Error> {
        let Effect::Tls(make) = fault.effect else {
            return Ok(None);
        };
        let mut contexts = lock(&self.contexts);
        if let Some(context) = contexts.get(fault.name) {
            return Ok(Some(context.clone()));
        }
        let context = make(&self.dir)?;
        contexts.insert(fault.name, context.clone());
        Ok(Some(context))
    }
}

/// The fault of this name; `None` for the empty one.
fn find(name: &str) -> Result<Option<&'static Fault>, Error> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = FAULTS.iter().find(|fault| fault.name == name);
    let unknown = || {
        Error::new(format!(
            "unknown fault {name:?}; `psc-refserver faults` lists them"
        ))
    };
    found.map(Some).ok_or_else(unknown)
}
