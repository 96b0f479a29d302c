//! The record in memory, kept in step with `state_dir`. Whatever is wrong with the directory is one warning; the
//! schedule then goes on in memory.

use super::dir::{Ownership, StateDir};
use super::record::Record;
use crate::sys::clock::{Clock, Now};
use crate::text;
use std::io;
use std::path::{Path, PathBuf};

pub struct Memory {
    record: Record,
    path: Option<PathBuf>,
    dir: Option<StateDir>,
    warned: bool,
    warning: Option<String>,
}

/// Who makes this host's checks.
pub enum Owner {
    /// This handle; the lock is `None` when nothing is shared.
    Us(Option<Ownership>),
    Another,
}

impl Memory {
    pub fn new(now: Now, boot_id: &str) -> Memory {
        Memory {
            record: Record::new(now, boot_id),
            path: None,
            dir: None,
            warned: false,
            warning: None,
        }
    }

    /// Takes up a directory; nothing happens when it is the one in use.
    pub fn use_dir(&mut self, path: Option<&Path>) {
        if self.path.as_deref() == path {
            return;
        }
        self.path = path.map(Path::to_owned);
        self.warned = false;
        self.open();
    }

    /// A new beginning, as at a start of the host: a directory that was given up is tried again.
    pub fn restart(&mut self) {
        self.warned = false;
        if self.dir.is_none() {
            self.open();
        }
    }

    fn open(&mut self) {
        self.dir = match self.path.as_deref().map(StateDir::open) {
            None => None,
            Some(Ok(dir)) => Some(dir),
            Some(Err(error)) => {
                self.give_up(&error);
                None
            }
        };
    }

    /// The host's record as it is now.
    pub fn load(&mut self, clock: &dyn Clock) -> &Record {
        let Some(dir) = &self.dir else {
            return &self.record;
        };
        match read(dir, clock) {
            Ok(Some(record)) => self.record = record,
            Ok(None) => {}
            Err(problem) => self.warn(&problem),
        }
        &self.record
    }

    /// Changes the host's record, undisturbed by other processes. What cannot be written is kept in memory.
    pub fn update(&mut self, clock: &dyn Clock, change: impl FnOnce(&mut Record)) {
        let Some(dir) = self.dir.take() else {
            change(&mut self.record);
            return;
        };
        let mut change = Some(change);
        let result = dir.exclusively(|| {
            match read(&dir, clock) {
                Ok(Some(record)) => self.record = record,
                Ok(None) => {}
                // The bad file is replaced by what is in memory.
                Err(problem) => self.warn(&problem),
            }
            if let Some(change) = change.take() {
                change(&mut self.record);
            }
            dir.write(&self.record.to_bytes())
        });
        if let Some(change) = change {
            change(&mut self.record);
        }
        match result {
            Ok(()) => self.dir = Some(dir),
            Err(error) => self.give_up(&error),
        }
    }

    /// Tries to become the process that makes this host's checks.
    pub fn try_own(&mut self) -> Owner {
        let Some(dir) = &self.dir else {
            return Owner::Us(None);
        };
        match dir.try_own() {
            Ok(Some(ownership)) => Owner::Us(Some(ownership)),
            Ok(None) => Owner::Another,
            Err(error) => {
                self.give_up(&error);
                Owner::Us(None)
            }
        }
    }

    /// A warning that has not been logged yet.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    fn give_up(&mut self, error: &io::Error) {
        self.dir = None;
        self.warn(&format!("cannot be used: {error}"));
    }

    fn warn(&mut self, problem: &str) {
        if self.warned {
            return;
        }
        self.warned = true;
        let path = self.path.as_deref().unwrap_or(Path::new(""));
        self.warning = Some(format!(
            "Security update check: the state in {} {problem}; the schedule is kept in memory meanwhile",
            text::quoted(&path.to_string_lossy())
        ));
    }
}

fn read(dir: &StateDir, clock: &dyn Clock) -> Result<Option<Record>, String> {
    match dir.read() {
        Ok(Some(bytes)) => Record::parse(&bytes, clock.now(), clock.boot_id()).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
