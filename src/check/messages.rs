//! Step 7: what the administrator reads. Monitoring greps for the phrases (docs/log-messages.md).

use super::attempt::Attempt;
use super::request::Request;
use super::signature::Authentic;
use super::verdict::{MAX_VERSION_LENGTH, Update, Verdict, is_of_version};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::config::settings::Settings;
use crate::error::Error;
use crate::json;
use crate::log::{ERROR, INFO, LogHandle, NOTICE, TRACE};
use crate::text;
use serde_json::Value;

/// Lines of the server's text that are logged; the rest is in `psc_result_notice`.
const MAX_NOTICE_LINES: usize = 40;
/// Signed fields that are shown at level 7; the protocol knows nine.
const MAX_FIELDS: usize = 50;
/// Bytes of `program_name` that a line shows, so that what follows it is not cut off.
const MAX_PROGRAM_NAME: usize = 500;
const NOTICE_PHRASE: &str = "Additional security update check information:";

/// A log line to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub level: i32,
    pub text: String,
}

/// The lines of one check, the main line first. `next_check` is in seconds from now, `None` when there is no schedule.
pub fn lines(attempt: &Attempt, config: &CheckConfig, next_check: Option<u64>) -> Vec<Line> {
    let when = next_check.map_or(String::new(), |seconds| {
        format!(" (next check in {})", text::duration(seconds))
    });
    match &attempt.outcome {
        Ok(answer) => {
            let main = verdict_line(&answer.verdict, config, &when);
            std::iter::once(main)
                .chain(notice_lines(answer.verdict.notice()))
                .collect()
        }
        Err(error) => vec![failure_line(error, &config.settings, &when)],
    }
}

/// The lines of a verdict that is known for `age` seconds.
pub fn reminder(verdict: &Verdict, config: &CheckConfig, age: u64) -> Vec<Line> {
    let when = format!(" (known for {})", text::capped_duration(age));
    let main = verdict_line(verdict, config, &when);
    std::iter::once(main)
        .chain(notice_lines(verdict.notice()))
        .collect()
}

/// The first line as it is logged.
pub fn main_line(lines: &[Line]) -> String {
    let main = lines.first().map(|line| text::log_line(&line.text));
    main.unwrap_or_default()
}

fn verdict_line(verdict: &Verdict, config: &CheckConfig, when: &str) -> Line {
    let program = shown_program(&config.settings);
    let running = &config.passenger_version;
    match verdict.update() {
        Some(update) => Line {
            level: ERROR,
            text: format!(
                "A security update is available for your version ({running}) of {program}. {}{when}",
                recommendation(running, update)
            ),
        },
        None => Line {
            level: NOTICE,
            text: format!("Security update check: no update found for {program} {running}{when}"),
        },
    }
}

fn recommendation(running: &str, update: &Update) -> String {
    let urge = "We strongly recommend upgrading";
    match (&update.version, &update.unusable_version) {
        (Some(version), _) => format!("{urge} to version {version}{}", oddity(running, version)),
        (None, Some(other)) => format!(
            "{urge}; to which version is not known: none is known yet (the answer's is unusable: \"{}\")",
            unusable_version(other)
        ),
        (None, None) => format!("{urge}; to which version is not known: none is known yet"),
    }
}

/// It may be anything, a sentence of psc's own too: whatever no version has is escaped.
fn unusable_version(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().take(MAX_VERSION_LENGTH) {
        if is_of_version(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    if text.chars().nth(MAX_VERSION_LENGTH).is_some() {
        shown.push_str(" [cut]");
    }
    shown
}

/// `program_name` may be longer than a line.
pub fn shown_program(settings: &Settings) -> String {
    text::cut(&text::printable(&settings.program_name), MAX_PROGRAM_NAME)
}

/// A recommendation that is not newer deserves a second look.
fn oddity(running: &str, recommended: &str) -> &'static str {
    match (numbers(running), numbers(recommended)) {
        (Some(running), Some(recommended)) if recommended <= running => {
            "; note that this is not newer than what runs"
        }
        _ => "",
    }
}

/// `6.0.18` as numbers; `None` for other forms, which are not compared.
fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

fn notice_lines(notice: Option<&str>) -> Vec<Line> {
    let mut all = notice
        .unwrap_or_default()
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    let mut lines: Vec<Line> = all
        .by_ref()
        .take(MAX_NOTICE_LINES)
        .map(notice_line)
        .collect();
    let left_out = all.count();
    if left_out > 0 {
        lines.push(notice_line(&format!(
            "({left_out} more lines are not logged)"
        )));
    }
    lines
}

fn notice_line(text: &str) -> Line {
    Line {
        level: ERROR,
        text: format!("{NOTICE_PHRASE} {}", text::untrusted(text)),
    }
}

fn failure_line(error: &Error, settings: &Settings, when: &str) -> Line {
    if error.code == Code::Cancelled {
        return Line {
            level: INFO,
            text: "Security update check cancelled".to_owned(),
        };
    }
    Line {
        level: ERROR,
        text: format!(
            "Security update check failed: for {} at {}: {}{when}",
            shown_program(settings),
            text::quoted(settings.url.host()),
            error
        ),
    }
}

/// The line of a check that was not made.
pub fn disabled(settings: &Settings) -> Line {
    Line {
        level: INFO,
        text: format!(
            "Security update check for {} is disabled",
            shown_program(settings)
        ),
    }
}

/// The fields of a request, for log level 7.
pub fn sending(log: &LogHandle, config: &CheckConfig, request: &Request) {
    if !log.is_enabled(TRACE) {
        return;
    }
    let proxy = config.settings.proxy.masked();
    let proxy = proxy.unwrap_or_else(|| config.environment.shown_proxy());
    log.log(
        TRACE,
        &format!(
            "sending: POST {} (proxy: {proxy})",
            config.settings.url.as_str(),
        ),
    );
    for (name, value) in &request.shown {
        log.log(TRACE, &format!("sending: {name}: {value}"));
    }
}

/// The answer as it came, not believed yet.
pub fn received_envelope(log: &LogHandle, body: &[u8]) {
    if log.is_enabled(TRACE) {
        let shown = String::from_utf8_lossy(body.get(..1000).unwrap_or(body)).into_owned();
        log.log(
            TRACE,
            &format!(
                "received: {} bytes, unverified: {}",
                body.len(),
                text::untrusted(&shown)
            ),
        );
    }
}

/// The signed fields of an answer, whatever else is wrong with them.
pub fn received_data(log: &LogHandle, authentic: &Authentic) {
    if !log.is_enabled(TRACE) {
        return;
    }
    log.log(
        TRACE,
        &format!("received: signed by key {}", authentic.key_fingerprint()),
    );
    let fields = json::object(authentic.decoded()).unwrap_or_default();
    for (name, value) in fields.iter().take(MAX_FIELDS) {
        let shown = text::untrusted(&format!("{name}: {value}"));
        log.log(TRACE, &format!("received: {shown}"));
        if name == "backoff" && value.as_i64().is_none() {
            log.log(TRACE, "received: backoff is not an integer: ignored");
        }
        if name == "log" && !matches!(value, Value::String(_)) {
            log.log(TRACE, "received: log is not a string: ignored");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_notice_is_cut_with_a_note() {
        let notice = "line\n\n".repeat(MAX_NOTICE_LINES + 5);
        let lines = notice_lines(Some(&notice));
        assert_eq!(lines.len(), MAX_NOTICE_LINES + 1);
        assert!(
            lines
                .iter()
                .all(|line| line.text.starts_with(NOTICE_PHRASE))
        );
        assert!(lines[MAX_NOTICE_LINES].text.contains("5 more lines"));
        assert!(notice_lines(None).is_empty());
    }

    #[test]
    fn only_what_is_not_newer_is_odd() {
        assert_eq!(oddity("6.0.9", "6.0.10"), "");
        assert_eq!(oddity("6.0.9", "6.0.9-rc1"), "");
        assert_ne!(oddity("6.0.10", "6.0.9"), "");
        assert_ne!(oddity("6.0.10", "6.0.10"), "");
    }
}
