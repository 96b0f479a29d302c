//! The complete result of one check, as `psc_result_*` tells it.

use super::Attempt;
use super::nonce::Nonce;
use super::verdict::Verdict;
use crate::code::Code;
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Outcome {
    pub code: Code,
    /// The main line that was logged.
    pub message: String,
    pub verdict: Option<Verdict>,
    pub running_version: Option<String>,
    /// Seconds until the next check is due.
    pub next_check: u64,
    /// 0 when there was no HTTP answer.
    pub http_status: i32,
    /// Seconds since the epoch; `None` when no check was made.
    pub checked_at: Option<i64>,
    pub nonce: Option<Nonce>,
}

impl Outcome {
    /// For a call that made no check.
    pub fn without_check(code: Code, message: String, next_check: u64) -> Outcome {
        Outcome {
            code,
            message,
            verdict: None,
            running_version: None,
            next_check,
            http_status: 0,
            checked_at: None,
            nonce: None,
        }
    }

    pub fn of(
        attempt: &Attempt,
        message: String,
        running_version: &str,
        next_check: u64,
        checked_at: i64,
    ) -> Outcome {
        Outcome {
            code: attempt.code(),
            message,
            verdict: attempt
                .outcome
                .as_ref()
                .ok()
                .map(|answer| answer.verdict.clone()),
            running_version: Some(running_version.to_owned()),
            next_check,
            http_status: attempt.http_status,
            checked_at: Some(checked_at),
            nonce: attempt.nonce.clone(),
        }
    }

    /// `psc_result_json`: `docs/result.schema.json` describes it.
    pub fn to_json(&self) -> Value {
        let verdict = self.verdict.as_ref();
        let items: Vec<Value> = verdict
            .map(Verdict::advisories)
            .unwrap_or_default()
            .iter()
            .map(|advisory| {
                json!({
                    "fixed_in": advisory.fixed_in,
                    "identifiers": advisory.identifiers,
                    "text": advisory.text,
                })
            })
            .collect();
        json!({
            "code": self.code.number(),
            "name": self.code.name(),
            "message": self.message,
            "running_version": self.running_version,
            "recommended_version": verdict.and_then(Verdict::recommended_version),
            "notice": verdict.and_then(Verdict::notice),
            "items": items,
            "severity": verdict.and_then(Verdict::severity),
            "url": verdict.and_then(Verdict::url),
            "affected": verdict.and_then(Verdict::affected),
            "key_fingerprint": verdict.and_then(Verdict::key_fingerprint),
            "request_bound": verdict.is_some_and(Verdict::request_bound),
            "http_status": self.http_status,
            "next_check": self.next_check,
            "checked_at": self.checked_at,
            "nonce": self.nonce.as_ref().map(Nonce::as_str),
        })
    }
}
