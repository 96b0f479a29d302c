//! The store of a handle, for several threads.

use super::dir::StateDir;
use super::record::Record;
use super::store::{self, Store};
use crate::config::check_config::CheckConfig;
use crate::sync::lock;
use crate::sys::clock::Clock;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// `store` is held over file accesses, which may take as long as a file server likes: the thread and `psc_run_once` wait for
/// it, `psc_status` does not. `unsaved` may be taken while `store` is held, and is held for a moment.
pub struct SharedStore {
    store: Mutex<Store>,
    /// A copy of what `store` could not write, for those who do not wait for it.
    unsaved: Mutex<Option<Record>>,
}

impl SharedStore {
    pub fn new(clock: &dyn Clock) -> SharedStore {
        SharedStore {
            store: Mutex::new(Store::new(clock.now(), clock.boot_id())),
            unsaved: Mutex::default(),
        }
    }

    /// Runs `access` on the store of what `config` asks; returns a warning that is to be logged, too, now that the store is free
    /// again: the host's callback may ask for it.
    pub fn with<T>(
        &self,
        config: &CheckConfig,
        clock: &dyn Clock,
        access: impl FnOnce(&mut Store) -> T,
    ) -> (T, Option<String>) {
        self.access(lock(&self.store), config, clock, access)
    }

    fn access<T>(
        &self,
        mut store: MutexGuard<'_, Store>,
        config: &CheckConfig,
        clock: &dyn Clock,
        access: impl FnOnce(&mut Store) -> T,
    ) -> (T, Option<String>) {
        let dir = config.settings.state_dir.as_deref();
        store.select(dir, config.question(), clock);
        let value = access(&mut store);
        *lock(&self.unsaved) = store.unsaved().cloned();
        (value, store.take_warning())
    }

    /// The record as it is now, without waiting for a thread that waits for another process: for event loops.
    pub fn load_nowait(&self, config: &CheckConfig, clock: &dyn Clock) -> (Record, Option<String>) {
        let load = |store: &mut Store| store.load(clock).clone();
        let dir = config.settings.state_dir.as_deref();
        match (dir, self.store.try_lock()) {
            (Some(dir), Err(TryLockError::WouldBlock)) => {
                let question = config.question();
                let found = store::read(&StateDir::new(dir), &question, clock);
                let is_ours = |record: &Record| record.question.as_ref() == Some(&question);
                let unsaved = lock(&self.unsaved).clone().filter(is_ours);
                let record = store::newest(found, unsaved)
                    .unwrap_or_else(|| Record::new(clock.now(), clock.boot_id()));
                (record, None)
            }
            // As it is held now: asked for anew, another thread might have it.
            (_, Ok(store)) => self.access(store, config, clock, load),
            // A panic was contained while it was held: the error has the lock.
            (_, Err(TryLockError::Poisoned(error))) => {
                self.access(error.into_inner(), config, clock, load)
            }
            (None, Err(TryLockError::WouldBlock)) => self.with(config, clock, load),
        }
    }

    /// The thread has ended: what is wrong with the directory is worth a warning again.
    pub fn restart(&self) {
        lock(&self.store).restart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check_config::Readiness;
    use crate::config::{Base, Config};
    use crate::panic::catch_panic;
    use crate::sys::clock::SystemClock;
    use psc_testkit::Site;
    use serde_json::json;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    /// As after a bug that was contained.
    #[test]
    fn a_panic_while_it_is_held_keeps_nobody_waiting() {
        let clock = SystemClock::new();
        let site = Site::start();
        let text = site.config(json!({})).to_string();
        let Ok(config) = Config::empty().changed(text.as_bytes(), Base::Defaults) else {
            panic!("the configuration");
        };
        let Readiness::Ready(config) = config.readiness() else {
            panic!("it is complete");
        };
        let shared = SharedStore::new(&clock);
        assert!(
            catch_panic(|| shared.with(&config, &clock, |_| -> () { panic!("deliberate") }))
                .is_err()
        );
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            sender.send(shared.load_nowait(&config, &clock).1).unwrap();
        });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(None));
    }
}
