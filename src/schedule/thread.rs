//! The background thread: it knows when, and asks the checker for the rest.

use super::agenda::{self, Step};
use super::run;
use crate::cancel::Generation;
use crate::check::messages;
use crate::checker::Checker;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::log::{ERROR, LogHandle};
use crate::panic::catch_panic;
use crate::random;
use crate::state::dir::Ownership;
use crate::state::memory::Owner;
use crate::state::record::{Moment, Record, Run};
use crate::state::store::Question;
use crate::sys::reserve::Reserve;
use crate::text;
use std::path::PathBuf;
use std::time::Duration;

/// Any call of psc makes do with so much, a handshake and JSON of the greatest depth included; the header promises it.
const LEAST_STACK: usize = 32 * 1024;

/// Of psc's own thread: the rest is the host's callback's.
pub const STACK_BYTES: usize = LEAST_STACK + 224 * 1024;

/// How long the thread waits for memory when there is not enough for a turn.
const MEMORY_AGAIN: Duration = Duration::from_secs(60);

/// Runs until a stop is requested after `generation`. `reserve` serves this thread.
pub fn main(checker: &Checker, log: &LogHandle, generation: Generation, reserve: Reserve) {
    // Until the end: what is dropped on the way may be of it.
    let mut reserve = reserve;
    let ended = catch_panic(|| Shift::new(checker, log, generation).run(&mut reserve));
    checker.note_owner_lock(None);
    if let Err(text) = ended {
        checker.note_crash(&text);
        log.log(
            ERROR,
            &format!("Security update check failed: a bug in psc was contained: {text}; please report it to the makers of psc (next check after a restart)"),
        );
    }
}

/// What one process of the host makes the checks of.
type Mandate = (Option<PathBuf>, Question);

struct Shift<'a> {
    checker: &'a Checker,
    log: &'a LogHandle,
    /// Of the start of the thread; its cancels are those of the turn.
    generation: Generation,
    /// How often the thread was woken before it looked.
    epoch: u32,
    /// `None` while checks are disabled.
    start: Option<Start>,
    /// `Some` when this process makes the host's checks: of that question, by the lock in that directory.
    owned: Option<(Mandate, Option<Ownership>)>,
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
    inherited: Option<Moment>,
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
            self.inherited = agenda::inherited(record, &run::id());
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
        self.inherited.map_or(own, agenda::since_boot)
    }
}

impl Shift<'_> {
    fn new<'a>(checker: &'a Checker, log: &'a LogHandle, generation: Generation) -> Shift<'a> {
        Shift {
            checker,
            log,
            generation,
            epoch: 0,
            start: None,
            owned: None,
            refusals: 0,
            unsaved: 0,
            reminded_at_start: false,
        }
    }

    fn run(&mut self, reserve: &mut Reserve) {
        let mut was_disabled = false;
        loop {
            // Noted before looking: what changes after the look ends the sleep or the check that follows.
            self.epoch = self.checker.cancel.epoch();
            self.generation = self
                .generation
                .with_cancels_of(self.checker.cancel.generation());
            if self.checker.cancel.stopped_since(self.generation) {
                return;
            }
            if !reserve.renew() {
                self.sleep(Some(MEMORY_AGAIN));
                continue;
            }
            let readiness = self.checker.readiness();
            if let Readiness::Ready(config) = readiness {
                if was_disabled {
                    self.start = Some(Start::now(self.checker, true));
                }
                was_disabled = false;
                self.turn(&config);
                continue;
            }
            if matches!(readiness, Readiness::Disabled) && !was_disabled {
                let line = messages::disabled(&self.checker.config().settings);
                self.log.log(line.level, &line.text);
                was_disabled = true;
            }
            self.start = None;
            self.disown();
            self.sleep(None);
        }
    }

    /// Does what is due, or waits for it.
    fn turn(&mut self, config: &CheckConfig) {
        let checker = self.checker;
        let owns = self.own(config);
        let mut record = checker.recall(config, self.log);
        let start = self.start.get_or_insert_with(|| Start::now(checker, false));
        start.inherit(&record);
        let first_check = start.first_check(config);
        let known = checker.known(&record, config);
        let update = known.warning();
        if !owns {
            let now = checker.clock.now();
            let step = agenda::next(&record, first_check, update.is_some(), now);
            let wait = agenda::candidate_wait(step, self.refusals, &random::up_to);
            self.refusals = self.refusals.saturating_add(1);
            return self.sleep(Some(wait));
        }
        if record.interval != config.settings.interval && record.last.is_some() {
            return checker.replan(config, self.log);
        }
        start.planned = true;
        let step = self.settle(config, &mut record, first_check, update.is_some());
        // Said at the start of the host, whichever of its processes has done so.
        let at_start = !std::mem::replace(&mut self.reminded_at_start, true)
            && record.reminded_in.as_deref() != Some(&run::id());
        if let Some(update) = update.filter(|_| at_start || step == Step::Remind) {
            let lines = messages::reminder(&update.verdict, config, update.age);
            return self.remind(config, &lines);
        }
        match step {
            Step::Check => self.check(config),
            Step::WarnOfSilence => self.warn_of_silence(config, &record),
            Step::Wait(limit) => self.wait(config, limit),
            // Done above: there is no such step without a known update.
            Step::Remind => {}
        }
    }

    /// Makes known when the next check will be made, so that every process, and what is logged, tells the same.
    fn settle(
        &self,
        config: &CheckConfig,
        record: &mut Record,
        first_check: Duration,
        known_update: bool,
    ) -> Step {
        let now = self.checker.clock.now();
        let first = Run {
            id: run::id(),
            first: Moment::at(first_check, now),
        };
        let subject = config.subject();
        let random = &random::up_to;
        if agenda::settle(record, &first, &subject, now, random) {
            self.checker.update_memory(config, self.log, |record| {
                agenda::settle(record, &first, &subject, now, random);
            });
        }
        agenda::next(record, first_check, known_update, now)
    }

    /// Sleeps until something is due; what could not be written is tried again meanwhile.
    fn wait(&mut self, config: &CheckConfig, limit: Duration) {
        if self.checker.save(config, self.log) {
            self.unsaved = 0;
            return self.sleep(Some(limit));
        }
        let again = agenda::save_wait(self.unsaved);
        self.unsaved = self.unsaved.saturating_add(1);
        self.sleep(Some(limit.min(again)));
    }

    fn check(&mut self, config: &CheckConfig) {
        let Some(ticket) = self.checker.begin_check(self.log) else {
            // psc_run_once is making one; its end wakes this thread.
            return self.sleep(None);
        };
        let token = self.checker.cancel.token(self.generation);
        let made = self.checker.check_if_due(config, &token, self.log);
        drop(ticket);
        if made {
            self.refusals = 0;
        } else {
            // Another process makes it just now, or holds the record: look again, less and less often.
            let wait = agenda::candidate_wait(Step::Check, self.refusals, &random::up_to);
            self.refusals = self.refusals.saturating_add(1);
            self.sleep(Some(wait));
        }
    }

    fn remind(&self, config: &CheckConfig, lines: &[messages::Line]) {
        self.checker.reminds(config, self.log);
        for line in lines {
            self.log.log(line.level, &line.text);
        }
    }

    fn warn_of_silence(&self, config: &CheckConfig, record: &Record) {
        self.checker
            .update_memory(config, self.log, |record| record.silence_warned = true);
        let silence = agenda::heard(record).age(self.checker.clock.now());
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
    fn own(&mut self, config: &CheckConfig) -> bool {
        let path = &config.settings.state_dir;
        let mandate = (path.clone(), config.question());
        // Without a lock, because the directory could not be used, it is tried again: it may have been repaired.
        let owns = self.owned.as_ref().is_some_and(|(owned, lock)| {
            *owned == mandate && lock.as_ref().map_or(path.is_none(), Ownership::is_current)
        });
        if owns {
            return true;
        }
        let without_lock = matches!(&self.owned, Some((owned, None)) if *owned == mandate);
        self.disown();
        let owner = self.checker.memory(config).try_own();
        match owner {
            Owner::Us(lock) => {
                self.checker
                    .note_owner_lock(lock.as_ref().and_then(Ownership::fd_id));
                if !without_lock {
                    self.refusals = 0;
                }
                self.owned = Some((mandate, lock));
                true
            }
            Owner::Another => {
                // The owner has logged a known update, or will.
                self.reminded_at_start = true;
                false
            }
        }
    }

    fn disown(&mut self) {
        self.checker.note_owner_lock(None);
        self.owned = None;
    }

    fn sleep(&self, limit: Option<Duration>) {
        self.checker.cancel.sleep(self.epoch, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut checker = Checker::new(Some(Box::new(sink)));
        let site = Site::start();
        let config = site.config(json!({})).to_string();
        assert!(checker.configure(config.as_bytes()).is_ok());
        checker.clock = Box::new(Broken(AtomicBool::new(true)));
        let log = LogHandle::new(&checker.logger);
        let reserve = Reserve::of_a_call().unwrap();
        main(&checker, &log, checker.cancel.generation(), reserve);
        let crash = checker.crash().unwrap();
        assert_eq!(
            (&crash["code"], &crash["text"]),
            (&json!(-15), &json!("deliberate"))
        );
        let said = said.lock().unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said[0].0, ERROR);
        assert!(said[0].1.to_string_lossy().contains("deliberate"));
        drop(said);
        // Another start is another beginning.
        let checker = Arc::new(checker);
        assert!(checker.start().is_ok());
        assert!(checker.crash().is_none());
        assert!(checker.stop().is_ok());
    }
}
