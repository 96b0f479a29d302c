//! The schedule at work, in psc's own thread or in one of the host's: waits for what is next, and does it.

use super::Checker;
use crate::cancel::Generation;
use crate::check::{messages, outcome};
use crate::config::check_config::{CheckConfig, Readiness};
use crate::config::question::Question;
use crate::error::Error;
use crate::log::{ERROR, LogHandle};
use crate::panic::catch_panic;
use crate::random;
use crate::schedule::next_action::{self, Action};
use crate::schedule::transitions;
use crate::state::dir::OwnerLock;
use crate::state::host_run;
use crate::state::record::{HostRun, Record};
use crate::state::store::Owner;
use crate::state::stored_verdict::{StoredVerdict, Verified};
use crate::state::timestamp::Timestamp;
use crate::sys::reserve::Reserve;
use crate::sys::signals;
use crate::text;
use std::path::PathBuf;
use std::time::Duration;

/// Any call of psc makes do with so much, a handshake and JSON of the greatest depth included; the header promises it.
const LEAST_STACK: usize = 32 * 1024;

/// Of psc's own thread: the rest is the host's callback's.
pub const STACK_BYTES: usize = LEAST_STACK + 224 * 1024;

/// How long the thread waits for memory when there is not enough for a tick.
const MEMORY_AGAIN: Duration = Duration::from_secs(60);

/// Which thread it runs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where every signal is blocked.
    OwnThread,
    /// Which takes the host's signals while there is nothing to do.
    HostThread,
}

/// Runs until a stop is requested after `generation`. `reserve` serves this thread. `Err`: it has ended by a bug.
pub fn run(
    checker: &Checker,
    log: &LogHandle,
    generation: Generation,
    reserve: Reserve,
    place: Place,
) -> Result<(), Error> {
    // Until the end: what is dropped on the way may be of it.
    let mut reserve = reserve;
    let ended = catch_panic(|| Scheduler::new(checker, log, generation).run(&mut reserve, place));
    checker.set_owner_lock(None);
    ended.map_err(|text| {
        checker.activity.set_crash(&text);
        log.log(
            ERROR,
            &format!("Security update check failed: a bug in psc was contained: {text}; please report it to the makers of psc (next check after a restart)"),
        );
        Error::bug(&text)
    })
}

/// How long there is nothing to do.
enum Rest {
    Skip,
    For(Duration),
    UntilWoken,
}

/// What one process of the host makes the checks of.
type OwnerKey = (Option<PathBuf>, Question);

struct Scheduler<'a> {
    checker: &'a Checker,
    log: &'a LogHandle,
    /// Of the start of the thread; its cancels are those of the tick.
    generation: Generation,
    /// How often the thread was woken before it looked.
    epoch: u32,
    was_disabled: bool,
    /// `None` while checks are disabled.
    start: Option<Start>,
    /// `Some` when this process makes the host's checks: of that question, by the lock in that directory.
    owned: Option<(OwnerKey, Option<OwnerLock>)>,
    /// How often in a row another process was found to be the owner.
    refusals: usize,
    /// How often in a row the record could not be written.
    unsaved: usize,
    /// Whether a known update was logged, or is to be logged by another process, since the start.
    reminded_at_start: bool,
}

/// When checks were enabled, since boot, and which part of the jitter was drawn then.
#[derive(Clone, Copy)]
struct Start {
    at: Duration,
    per_mille: u64,
    /// As a predecessor in the same run of the host has planned it.
    inherited: Option<Timestamp>,
    /// This process has made a plan of its own, or is to.
    planned: bool,
}

impl Start {
    /// `anew`: whatever a predecessor has planned.
    fn now(checker: &Checker, anew: bool) -> Start {
        Start {
            at: checker.clock.now().boot,
            per_mille: random::up_to(1000),
            inherited: None,
            planned: anew,
        }
    }

    fn inherit(&mut self, record: &Record) {
        if !self.planned {
            self.inherited = next_action::inherited(record, &host_run::id());
        }
    }

    /// When the first check may be made, since boot.
    fn first_check(self, config: &CheckConfig) -> Duration {
        let settings = &config.settings;
        let jitter = settings.start_jitter.saturating_mul(self.per_mille);
        let own = self
            .at
            .saturating_add(Duration::from_secs(settings.start_delay))
            .saturating_add(Duration::from_millis(jitter));
        self.inherited.map_or(own, next_action::since_boot)
    }
}

impl Scheduler<'_> {
    fn new<'a>(checker: &'a Checker, log: &'a LogHandle, generation: Generation) -> Scheduler<'a> {
        Scheduler {
            checker,
            log,
            generation,
            epoch: 0,
            was_disabled: false,
            start: None,
            owned: None,
            refusals: 0,
            unsaved: 0,
            reminded_at_start: false,
        }
    }

    fn run(&mut self, reserve: &mut Reserve, place: Place) {
        loop {
            // Noted before looking: what changes after the look ends the sleep or the check that follows.
            self.epoch = self.checker.cancel.epoch();
            self.generation = self
                .generation
                .with_cancels_of(self.checker.cancel.generation());
            if self.checker.cancel.stopped_since(self.generation) {
                return;
            }
            let rest = if reserve.renew() {
                // Not while it sleeps: what comes then is the host's.
                let _signals = (place == Place::HostThread).then(signals::Blocked::of_writing);
                self.work()
            } else {
                Rest::For(MEMORY_AGAIN)
            };
            match rest {
                Rest::Skip => {}
                Rest::For(limit) => self.checker.cancel.sleep(self.epoch, Some(limit)),
                Rest::UntilWoken => self.checker.cancel.sleep(self.epoch, None),
            }
        }
    }

    fn work(&mut self) -> Rest {
        let readiness = self.checker.config.get().readiness();
        if let Readiness::Ready(config) = readiness {
            if self.was_disabled {
                self.start = Some(Start::now(self.checker, true));
            }
            self.was_disabled = false;
            return self.tick(&config);
        }
        if matches!(readiness, Readiness::Disabled) && !self.was_disabled {
            let line = messages::disabled(&self.checker.config.get().settings);
            self.log.log(line.level, &line.text);
            self.was_disabled = true;
        }
        self.start = None;
        self.release();
        Rest::UntilWoken
    }

    /// Does what is due.
    fn tick(&mut self, config: &CheckConfig) -> Rest {
        let checker = self.checker;
        let owns = self.acquire(config);
        let mut record = checker.load(config, self.log);
        let start = self.start.get_or_insert_with(|| Start::now(checker, false));
        start.inherit(&record);
        let first_check = start.first_check(config);
        let stored = StoredVerdict::of(&record, config, checker.clock.now());
        let update = stored.update();
        if !owns {
            let now = checker.clock.now();
            let action = next_action::decide(&record, first_check, update.is_some(), now);
            return self.rest_of_candidate(action);
        }
        if record.interval != config.settings.interval && record.last.is_some() {
            checker.update_record(config, self.log, |record| {
                transitions::reschedule(record, &checker.context(config));
            });
            return Rest::Skip;
        }
        start.planned = true;
        let action = self.reconcile(config, &mut record, first_check, update.is_some());
        // Said at the start of the host, whichever of its processes has done so.
        let at_start = !std::mem::replace(&mut self.reminded_at_start, true)
            && record.reminded_in.as_deref() != Some(&host_run::id());
        if let Some(update) = update.filter(|_| at_start || action == Action::Remind) {
            self.remind(config, update);
            return Rest::Skip;
        }
        match action {
            Action::Check => self.check(config),
            Action::WarnOfSilence => {
                self.warn_of_silence(config, &record);
                Rest::Skip
            }
            Action::Wait(limit) => self.wait(config, limit),
            // Done above: there is no such action without a known update.
            Action::Remind => Rest::Skip,
        }
    }

    /// Makes known when the next check will be made, so that every process, and what is logged, tells the same.
    fn reconcile(
        &self,
        config: &CheckConfig,
        record: &mut Record,
        first_check: Duration,
        known_update: bool,
    ) -> Action {
        let now = self.checker.clock.now();
        let first = HostRun {
            id: host_run::id(),
            first: Timestamp::at(first_check, now),
        };
        let subject = config.subject();
        let random = &random::up_to;
        if next_action::reconcile(record, &first, &subject, now, random) {
            self.checker.update_record(config, self.log, |record| {
                next_action::reconcile(record, &first, &subject, now, random);
            });
        }
        next_action::decide(record, first_check, known_update, now)
    }

    /// Until something is due; what could not be written is tried again meanwhile.
    fn wait(&mut self, config: &CheckConfig, limit: Duration) -> Rest {
        if self.checker.save(config, self.log) {
            self.unsaved = 0;
            return Rest::For(limit);
        }
        let again = next_action::save_wait(self.unsaved);
        self.unsaved = self.unsaved.saturating_add(1);
        Rest::For(limit.min(again))
    }

    fn check(&mut self, config: &CheckConfig) -> Rest {
        let Some(ticket) = self.checker.enter_check(self.log) else {
            // psc_run_once is making one; its end wakes this thread.
            return Rest::UntilWoken;
        };
        let token = self.checker.cancel.token(self.generation);
        let made = self.checker.check_if_due(config, &token, self.log);
        drop(ticket);
        if made {
            self.refusals = 0;
            return Rest::Skip;
        }
        // Another process makes it just now, or holds the record: look again, less and less often.
        self.rest_of_candidate(Action::Check)
    }

    /// Of one that another process has kept from doing what is next.
    fn rest_of_candidate(&mut self, action: Action) -> Rest {
        let wait = next_action::candidate_wait(action, self.refusals, &random::up_to);
        self.refusals = self.refusals.saturating_add(1);
        Rest::For(wait)
    }

    fn remind(&self, config: &CheckConfig, update: &Verified) {
        let next_check = self.checker.update_record(config, self.log, |record| {
            transitions::note_reminder(record, &self.checker.context(config));
        });
        let lines = messages::reminder(&update.verdict, config, update.age);
        for line in &lines {
            self.log.log(line.level, &line.text);
        }
        self.log.result(outcome::repeated(
            &update.verdict,
            messages::main_line(&lines),
            &config.passenger_version,
            next_check,
            update.since.wall,
            update.age,
        ));
    }

    fn warn_of_silence(&self, config: &CheckConfig, record: &Record) {
        self.checker
            .update_record(config, self.log, |record| record.silence_warned = true);
        let silence = next_action::last_authentic(record).age(self.checker.clock.now());
        let program = messages::shown_program(&config.settings);
        // A server's log shows errors, and often nothing below.
        self.log.log(
            ERROR,
            &format!(
                "Security update check: no authentic answer for {}; security updates of {program} may be missed, see the failures logged before",
                text::capped_duration(silence)
            ),
        );
    }

    /// Whether this process makes the host's checks.
    fn acquire(&mut self, config: &CheckConfig) -> bool {
        let path = &config.settings.state_dir;
        let key = (path.clone(), config.question());
        // Without a lock, because the directory could not be used, it is tried again: it may have been repaired.
        let owns = self.owned.as_ref().is_some_and(|(owned, lock)| {
            *owned == key && lock.as_ref().map_or(path.is_none(), OwnerLock::is_current)
        });
        if owns {
            return true;
        }
        let without_lock = matches!(&self.owned, Some((owned, None)) if *owned == key);
        self.release();
        let owner = self.checker.try_acquire_owner(config, self.log);
        match owner {
            Owner::Us(lock) => {
                self.checker
                    .set_owner_lock(lock.as_ref().and_then(OwnerLock::fd_id));
                if !without_lock {
                    self.refusals = 0;
                }
                self.owned = Some((key, lock));
                true
            }
            Owner::Another => {
                // The owner has logged a known update, or will.
                self.reminded_at_start = true;
                false
            }
        }
    }

    fn release(&mut self) {
        self.checker.set_owner_lock(None);
        self.owned = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use crate::sys::clock::{Clock, Now, SystemClock};
    use psc_testkit::Site;
    use serde_json::json;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    /// Once.
    struct Broken(AtomicBool);

    impl Clock for Broken {
        fn now(&self) -> Now {
            assert!(!self.0.swap(false, Ordering::SeqCst), "deliberate");
            SystemClock::new().now()
        }

        fn boot_id(&self) -> &'static str {
            ""
        }
    }

    /// Outside a check, too: the host lives on, its log and `psc_status` tell.
    #[test]
    fn a_panic_ends_the_thread_and_is_told() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&said);
        let sink = move |level, text: &std::ffi::CStr| {
            keep.lock().unwrap().push((level, text.to_owned()));
        };
        let mut checker = Checker::new(Some(Box::new(sink)), None);
        let site = Site::start();
        let config = site.config(json!({})).to_string();
        assert!(checker.configure(config.as_bytes()).is_ok());
        checker.clock = Box::new(Broken(AtomicBool::new(true)));
        let log = checker.log_handle();
        let reserve = Reserve::of_a_call().unwrap();
        let generation = checker.cancel.generation();
        let ended = run(&checker, &log, generation, reserve, Place::HostThread);
        assert_eq!(ended.err().map(|error| error.code), Some(Code::Internal));
        assert_eq!(checker.activity.crash().as_deref(), Some("deliberate"));
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].0, ERROR);
        assert!(said[0].1.to_string_lossy().contains("deliberate"));
        drop(said);
        // Another start is another beginning.
        let checker = Arc::new(checker);
        assert!(checker.start().is_ok());
        assert!(checker.activity.crash().is_none());
        assert!(checker.stop().is_ok());
    }
}
