//! Makes checks: one at a time, remembered, logged.

use super::Checker;
use super::configure::incomplete;
use crate::cancel::CancelToken;
use crate::check::attempt::Attempt;
use crate::check::nonce::Nonce;
use crate::check::request::Request;
use crate::check::verdict::Expected;
use crate::check::{self, messages, outcome};
use crate::code::Code;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::error::Error;
use crate::fork_guard::CallGuard;
use crate::log::LogHandle;
use crate::outcome::Outcome;
use crate::panic::catch_panic;
use crate::schedule::transitions::{self, Undo};
use crate::sys::signals;
use crate::text;

/// A check in flight; it ends when this goes.
pub struct InFlight<'a> {
    checker: &'a Checker,
    call: CallGuard<'a>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if !self.call.is_same_process() {
            // In a child, forked in the callback: it is not the child's check.
            return;
        }
        self.checker.activity.end_check();
        // The thread plans anew with what this check came to.
        self.checker.cancel.wake_thread();
    }
}

impl Checker {
    /// One check in the calling thread, whatever the schedule says. `Err`: none was made.
    pub fn run_once(&self) -> Result<Outcome, Error> {
        let log = self.log_handle();
        // In flight before anything is looked at: psc_stop waits for it from here on.
        let Some(_in_flight) = self.enter_check(&log) else {
            return Err(Error::new(
                Code::State,
                "a check of this handle is in flight already",
                "",
            ));
        };
        // Noted before the configuration is looked at, so that one that disables ends this check.
        let generation = self.cancel.generation();
        let config = match self.config.get().readiness() {
            Readiness::Ready(config) => config,
            Readiness::Incomplete => return Err(incomplete()),
            Readiness::Disabled => return Ok(self.disabled(&log)),
        };
        let config = self.renewed(&config, &log);
        let _signals = signals::Blocked::of_writing();
        if let Err(error) = self.cancel.prepare() {
            return Ok(self.conclude(&Attempt::failed(error), &config, &log, None));
        }
        let mut undo = None;
        self.update_record(&config, &log, |record| {
            let context = self.context(&config);
            undo = Some(transitions::begin_check(record, config.subject(), &context));
        });
        let token = self.cancel.token(generation);
        Ok(self.check(&config, &token, &log, undo))
    }

    /// The check that the schedule says is due. False: another process has made it, or is about to. The caller has entered.
    pub(super) fn check_if_due(
        &self,
        config: &CheckConfig,
        token: &CancelToken,
        log: &LogHandle,
    ) -> bool {
        let config = self.renewed(config, log);
        let Some(undo) = self.claim(&config, log) else {
            return false;
        };
        let outcome = self.check(&config, token, log, Some(undo));
        log.result(outcome);
        true
    }

    /// The configuration as it is at this moment: files may have come, gone or been renewed.
    fn renewed(&self, config: &CheckConfig, log: &LogHandle) -> CheckConfig {
        let config = config.refreshed();
        self.log_skipped_certificates(&config, log);
        config
    }

    fn check(
        &self,
        config: &CheckConfig,
        token: &CancelToken,
        log: &LogHandle,
        undo: Option<Undo>,
    ) -> Outcome {
        let attempt = catch_panic(|| check::run(config, token, log))
            .unwrap_or_else(|text| Attempt::failed(Error::bug(&text)));
        self.conclude(&attempt, config, log, undo)
    }

    /// Remembers and logs a check, and makes its result.
    fn conclude(
        &self,
        attempt: &Attempt,
        config: &CheckConfig,
        log: &LogHandle,
        undo: Option<Undo>,
    ) -> Outcome {
        let next_check = self.update_record(config, log, |record| {
            match (attempt.code(), undo) {
                (Code::Cancelled, Some(undo)) => undo.apply(record),
                (Code::Cancelled, None) => {}
                // What was left behind by psc_stop has nothing to tell any more.
                _ if log.is_revoked() => {}
                _ => {
                    let context = self.context(config);
                    transitions::finish_check(record, attempt, &config.passenger_version, &context);
                }
            }
        });
        let lines = messages::lines(attempt, config, Some(next_check));
        for line in &lines {
            log.log(line.level, &line.text);
        }
        self.outcome(attempt, &lines, config, next_check)
    }

    fn outcome(
        &self,
        attempt: &Attempt,
        lines: &[messages::Line],
        config: &CheckConfig,
        next_check: u64,
    ) -> Outcome {
        outcome::of(
            attempt,
            messages::main_line(lines),
            &config.passenger_version,
            next_check,
            self.clock.now().wall,
        )
    }

    fn disabled(&self, log: &LogHandle) -> Outcome {
        let line = messages::disabled(&self.config.get().settings);
        log.log(line.level, &line.text);
        outcome::without_check(Code::Disabled, text::log_line(&line.text))
    }

    /// Only one check of a handle is in flight at a time.
    pub(super) fn enter_check(&self, log: &LogHandle) -> Option<InFlight<'_>> {
        let call = self.fork_guard.enter();
        self.activity.begin_check(log).then(|| InFlight {
            checker: self,
            call,
        })
    }

    /// The verdict on an answer to the request of this configuration and nonce, however it came.
    pub fn verify(&self, response: &[u8], nonce: &str) -> Result<Outcome, Error> {
        // Also while checks are disabled: a machine without a connection is where answers are carried to.
        let config = self.config.get().check_config().ok_or_else(incomplete)?;
        let mut config = config.with_keys_refreshed();
        // A license is encrypted anew for each request, so it cannot be part of one that is repeated.
        config.license = None;
        let request = Request::new(&config, Nonce::of_request(nonce))?;
        let expected = Expected::new(&config, &request.nonce, &request.sha256);
        let outcome = check::verify(response, &config, &expected);
        let attempt = Attempt {
            outcome,
            nonce: Some(request.nonce.clone()),
            extra_fields: None,
            // There was no HTTP answer.
            http_status: 0,
        };
        let lines = messages::lines(&attempt, &config, None);
        Ok(self.outcome(&attempt, &lines, &config, 0))
    }
}
