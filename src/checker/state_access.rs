//! What checks leave behind in the host's record, and what is read of it.

use super::Checker;
use crate::config::check_config::CheckConfig;
use crate::log::{LogHandle, WARNING};
use crate::random;
use crate::schedule::transitions::{self, Context, Undo};
use crate::state::host_run;
use crate::state::record::Record;
use crate::state::store::{Owner, Store};
use crate::sys::clock::Clock;

impl Checker {
    /// As of this moment.
    pub(super) fn context(&self, config: &CheckConfig) -> Context<'static> {
        Context {
            now: self.clock.now(),
            interval: config.settings.interval,
            host_run: host_run::id(),
            random: &random::up_to,
        }
    }

    /// Notes that the check that is due begins, unless another process has done so.
    pub(super) fn claim(&self, config: &CheckConfig, log: &LogHandle) -> Option<Undo> {
        let mut undo = None;
        self.with_store(config, log, |store, clock, should_stop| {
            store.try_update(clock, should_stop, |record| {
                if record.is_due(clock.now()) {
                    let context = self.context(config);
                    undo = Some(transitions::begin_check(record, config.subject(), &context));
                }
            });
        });
        undo
    }

    /// Changes the record; returns the seconds until the next check.
    pub(super) fn update_record(
        &self,
        config: &CheckConfig,
        log: &LogHandle,
        change: impl FnOnce(&mut Record),
    ) -> u64 {
        let mut next = 0;
        self.with_store(config, log, |store, clock, should_stop| {
            store.update(clock, should_stop, |record| {
                change(record);
                next = record.seconds_until_next_check(clock.now()).unwrap_or(0);
            });
        });
        next
    }

    /// Tries again to write what could not be written. False: there is still something.
    pub(super) fn save(&self, config: &CheckConfig, log: &LogHandle) -> bool {
        let is_saved = || self.with_store(config, log, |store, _, _| store.is_saved());
        if is_saved() {
            return true;
        }
        self.update_record(config, log, |_| {});
        is_saved()
    }

    /// The record as it is now.
    pub(super) fn load(&self, config: &CheckConfig, log: &LogHandle) -> Record {
        self.with_store(config, log, |store, clock, _| store.load(clock).clone())
    }

    /// As [`Checker::load`], but never waits for a thread that waits for another process: for event loops.
    pub(super) fn load_nowait(&self, config: &CheckConfig, log: &LogHandle) -> Record {
        let (record, warning) = self.store.load_nowait(config, self.clock.as_ref());
        log_warning(log, warning);
        record
    }

    /// See [`Store::try_acquire_owner`].
    pub(super) fn try_acquire_owner(&self, config: &CheckConfig, log: &LogHandle) -> Owner {
        self.with_store(config, log, |store, _, _| store.try_acquire_owner())
    }

    /// Runs `access` on the store with the clock and what ends its wait for another process: a wish to stop.
    fn with_store<T>(
        &self,
        config: &CheckConfig,
        log: &LogHandle,
        access: impl FnOnce(&mut Store, &dyn Clock, &dyn Fn() -> bool) -> T,
    ) -> T {
        let generation = self.cancel.generation();
        let clock = self.clock.as_ref();
        let should_stop = || self.cancel.stopped_since(generation);
        let (value, warning) = self
            .store
            .with(config, clock, |store| access(store, clock, &should_stop));
        log_warning(log, warning);
        value
    }
}

fn log_warning(log: &LogHandle, warning: Option<String>) {
    if let Some(warning) = warning {
        log.log(WARNING, &warning);
    }
}
