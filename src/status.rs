//! `psc_status`: a verdict with its age, the same for every process that shares a `state_dir`.

use crate::check::verdict::Verdict;
use crate::checker::Checker;
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::log::Voice;
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
    let record = checker.glimpse(config, &Voice::new(&checker.logger));
    let now = checker.clock.now();
    let known = Checker::known_verdict(&record, config);
    let verdict = known.as_ref().map(|(verdict, _)| verdict);
    let (name, since) = judge(
        &record,
        known.as_ref().map(|(verdict, at)| (verdict, *at)),
        now,
    );
    json!({
        "verdict": name,
        "since": since.map(|since| since.wall),
        "age": since.map(|since| since.age(now)),
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

/// A known update is the most important thing to say; then that answers cannot be trusted; then that none come.
fn judge(
    record: &Record,
    known: Option<(&Verdict, Moment)>,
    now: Now,
) -> (&'static str, Option<Moment>) {
    let heard = agenda::heard(record);
    let stale = heard.age(now) >= agenda::LONG_SILENCE;
    match (known, record.untrusted_since) {
        (Some((verdict, at)), _) if verdict.update().is_some() => ("update", Some(at)),
        (_, Some(since)) => ("untrusted", Some(since)),
        _ if stale => ("stale", Some(heard)),
        (Some((_, at)), None) => ("ok", Some(at)),
        (None, None) => ("never_checked", None),
    }
}
