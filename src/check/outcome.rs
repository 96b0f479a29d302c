//! What a check came to, for the host.

use super::attempt::Attempt;
use super::nonce::Nonce;
use super::verdict::Verdict;
use crate::code::Code;
use crate::outcome::Outcome;
use serde_json::{Value, json};

/// What is told beside the verdict.
#[derive(Default)]
struct Facts<'a> {
    running_version: Option<&'a str>,
    next_check: u64,
    http_status: i32,
    age: u64,
    checked_at: Option<i64>,
    nonce: Option<&'a Nonce>,
}

/// For a call that made no check.
pub fn without_check(code: Code, message: String) -> Outcome {
    made(code, message, None, &Facts::default())
}

/// `message`: the main line that was logged. `next_check`: seconds. `checked_at`: seconds since the epoch.
pub fn of(
    attempt: &Attempt,
    message: String,
    running_version: &str,
    next_check: u64,
    checked_at: i64,
) -> Outcome {
    let verdict = attempt.outcome.as_ref().ok().map(|answer| &answer.verdict);
    let facts = Facts {
        running_version: Some(running_version),
        next_check,
        http_status: attempt.http_status,
        age: 0,
        checked_at: Some(checked_at),
        nonce: attempt.nonce.as_ref(),
    };
    made(attempt.code(), message, verdict, &facts)
}

/// A known verdict that is repeated `age` seconds after the check at `checked_at`.
pub fn repeated(
    verdict: &Verdict,
    message: String,
    running_version: &str,
    next_check: u64,
    checked_at: i64,
    age: u64,
) -> Outcome {
    let facts = Facts {
        running_version: Some(running_version),
        next_check,
        age,
        checked_at: Some(checked_at),
        ..Facts::default()
    };
    made(verdict.code(), message, Some(verdict), &facts)
}

fn made(code: Code, message: String, verdict: Option<&Verdict>, facts: &Facts) -> Outcome {
    let json = json!({
        "code": code.number(),
        "name": code.name(),
        "message": message,
        "running_version": facts.running_version,
        "recommended_version": verdict.and_then(Verdict::recommended_version),
        "notice": verdict.and_then(Verdict::notice),
        "items": items(verdict),
        "severity": verdict.and_then(Verdict::severity),
        "url": verdict.and_then(Verdict::url),
        "affected": verdict.and_then(Verdict::affected),
        "key_fingerprint": verdict.and_then(Verdict::key_fingerprint),
        "request_bound": verdict.is_some_and(Verdict::request_bound),
        "http_status": facts.http_status,
        "next_check": facts.next_check,
        "checked_at": facts.checked_at,
        "age": facts.age,
        "nonce": facts.nonce.map(Nonce::as_str),
    });
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Outcome {
        code,
        message,
        version: owned(verdict.and_then(Verdict::recommended_version)),
        notice: owned(verdict.and_then(Verdict::notice)),
        next_check: facts.next_check,
        http_status: facts.http_status,
        age: facts.age,
        json,
    }
}

fn items(verdict: Option<&Verdict>) -> Vec<Value> {
    let advisories = verdict.map(Verdict::advisories).unwrap_or_default();
    advisories
        .iter()
        .map(|advisory| {
            json!({
                "fixed_in": advisory.fixed_in,
                "identifiers": advisory.identifiers,
                "text": advisory.text,
            })
        })
        .collect()
}
