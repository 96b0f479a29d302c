//! Puts a configuration in force, and does what needs nothing but a configuration.

use super::Checker;
use crate::check::{preview, transport};
use crate::code::Code;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::config::error::ConfigError;
use crate::config::{Base, Config};
use crate::error::Error;
use crate::log::{LogHandle, WARNING};
use crate::state::dir::StateDir;
use crate::state::make_dir::User;
use crate::sys::errno;
use crate::text;
use serde_json::Value;

/// A configuration that was checked, and what putting it in force takes: nothing of that can fail, or reads a file.
pub struct PreparedConfig {
    config: Config,
    /// `None`: no check will be made with it.
    of_checks: Option<OfChecks>,
    /// Whose it is.
    checker: u64,
}

/// What is worth a warning when it comes into force.
struct OfChecks {
    /// Why they will fail.
    problems: Option<String>,
    /// Certificates that were passed over.
    skipped: Option<String>,
}

impl OfChecks {
    fn new(config: &CheckConfig) -> OfChecks {
        let problems: Vec<String> = config.errors.iter().map(Error::to_string).collect();
        OfChecks {
            problems: (!problems.is_empty()).then(|| problems.join("; ")),
            skipped: skipped_certificates(config).map(str::to_owned),
        }
    }
}

fn skipped_certificates(config: &CheckConfig) -> Option<&str> {
    config.trust_store.as_ref()?.skipped.as_deref()
}

impl Checker {
    /// The keys of `json` merged into what is in force.
    pub fn configure(&self, json: &[u8]) -> Result<(), ConfigError> {
        loop {
            let before = self.config.get();
            let prepared = self.prepare_after(&before, json, Base::Present)?;
            // When another call was faster, what it set is merged into.
            if self.put_in_force(prepared, Some(&before)) {
                return Ok(());
            }
        }
    }

    /// Reads files, without a lock: nobody waits for them. Nothing that runs is touched.
    pub fn prepare(&self, json: &[u8], base: Base) -> Result<PreparedConfig, ConfigError> {
        self.prepare_after(&self.config.get(), json, base)
    }

    fn prepare_after(
        &self,
        before: &Config,
        json: &[u8],
        base: Base,
    ) -> Result<PreparedConfig, ConfigError> {
        transport::prepare();
        let config = before.changed(json, base);
        self.config_errors.set(config.as_ref().err());
        let config = config?;
        Ok(PreparedConfig {
            of_checks: match config.readiness() {
                Readiness::Ready(config) => Some(OfChecks::new(&config)),
                _ => None,
            },
            checker: self.id,
            config,
        })
    }

    /// Whether it was prepared for this handle.
    pub fn has_prepared(&self, prepared: &PreparedConfig) -> bool {
        prepared.checker == self.id
    }

    /// Puts in force what [`Checker::prepare`] of this handle gave, whatever was put in force since.
    pub fn commit(&self, prepared: PreparedConfig) {
        self.put_in_force(prepared, None);
    }

    /// False: another one than `only_after` is in force.
    fn put_in_force(&self, prepared: PreparedConfig, only_after: Option<&Config>) -> bool {
        let PreparedConfig {
            config, of_checks, ..
        } = prepared;
        let level = config.settings.log_level;
        let set_level = || self.logger.set_level(level);
        let replaced = self.config.replace(only_after, config, set_level);
        let is_in_force = replaced.is_ok();
        // Before the host's callback is called: a child that is forked in there must give nothing back.
        drop(replaced);
        if !is_in_force {
            return false;
        }
        match of_checks {
            Some(of_checks) => {
                self.cancel.wake();
                self.log_problems(&of_checks);
            }
            None => self.cancel.cancel_checks(),
        }
        true
    }

    /// The host's callback may be called: the caller holds no lock.
    fn log_problems(&self, of_checks: &OfChecks) {
        let log = self.log_handle();
        let problems = of_checks.problems.as_deref();
        if self.config.is_new_problem(problems) {
            let problems = problems.unwrap_or_default();
            log.log(
                WARNING,
                &format!(
                    "Security update check: each check will fail until this is cured: {problems}"
                ),
            );
        }
        self.log_skipped(of_checks.skipped.as_deref(), &log);
    }

    /// At a check, too: the certificate authorities may have been renewed.
    pub(super) fn log_skipped_certificates(&self, config: &CheckConfig, log: &LogHandle) {
        self.log_skipped(skipped_certificates(config), log);
    }

    fn log_skipped(&self, skipped: Option<&str>, log: &LogHandle) {
        if self.config.is_newly_skipped(skipped) {
            let skipped = skipped.unwrap_or_default();
            log.log(
                WARNING,
                &format!("Security update check: passed over among the trusted certificates: {skipped}; the others count"),
            );
        }
    }

    /// A copy of the configuration as it is now.
    pub fn config(&self) -> Config {
        self.config.get()
    }

    pub fn preview(&self) -> Result<Value, Error> {
        // Also while checks are disabled: a machine without a connection has its request carried.
        let config = self.config().check_config().ok_or_else(incomplete)?;
        preview::preview(&config)
    }

    /// Makes the configured state directory fit for that user; nothing to do where none is configured.
    pub fn make_state_dir(&self, user: User) -> Result<(), Error> {
        let Some(path) = self.config().settings.state_dir.clone() else {
            return Ok(());
        };
        StateDir::new(&path).make_for(user).map_err(|error| {
            let reason = format!(
                "the state directory {} cannot be used: {error}",
                text::quoted(&path.to_string_lossy())
            );
            if errno::is_shortage(&error) {
                Error::system(reason)
            } else {
                Error::new(Code::File, reason, "")
            }
        })
    }
}

pub fn incomplete() -> Error {
    Error::new(
        Code::State,
        "the configuration is not complete: passenger_version and server_identifier are needed",
        "",
    )
}
