//! Step 6: what the answer says. A [`Verdict`] cannot be built without a verified signature and the right nonce.

use super::advisory::{self, Advisory};
use super::nonce::Nonce;
use super::signature::Authentic;
use crate::code::Code;
use crate::failure::Failure;
use crate::json;
use serde_json::{Map, Value};

/// Bytes in a version that an administrator is told to install.
const LONGEST_VERSION: usize = 256;

/// What an answer must be the answer to.
pub struct Expected<'a> {
    pub nonce: &'a Nonce,
    /// Lower-case hex SHA-256 of the request's body.
    pub request_sha256: &'a str,
    pub require_request_binding: bool,
}

/// An authentic answer to this very request.
#[derive(Clone, Debug)]
pub struct Verdict {
    update: Option<String>,
    notice: Option<String>,
    advisories: Vec<Advisory>,
    severity: Option<String>,
    url: Option<String>,
    affected: Option<Value>,
    backoff_minutes: i64,
    request_bound: bool,
    key_fingerprint: String,
}

impl Verdict {
    pub fn read(authentic: &Authentic, expected: &Expected) -> Result<Verdict, Failure> {
        let fields = json::object(&authentic.envelope().decoded)
            .map_err(|problem| unusable(format!("the signed data of the answer is {problem}")))?;
        let request_bound = check_origin(&fields, expected)?;
        let update = recommended_version(&fields)?;
        let notice = text_of(&fields, "log").filter(|text| !text.trim().is_empty());
        Ok(Verdict {
            update,
            advisories: notice.as_deref().map(advisory::parse).unwrap_or_default(),
            notice,
            severity: text_of(&fields, "severity"),
            url: text_of(&fields, "url"),
            affected: fields
                .get("affected")
                .filter(|value| !value.is_null())
                .cloned(),
            backoff_minutes: fields.get("backoff").and_then(Value::as_i64).unwrap_or(0),
            request_bound,
            key_fingerprint: authentic.key_fingerprint().to_owned(),
        })
    }

    pub fn code(&self) -> Code {
        match self.update {
            Some(_) => Code::UpdateAvailable,
            None => Code::Ok,
        }
    }

    /// The version that an update should go to; `None` when there is no update.
    pub fn update(&self) -> Option<&str> {
        self.update.as_deref()
    }

    /// The server's own text, as signed.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    pub fn advisories(&self) -> &[Advisory] {
        &self.advisories
    }

    pub fn severity(&self) -> Option<&str> {
        self.severity.as_deref()
    }

    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    pub fn affected(&self) -> Option<&Value> {
        self.affected.as_ref()
    }

    pub fn backoff_minutes(&self) -> i64 {
        self.backoff_minutes
    }

    /// Whether the server has signed which request it answers.
    pub fn request_bound(&self) -> bool {
        self.request_bound
    }

    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }
}

/// Nonce and request binding. Returns whether the answer is bound to the request.
fn check_origin(fields: &Map<String, Value>, expected: &Expected) -> Result<bool, Failure> {
    if fields.get("nonce").and_then(Value::as_str) != Some(expected.nonce.as_str()) {
        return Err(replay(
            "the answer is signed, but its nonce is not this request's (possible replay)",
        ));
    }
    match fields.get("request_sha256") {
        None if expected.require_request_binding => Err(replay(
            "the answer does not say which request it answers, and require_request_binding is set (possible replay)",
        )),
        None => Ok(false),
        Some(Value::String(signed)) if signed == expected.request_sha256 => Ok(true),
        Some(_) => Err(replay(
            "the answer is signed, but for another request: it was changed on the way, or this is a replay",
        )),
    }
}

fn replay(reason: &str) -> Failure {
    Failure::new(
        Code::Nonce,
        reason,
        "someone may be intercepting the connection: look at proxies and certificate authorities on the way",
    )
    .with_status(200)
}

fn recommended_version(fields: &Map<String, Value>) -> Result<Option<String>, Failure> {
    // An integer as written: 1.0 and 1e0 are other numbers in this protocol.
    match fields.get("update").and_then(Value::as_u64) {
        Some(0) => Ok(None),
        Some(1) => match fields.get("version") {
            Some(Value::String(version)) if is_version(version) => Ok(Some(version.clone())),
            _ => Err(unusable(
                "the answer says there is an update, but names no usable version",
            )),
        },
        _ => Err(unusable("the answer's `update` is neither 0 nor 1")),
    }
}

/// Nothing on the way can have made what is signed.
fn unusable(reason: impl Into<String>) -> Failure {
    Failure {
        advice: "the check server has signed this: its operator must act",
        ..Failure::response(reason)
    }
}

fn is_version(version: &str) -> bool {
    !version.trim().is_empty()
        && version.len() <= LONGEST_VERSION
        && crate::text::printable(version) == version
}

/// An optional text; of another kind it is ignored.
fn text_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}
