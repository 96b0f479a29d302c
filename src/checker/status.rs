//! `psc_status`: a verdict with its age, the same for every process that shares a `state_dir`.

use super::Checker;
use crate::check::verdict::Verdict;
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::schedule::next_action;
use crate::state::record::Record;
use crate::state::stored_verdict::{StoredVerdict, Verified};
use crate::state::timestamp::Timestamp;
use crate::sys::clock::Now;
use serde_json::{Value, json};

/// What is known of the host.
struct Known {
    record: Record,
    stored: StoredVerdict,
    now: Now,
}

impl Known {
    fn load(checker: &Checker, config: &CheckConfig) -> Known {
        let (record, now) = checker.known_record(config);
        Known {
            stored: StoredVerdict::of(&record, config, now),
            record,
            now,
        }
    }
}

/// As JSON; `docs/status.md` describes the fields.
pub fn of(checker: &Checker) -> Value {
    let config = checker.config();
    let settings = &config.settings;
    // Known is what was verified: without the pinned keys nothing is, which is not the same as "never checked".
    let known = config
        .check_config()
        .map(|config| Known::load(checker, &config));
    let known = known.as_ref();
    let record = known.map(|known| &known.record);
    let verdict = known
        .and_then(|known| known.stored.verified())
        .map(|verified| &verified.verdict);
    let (name, since) = known.map_or((None, None), judge);
    json!({
        "running": checker.is_running(),
        "disabled": settings.disabled,
        "owner": checker.is_owner(),
        "running_version": settings.passenger_version,
        "program_name": settings.program_name,
        "crash": checker.activity.crash().map(|text| json!({
            "code": Code::Internal.number(),
            "name": Code::Internal.name(),
            "text": text,
        })),
        "verdict": name,
        "since": since.map(|(since, _)| since.wall),
        "age": since.map(|(_, age)| age),
        "authentic_at": record.and_then(|record| record.authentic.as_ref()).map(|answer| answer.at.wall),
        "untrusted_since": record.and_then(|record| record.untrusted_since).map(|since| since.wall),
        "recommended_version": verdict.and_then(Verdict::recommended_version),
        "notice": verdict.and_then(Verdict::notice),
        "severity": verdict.and_then(Verdict::severity),
        "url": verdict.and_then(Verdict::url),
        "key_fingerprint": verdict.and_then(Verdict::key_fingerprint),
        "last_check": known.and_then(last_check),
        "next_check": known
            .filter(|_| !settings.disabled)
            .and_then(|known| known.record.seconds_until_next_check(known.now)),
    })
}

impl Checker {
    /// Seconds until the host's next check; `None`: none is planned, or it is not known.
    pub fn next_check(&self) -> Option<u64> {
        let config = self.config();
        if config.settings.disabled {
            return None;
        }
        let (record, now) = self.known_record(&config.check_config()?);
        record.seconds_until_next_check(now)
    }

    /// Seconds since the host's last check began.
    pub fn last_check_age(&self) -> Option<u64> {
        let (record, now) = self.known_record(&self.config().check_config()?);
        Some(record.last_begun()?.age(now))
    }

    fn known_record(&self, config: &CheckConfig) -> (Record, Now) {
        let record = self.load_nowait(config, &self.log_handle());
        (record, self.clock.now())
    }
}

fn last_check(known: &Known) -> Option<Value> {
    let last = known.record.last.as_ref()?;
    Some(json!({
        "at": last.at.wall,
        "age": last.at.age(known.now),
        "code": last.code,
        "name": last.code.and_then(Code::from_number).map(Code::name),
        "failure": last.message,
    }))
}

/// A known update is the most important thing to say; then that answers cannot be trusted; then that none come. With it since
/// when, and for how many seconds. `None`: OpenSSL cannot verify what is known, which is not the same as "never checked".
fn judge(known: &Known) -> (Option<&'static str>, Option<(Timestamp, u64)>) {
    let Known {
        record,
        stored,
        now,
    } = known;
    let now = *now;
    let since = |since: Timestamp| Some((since, since.age(now)));
    let last_authentic = next_action::last_authentic(record);
    // By the clock that says the most; where none is to be trusted the answer may be an old one.
    let silence = match (stored, &record.authentic) {
        (StoredVerdict::Verified(_) | StoredVerdict::Unverifiable, Some(answer)) => answer.age(now),
        _ => Some(last_authentic.age(now)),
    };
    let stale = silence.is_none_or(|silence| silence >= next_action::LONG_SILENCE);
    let of_answer = |verified: &Verified| Some((verified.since, verified.age));
    match (stored, record.untrusted_since) {
        (StoredVerdict::Verified(update), _) if update.verdict.update().is_some() => {
            (Some("update"), of_answer(update))
        }
        (_, Some(untrusted)) => (Some("untrusted"), since(untrusted)),
        _ if stale => {
            let age = silence.unwrap_or_else(|| last_authentic.age(now));
            (Some("stale"), Some((last_authentic, age)))
        }
        (StoredVerdict::Verified(fine), None) => (Some("ok"), of_answer(fine)),
        (StoredVerdict::Unverifiable, None) => (None, None),
        (StoredVerdict::None, None) => (Some("never_checked"), None),
    }
}
