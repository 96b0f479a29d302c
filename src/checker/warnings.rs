//! What an administrator should know of a configuration though it is in force: said once, not at every call.

use super::Checker;
use crate::config::check_config::{CheckConfig, Readiness};
use crate::failure::Failure;
use crate::log::{LogHandle, WARNING};
use crate::sync::lock;

/// What was said last.
#[derive(Default)]
pub struct Said {
    /// Why no check can be made for now.
    troubles: Option<String>,
    /// Certificates that were passed over.
    faults: Option<String>,
}

impl Checker {
    /// After a configuration was put in force. The host's callback may be called: the caller holds no lock.
    pub(super) fn warn_of_configuration(&self) {
        let Readiness::Ready(config) = self.readiness() else {
            return;
        };
        let log = LogHandle::new(&self.logger);
        let troubles: Vec<String> = config.troubles.iter().map(Failure::text).collect();
        let troubles = (!troubles.is_empty()).then(|| troubles.join("; "));
        if is_news(&mut lock(&self.said).troubles, troubles.as_deref()) {
            let troubles = troubles.unwrap_or_default();
            log.log(
                WARNING,
                &format!(
                    "Security update check: each check will fail until this is cured: {troubles}"
                ),
            );
        }
        self.warn_of_faults(&config, &log);
    }

    /// At a check, too: the certificate authorities may have been renewed.
    pub(super) fn warn_of_faults(&self, config: &CheckConfig, log: &LogHandle) {
        let faults = config
            .trust
            .as_ref()
            .and_then(|trust| trust.faults.as_deref());
        if is_news(&mut lock(&self.said).faults, faults) {
            let faults = faults.unwrap_or_default();
            log.log(
                WARNING,
                &format!("Security update check: passed over among the trusted certificates: {faults}; the others count"),
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
