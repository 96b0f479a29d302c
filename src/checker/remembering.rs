//! What checks leave behind in the host's record.

use super::Checker;
use crate::check::nonce::Nonce;
use crate::check::request::Request;
use crate::check::verdict::{Expected, Verdict};
use crate::check::{self, Attempt};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::error::Retry;
use crate::log::{LogHandle, WARNING};
use crate::random;
use crate::schedule::plan::{self, Ending};
use crate::schedule::run;
use crate::state::dir::StateDir;
use crate::state::memory::{self, Memory};
use crate::state::record::{Authenticated, Begun, Last, Moment, Record};
use crate::sync::lock;
use std::sync::{MutexGuard, TryLockError};

/// What the announcement of a check has replaced.
pub struct Before {
    announced: Moment,
    due: Option<Moment>,
    last: Option<Last>,
    unanswered: u32,
}

impl Before {
    /// Takes a cancelled check back. It may have been sent, so it is not repeated sooner than an unanswered one.
    pub fn restore(self, record: &mut Record) {
        let is_ours = |last: &Last| last.code.is_none() && last.at == self.announced;
        if !record.last.as_ref().is_some_and(is_ours) {
            // Another process has made a check since.
            return;
        }
        let later = |due: &Moment| Some(due.boot) > record.due.map(|due| due.boot);
        record.due = self.due.filter(later).or(record.due);
        record.last = self.last;
        record.unanswered = self.unanswered;
    }
}

impl Checker {
    /// Before the transfer: a process that dies in it must not try again at once.
    pub(super) fn announce(&self, record: &mut Record, config: &CheckConfig) -> Before {
        let announced = Moment::of(self.clock.now());
        let subject = config.subject();
        let is_repeated = |before: &Begun| before.subject == subject;
        let before = Before {
            announced,
            // The plan was made for what the last check was about.
            due: record
                .due
                .filter(|_| record.begun.as_ref().is_none_or(is_repeated)),
            last: record.last.take(),
            unanswered: record.unanswered,
        };
        record.unanswered = record.unanswered.saturating_add(1);
        record.last = Some(Last {
            at: announced,
            code: None,
            message: None,
            ending: Ending::Failed(Retry::Unanswered),
        });
        record.begun = Some(Begun {
            at: announced,
            subject,
        });
        plan_from_last(record, config.settings.interval);
        before
    }

    /// Announces the check that is due, unless another process has done so.
    pub(super) fn claim(&self, config: &CheckConfig, log: &LogHandle) -> Option<Before> {
        let mut before = None;
        self.with_memory(config, log, |memory, hurry| {
            memory.try_update(self.clock.as_ref(), hurry, |record| {
                if record.is_due(self.clock.now()) {
                    before = Some(self.announce(record, config));
                }
            });
        });
        before
    }

    pub(super) fn remember(&self, record: &mut Record, config: &CheckConfig, attempt: &Attempt) {
        let at = Moment::of(self.clock.now());
        let (ending, message) = match &attempt.outcome {
            Ok(answer) => {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                record.authentic = Some(Authenticated {
                    at,
                    running_version: config.passenger_version.clone(),
                    nonce: text(attempt.nonce.as_ref().map(Nonce::as_str)),
                    // The digest of the request is not kept: it would be believed for no better reason than that.
                    extra_fields: attempt.extra_fields.clone(),
                    data: answer.data.clone(),
                    signature: answer.signature.clone(),
                });
                record.untrusted_since = None;
                record.silence_warned = false;
                note_reminder(record, answer.verdict.update().map(|_| at));
                let backoff_minutes = answer.verdict.backoff_minutes();
                (Ending::Authentic { backoff_minutes }, None)
            }
            Err(error) => {
                if matches!(error.code, Code::Signature | Code::Nonce) {
                    record.untrusted_since = record.untrusted_since.or(Some(at));
                }
                let message = crate::text::log_line(&error.text());
                (Ending::Failed(error.retry), Some(message))
            }
        };
        if ending != Ending::Failed(Retry::Unanswered) {
            record.unanswered = 0;
        }
        record.last = Some(Last {
            at,
            code: Some(attempt.code().number()),
            message,
            ending,
        });
        plan_from_last(record, config.settings.interval);
    }

    /// Plans the next check anew, with the interval of now.
    pub fn replan(&self, config: &CheckConfig, log: &LogHandle) {
        self.update_memory(config, log, |record| {
            plan_from_last(record, config.settings.interval);
        });
    }

    /// Changes what is remembered; returns the seconds until the next check.
    pub fn update_memory(
        &self,
        config: &CheckConfig,
        log: &LogHandle,
        change: impl FnOnce(&mut Record),
    ) -> u64 {
        let mut next = 0;
        self.with_memory(config, log, |memory, hurry| {
            memory.update(self.clock.as_ref(), hurry, |record| {
                change(record);
                let until = record
                    .next_check()
                    .map_or(0, |next| next.until(self.clock.now()));
                next = u64::try_from(until).unwrap_or(0);
            });
        });
        next
    }

    /// Runs a change of the memory, with what ends its wait for another process: a wish to stop. Says what went wrong once
    /// the memory is free again: the host's callback may ask for it.
    fn with_memory(
        &self,
        config: &CheckConfig,
        log: &LogHandle,
        change: impl FnOnce(&mut Memory, &dyn Fn() -> bool),
    ) {
        let stop = self.cancel.generation();
        let warning = {
            let mut memory = self.memory(config);
            change(&mut memory, &|| self.cancel.stopped_since(stop));
            *lock(&self.unsaved) = memory.unsaved().cloned();
            memory.take_warning()
        };
        log_warning(log, warning);
    }

    /// Tries again to write what could not be written. False: there is still something.
    pub fn save(&self, config: &CheckConfig, log: &LogHandle) -> bool {
        if self.memory(config).is_saved() {
            return true;
        }
        self.update_memory(config, log, |_| {});
        self.memory(config).is_saved()
    }

    /// A known update is about to be logged.
    pub fn reminds(&self, config: &CheckConfig, log: &LogHandle) {
        let now = Moment::of(self.clock.now());
        self.update_memory(config, log, |record| note_reminder(record, Some(now)));
    }

    /// What is remembered, as it is now.
    pub fn recall(&self, config: &CheckConfig, log: &LogHandle) -> Record {
        self.recall_from(self.memory(config), log)
    }

    fn recall_from(&self, mut memory: MutexGuard<'_, Memory>, log: &LogHandle) -> Record {
        let record = memory.load(self.clock.as_ref()).clone();
        let warning = memory.take_warning();
        drop(memory);
        log_warning(log, warning);
        record
    }

    /// As [`Checker::recall`], but never waits for a thread that waits for another process: for event loops.
    pub fn glimpse(&self, config: &CheckConfig, log: &LogHandle) -> Record {
        let dir = config.settings.state_dir.as_deref();
        match (dir, self.memory.try_lock()) {
            (Some(dir), Err(TryLockError::WouldBlock)) => {
                let question = config.question();
                let found = memory::read(&StateDir::new(dir), &question, self.clock.as_ref());
                let is_ours = |record: &Record| record.question.as_ref() == Some(&question);
                let unsaved = lock(&self.unsaved).clone().filter(is_ours);
                memory::newest(found, unsaved)
                    .unwrap_or_else(|| Record::new(self.clock.now(), self.clock.boot_id()))
            }
            // As it is held now: asked for anew, another thread might have it.
            (_, Ok(memory)) => self.recall_from(self.for_config(memory, config), log),
            (_, Err(_)) => self.recall(config, log),
        }
    }

    pub fn memory(&self, config: &CheckConfig) -> MutexGuard<'_, Memory> {
        self.for_config(lock(&self.memory), config)
    }

    fn for_config<'a>(
        &self,
        mut memory: MutexGuard<'a, Memory>,
        config: &CheckConfig,
    ) -> MutexGuard<'a, Memory> {
        let dir = config.settings.state_dir.as_deref();
        memory.turn_to(dir, config.question(), self.clock.as_ref());
        memory
    }

    /// What the last authentic answer said, verified again: as the answer to what this configuration asks.
    pub fn known(&self, record: &Record, config: &CheckConfig) -> Known {
        let Some(stored) = &record.authentic else {
            return Known::Nothing;
        };
        let nonce = Nonce::of_request(&stored.nonce);
        if stored.running_version != config.passenger_version || nonce.made().is_none() {
            return Known::Nothing;
        }
        let sha256 = Request::sha256_of(config, &nonce, stored.extra_fields.as_ref());
        let expected = expected(config, &nonce, &sha256);
        let verdict = check::verify_stored(&stored.data, &stored.signature, config, &expected);
        // What OpenSSL left in this thread's error queue is not the next one's.
        drop(openssl::error::ErrorStack::get());
        match verdict {
            Ok(verdict) => {
                let now = self.clock.now();
                Known::Verdict(Box::new(Recalled {
                    verdict,
                    since: stored.at,
                    age: stored.age(now).unwrap_or_else(|| stored.at.age(now)),
                }))
            }
            Err(error) if error.code == Code::System => Known::Unverifiable,
            Err(_) => Known::Nothing,
        }
    }
}

/// What is known of the present question.
pub enum Known {
    Nothing,
    /// There is an answer, and OpenSSL cannot tell whether it is authentic. A warning is one all the same: `Verdict`.
    Unverifiable,
    Verdict(Box<Recalled>),
}

pub struct Recalled {
    pub verdict: Verdict,
    pub since: Moment,
    /// Seconds.
    pub age: u64,
}

impl Known {
    pub fn recalled(&self) -> Option<&Recalled> {
        match self {
            Known::Verdict(recalled) => Some(recalled),
            _ => None,
        }
    }

    /// That there is an update.
    pub fn warning(&self) -> Option<&Recalled> {
        self.recalled()
            .filter(|recalled| recalled.verdict.update().is_some())
    }
}

pub(super) fn expected<'a>(
    config: &CheckConfig,
    nonce: &'a Nonce,
    request_sha256: &'a str,
) -> Expected<'a> {
    Expected {
        nonce,
        request_sha256,
        require_request_binding: config.settings.require_request_binding,
    }
}

fn log_warning(log: &LogHandle, warning: Option<String>) {
    if let Some(warning) = warning {
        log.log(WARNING, &warning);
    }
}

/// A known update was logged just now, if there is one.
fn note_reminder(record: &mut Record, at: Option<Moment>) {
    record.reminded = at;
    record.reminded_in = at.map(|_| run::id());
}

/// Plans the next check from how the last one ended.
fn plan_from_last(record: &mut Record, interval: u64) {
    record.interval = interval;
    if let Some(last) = &record.last {
        let delay = plan::delay(last.ending, interval, record.unanswered, &random::up_to);
        record.due = Some(last.at.after(delay));
    }
}
