//! Puts a configuration in force, and does what needs nothing but a configuration.

use super::Checker;
use crate::check::{preview, transport};
use crate::code::Code;
use crate::config::Config;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::config::error::ConfigError;
use crate::error::Error;
use crate::log::{LogHandle, WARNING};
use crate::state::dir::StateDir;
use crate::state::make_dir::User;
use crate::sys::errno;
use crate::text;
use serde_json::Value;

impl Checker {
    pub fn configure(&self, json: &[u8]) -> Result<(), ConfigError> {
        self.put_in_force(json)?;
        self.log_problems();
        Ok(())
    }

    fn put_in_force(&self, json: &[u8]) -> Result<(), ConfigError> {
        transport::prepare();
        // Files are read without a lock: nobody waits for them. When another call was faster, what it set is merged into.
        let ready = loop {
            let before = self.config.get();
            let config = before.merged(json)?;
            let ready = matches!(config.readiness(), Readiness::Ready(_));
            let level = config.settings.log_level;
            let set_level = || self.logger.set_level(level);
            if self.config.replace(&before, config, set_level) {
                break ready;
            }
        };
        if ready {
            self.cancel.wake();
        } else {
            self.cancel.cancel_checks();
        }
        Ok(())
    }

    /// After a configuration was put in force. The host's callback may be called: the caller holds no lock.
    fn log_problems(&self) {
        let Readiness::Ready(config) = self.config.get().readiness() else {
            return;
        };
        let log = self.log_handle();
        let problems: Vec<String> = config.errors.iter().map(Error::to_string).collect();
        let problems = (!problems.is_empty()).then(|| problems.join("; "));
        if self.config.is_new_problem(problems.as_deref()) {
            let problems = problems.unwrap_or_default();
            log.log(
                WARNING,
                &format!(
                    "Security update check: each check will fail until this is cured: {problems}"
                ),
            );
        }
        self.log_skipped_certificates(&config, &log);
    }

    /// At a check, too: the certificate authorities may have been renewed.
    pub(super) fn log_skipped_certificates(&self, config: &CheckConfig, log: &LogHandle) {
        let skipped = config
            .trust_store
            .as_ref()
            .and_then(|store| store.skipped.as_deref());
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
