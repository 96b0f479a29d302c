//! What an administrator should know of a configuration though it is in force: said once, not at every call.

use super::Checker;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::error::Error;
use crate::log::{LogHandle, WARNING};
use crate::sync::lock;

/// What was said last.
#[derive(Default)]
pub struct Said {
    /// Why no check can be made for now.
    errors: Option<String>,
    /// Certificates that were passed over.
    skipped: Option<String>,
}

impl Checker {
    /// After a configuration was put in force. The host's callback may be called: the caller holds no lock.
    pub(super) fn warn_of_configuration(&self) {
        let Readiness::Ready(config) = self.readiness() else {
            return;
        };
        let log = LogHandle::new(&self.logger);
        let errors: Vec<String> = config.errors.iter().map(Error::text).collect();
        let errors = (!errors.is_empty()).then(|| errors.join("; "));
        if is_news(&mut lock(&self.said).errors, errors.as_deref()) {
            let errors = errors.unwrap_or_default();
            log.log(
                WARNING,
                &format!(
                    "Security update check: each check will fail until this is cured: {errors}"
                ),
            );
        }
        self.warn_of_skipped(&config, &log);
    }

    /// At a check, too: the certificate authorities may have been renewed.
    pub(super) fn warn_of_skipped(&self, config: &CheckConfig, log: &LogHandle) {
        let skipped = config
            .trust_store
            .as_ref()
            .and_then(|store| store.skipped.as_deref());
        if is_news(&mut lock(&self.said).skipped, skipped) {
            let skipped = skipped.unwrap_or_default();
            log.log(
                WARNING,
                &format!("Security update check: passed over among the trusted certificates: {skipped}; the others count"),
            );
        }
    }
}

/// Whether there is something to say that is not what was said last.
fn is_news(said: &mut Option<String>, text: Option<&str>) -> bool {
    let is_news = text.is_some() && said.as_deref() != text;
    *said = text.map(str::to_owned);
    is_news
}
