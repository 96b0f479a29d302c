//! The background thread: it knows when, and asks the checker for the rest.

use super::agenda::{self, Step};
use crate::check::report;
use crate::checker::Checker;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::contain::contained;
use crate::log::{ERROR, Voice, WARNING};
use crate::random;
use crate::state::dir::Ownership;
use crate::state::memory::Owner;
use crate::state::record::{Moment, Record};
use crate::stop::Activity;
use crate::sys::sleep::Sleeper;
use crate::text;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Enough for OpenSSL's handshake and JSON of the greatest depth.
pub const STACK_BYTES: usize = 256 * 1024;

/// Runs until a stop is requested after `mark`.
pub fn main(checker: &Checker, voice: &Voice, mark: u64) {
    let ended = contained(|| Shift::new(checker, voice, mark).run());
    checker.owner_descriptor.store(-1, Ordering::SeqCst);
    if let Err(text) = ended {
        checker.note_crash(&text);
        voice.say(
            ERROR,
            &format!("Security update check failed: a bug in psc was contained: {text}; please report it to the makers of psc (next check after a restart)"),
        );
    }
}

struct Shift<'a> {
    checker: &'a Checker,
    voice: &'a Voice,
    mark: u64,
    sleeper: Sleeper,
    /// When the first check may be made, since boot; `None` while checks are disabled.
    start: Option<Duration>,
    /// The lock of the directory that it belongs to; `Some` when this process makes the host's checks.
    owned: Option<(Option<PathBuf>, Option<Ownership>)>,
    /// How often in a row another process was found to be the owner.
    refusals: usize,
    /// Whether a known update was logged, or is to be logged by another process, since the start.
    reminded_at_start: bool,
}

impl Shift<'_> {
    fn new<'a>(checker: &'a Checker, voice: &'a Voice, mark: u64) -> Shift<'a> {
        Shift {
            checker,
            voice,
            mark,
            sleeper: Sleeper::new(),
            start: None,
            owned: None,
            refusals: 0,
            reminded_at_start: false,
        }
    }

    fn run(&mut self) {
        let mut was_disabled = false;
        loop {
            // Cleared before looking: what changes after the look wakes the sleep that follows.
            self.checker.stop.clear(Activity::Thread);
            if self.checker.stop.requested_since(self.mark) {
                return;
            }
            match self.checker.readiness() {
                Readiness::Ready(config) => {
                    was_disabled = false;
                    self.turn(&config);
                }
                Readiness::Disabled | Readiness::Incomplete => {
                    if !was_disabled {
                        let line = report::disabled(&self.checker.config().settings);
                        self.voice.say(line.level, &line.text);
                    }
                    was_disabled = true;
                    self.start = None;
                    self.disown();
                    self.sleep(None);
                }
            }
        }
    }

    /// Does what is due, or waits for it.
    fn turn(&mut self, config: &CheckConfig) {
        let start = *self
            .start
            .get_or_insert_with(|| first_check(self.checker, config));
        if !self.own(config) {
            let record = self.checker.recall(config, self.voice);
            let now = self.checker.clock.now();
            let wait = agenda::candidate_wait(&record, self.refusals, now, &random::up_to);
            self.refusals = self.refusals.saturating_add(1);
            self.sleep(Some(wait));
            return;
        }
        let record = self.checker.recall(config, self.voice);
        let update = Checker::known_verdict(&record, config)
            .filter(|(verdict, _)| verdict.update().is_some());
        if let (false, Some((verdict, since))) = (self.reminded_at_start, &update) {
            self.reminded_at_start = true;
            return self.remind(
                config,
                &report::reminder(verdict, config, &age(self.checker, *since)),
            );
        }
        self.reminded_at_start = true;
        let now = self.checker.clock.now();
        match agenda::next(&record, start, update.is_some(), now) {
            Step::Check => self.check(config),
            Step::Remind => {
                if let Some((verdict, since)) = &update {
                    let lines = report::reminder(verdict, config, &age(self.checker, *since));
                    self.remind(config, &lines);
                }
            }
            Step::WarnOfSilence => self.warn_of_silence(config, &record),
            Step::Wait(limit) => self.sleep(Some(limit)),
        }
    }

    fn check(&mut self, config: &CheckConfig) {
        let Some(ticket) = self.checker.begin_check(self.voice) else {
            // psc_run_once is making one; its end wakes this thread.
            return self.sleep(None);
        };
        let interrupt = self.checker.stop.interrupt(Activity::Thread, self.mark);
        self.checker.check(config, &interrupt, self.voice);
        self.checker.end_check(ticket);
    }

    fn remind(&self, config: &CheckConfig, lines: &[report::Line]) {
        let now = Moment::of(self.checker.clock.now());
        self.checker
            .update_memory(config, self.voice, |record| record.reminded = Some(now));
        for line in lines {
            self.voice.say(line.level, &line.text);
        }
    }

    fn warn_of_silence(&self, config: &CheckConfig, record: &Record) {
        self.checker
            .update_memory(config, self.voice, |record| record.silence_warned = true);
        let silence = agenda::heard(record).age(self.checker.clock.now());
        let program = &config.settings.program_name;
        self.voice.say(
            WARNING,
            &format!(
                "Security update check: no authentic answer for {}; whether {program} needs a security update is not known, see the failures logged before",
                text::span(silence)
            ),
        );
    }

    /// Whether this process makes the host's checks.
    fn own(&mut self, config: &CheckConfig) -> bool {
        let path = &config.settings.state_dir;
        if self.owned.as_ref().is_some_and(|(owned, _)| owned == path) {
            return true;
        }
        self.disown();
        let owner = self.checker.memory(config).try_own();
        match owner {
            Owner::Us(lock) => {
                let descriptor = lock.as_ref().map_or(-1, |lock| lock.file().as_raw_fd());
                self.checker
                    .owner_descriptor
                    .store(descriptor, Ordering::SeqCst);
                self.owned = Some((path.clone(), lock));
                self.refusals = 0;
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
        self.checker.owner_descriptor.store(-1, Ordering::SeqCst);
        self.owned = None;
    }

    fn sleep(&self, limit: Option<Duration>) {
        let waker = self.checker.stop.descriptor(Activity::Thread);
        self.sleeper.sleep(waker, limit);
    }
}

/// When the first check after a start may be made, since boot.
fn first_check(checker: &Checker, config: &CheckConfig) -> Duration {
    let settings = &config.settings;
    let jitter = random::up_to(settings.start_jitter.saturating_mul(1000));
    checker
        .clock
        .now()
        .boot
        .saturating_add(Duration::from_secs(settings.start_delay))
        .saturating_add(Duration::from_millis(jitter))
}

fn age(checker: &Checker, since: Moment) -> String {
    format!("{} ago", text::span(since.age(checker.clock.now())))
}
