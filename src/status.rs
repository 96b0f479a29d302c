//! `psc_status`: a verdict with its age, the same for every process that shares a `state_dir`.

use crate::check::verdict::Verdict;
use crate::checker::Checker;
use crate::checker::remembering::{Known, Recalled};
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::log::LogHandle;
use crate::schedule::agenda;
use crate::state::record::{Moment, Record};
use crate::sys::clock::Now;
use serde_json::{Map, Value, json};

/// As JSON; `docs/status.md` describes the fields.
pub fn of(checker: &Checker) -> Value {
    let config = checker.config();
    let mut status = json!({
        "running": checker.is_running(),
        "disabled": config.settings.disabled,
        "owner": checker.is_owner(),
        "running_version": config.settings.passenger_version,
        "program_name": config.settings.program_name,
        "crash": checker.crash(),
    });
    // Known is what was verified: without the pinned keys nothing is, which is not the same as "never checked".
    let known = match config.check_config() {
        Some(config) => of_host(checker, &config),
        None => nothing_known(),
    };
    if let (Some(status), Value::Object(known)) = (status.as_object_mut(), known) {
        status.extend(known);
    }
    status
}

fn of_host(checker: &Checker, config: &CheckConfig) -> Value {
    let record = checker.glimpse(config, &LogHandle::new(&checker.logger));
    let now = checker.clock.now();
    let known = checker.known(&record, config);
    let verdict = known.recalled().map(|recalled| &recalled.verdict);
    let (name, since) = judge(&record, &known, now);
    json!({
        "verdict": name,
        "since": since.map(|(since, _)| since.wall),
        "age": since.map(|(_, age)| age),
        "authentic_at": record.authentic.as_ref().map(|known| known.at.wall),
        "untrusted_since": record.untrusted_since.map(|since| since.wall),
        "recommended_version": verdict.and_then(Verdict::recommended_version),
        "notice": verdict.and_then(Verdict::notice),
        "severity": verdict.and_then(Verdict::severity),
        "url": verdict.and_then(Verdict::url),
        "key_fingerprint": verdict.and_then(Verdict::key_fingerprint),
        "last_check": record.last.as_ref().map(|last| json!({
            "at": last.at.wall,
            "age": last.at.age(now),
            "code": last.code,
            "name": last.code.and_then(Code::from_number).map(Code::name),
            "failure": last.message,
        })),
        "next_check": record.next_check().filter(|_| !config.settings.disabled).map(|next| next.until(now).max(0)),
    })
}

fn nothing_known() -> Value {
    let fields = [
        "verdict",
        "since",
        "age",
        "authentic_at",
        "untrusted_since",
        "recommended_version",
        "notice",
        "severity",
        "url",
        "key_fingerprint",
        "last_check",
        "next_check",
    ];
    let map: Map<String, Value> = fields
        .into_iter()
        .map(|field| (field.to_owned(), Value::Null))
        .collect();
    Value::Object(map)
}

/// A known update is the most important thing to say; then that answers cannot be trusted; then that none come. With it since
/// when, and for how many seconds. `None`: OpenSSL cannot verify what is known, which is not the same as "never checked".
fn judge(
    record: &Record,
    known: &Known,
    now: Now,
) -> (Option<&'static str>, Option<(Moment, u64)>) {
    let since = |since: Moment| Some((since, since.age(now)));
    let heard = agenda::heard(record);
    // By the clock that says the most; where none is to be trusted the answer may be an old one.
    let silence = match (known, &record.authentic) {
        (Known::Verdict(_) | Known::Unverifiable, Some(answer)) => answer.age(now),
        _ => Some(heard.age(now)),
    };
    let stale = silence.is_none_or(|silence| silence >= agenda::LONG_SILENCE);
    let of_answer = |recalled: &Recalled| Some((recalled.since, recalled.age));
    match (known, record.untrusted_since) {
        (Known::Verdict(update), _) if update.verdict.update().is_some() => {
            (Some("update"), of_answer(update))
        }
        (_, Some(untrusted)) => (Some("untrusted"), since(untrusted)),
        _ if stale => {
            let age = silence.unwrap_or_else(|| heard.age(now));
            (Some("stale"), Some((heard, age)))
        }
        (Known::Verdict(fine), None) => (Some("ok"), of_answer(fine)),
        (Known::Unverifiable, None) => (None, None),
        (Known::Nothing, None) => (Some("never_checked"), None),
    }
}
