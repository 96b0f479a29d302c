//! Step 6: what the answer says. A [`Verdict`] cannot be built without the right nonce, nor "no update" without a verified
//! signature.

use super::advisory::{self, Advisory};
use super::envelope::Envelope;
use super::nonce::Nonce;
use super::signature::Authentic;
use crate::code::Code;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::json;
use serde_json::{Map, Number, Value};

/// Characters in a version that an administrator is told to install.
pub const MAX_VERSION_LENGTH: usize = 64;

/// What an answer must be the answer to.
pub struct Expected<'a> {
    pub nonce: &'a Nonce,
    /// Lower-case hex SHA-256 of the request's body.
    pub request_sha256: &'a str,
    pub require_request_binding: bool,
}

impl<'a> Expected<'a> {
    pub fn new(config: &CheckConfig, nonce: &'a Nonce, request_sha256: &'a str) -> Expected<'a> {
        Expected {
            nonce,
            request_sha256,
            require_request_binding: config.settings.require_request_binding,
        }
    }
}

/// There is one, whatever is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The version that it should go to: 1 to 64 letters, digits and `.+~_:-`.
    pub version: Option<String>,
    /// What the answer has in its place.
    pub unusable_version: Option<String>,
}

/// An authentic answer to this very request.
#[derive(Clone, Debug)]
pub struct Verdict {
    update: Option<Update>,
    notice: Option<String>,
    advisories: Vec<Advisory>,
    severity: Option<String>,
    url: Option<String>,
    affected: Option<Value>,
    backoff_minutes: i64,
    request_bound: bool,
    key_fingerprint: Option<String>,
}

impl Verdict {
    pub fn read(authentic: &Authentic, expected: &Expected) -> Result<Verdict, Error> {
        let verdict = Verdict::of_data(authentic.decoded(), expected)?;
        Ok(Verdict {
            key_fingerprint: Some(authentic.key_fingerprint().to_owned()),
            ..verdict
        })
    }

    /// The warning in a stored answer that OpenSSL cannot verify just now: `None` when it says that there is no update,
    /// which nobody is told without a signature.
    pub fn unverified_warning(envelope: &Envelope, expected: &Expected) -> Option<Verdict> {
        let verdict = Verdict::of_data(&envelope.decoded()?, expected).ok()?;
        verdict.update.is_some().then_some(verdict)
    }

    fn of_data(data: &[u8], expected: &Expected) -> Result<Verdict, Error> {
        let fields = json::object(data).map_err(|problem| {
            Error::signed_response(format!("the signed data of the answer is {problem}"))
        })?;
        let request_bound = check_origin(&fields, expected)?;
        let update = update(&fields)?;
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
            key_fingerprint: None,
        })
    }

    pub fn code(&self) -> Code {
        match self.update {
            Some(_) => Code::UpdateAvailable,
            None => Code::Ok,
        }
    }

    /// `None` when there is no update.
    pub fn update(&self) -> Option<&Update> {
        self.update.as_ref()
    }

    /// The version that an update should go to; `None` when there is no update, or no usable version.
    pub fn recommended_version(&self) -> Option<&str> {
        self.update.as_ref()?.version.as_deref()
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

    /// Which key has signed; `None` where OpenSSL could not verify it.
    pub fn key_fingerprint(&self) -> Option<&str> {
        self.key_fingerprint.as_deref()
    }
}

/// Nonce and request binding. Returns whether the answer is bound to the request.
fn check_origin(fields: &Map<String, Value>, expected: &Expected) -> Result<bool, Error> {
    match fields.get("nonce") {
        Some(Value::String(nonce)) if nonce == expected.nonce.as_str() => {}
        Some(Value::String(_)) => {
            return Err(replay(
                "the answer is signed, but its nonce is not this request's (possible replay attack)",
            ));
        }
        _ => {
            return Err(replay(
                "the answer is signed, but without a nonce (missing data fields; possible replay attack)",
            ));
        }
    }
    match fields.get("request_sha256") {
        None if expected.require_request_binding => Err(replay(
            "the answer does not say which request it answers, and require_request_binding is set (possible replay attack)",
        )),
        None => Ok(false),
        Some(Value::String(signed)) if signed == expected.request_sha256 => Ok(true),
        Some(_) => Err(replay(
            "the answer is signed, but for another request: it was changed on the way, or this is a replay (possible replay attack)",
        )),
    }
}

fn replay(reason: &str) -> Error {
    Error::new(
        Code::Nonce,
        reason,
        "someone may be intercepting the connection: look at proxies and certificate authorities on the way",
    )
}

/// A signed warning is never lost: every number but 0 is one, whatever stands beside it. A 0 that is not written as the
/// integer is no "no update".
fn update(fields: &Map<String, Value>) -> Result<Option<Update>, Error> {
    let wrong = |what: &str| {
        Err(Error::signed_response(format!(
            "the answer's `update` {what} (missing data fields)"
        )))
    };
    match fields.get("update") {
        Some(Value::Number(number)) if is_zero(number) => match number.as_u64() {
            Some(_) => Ok(None),
            None => wrong("is a 0 that is not written as an integer"),
        },
        Some(Value::Number(_)) => Ok(Some(Update::of(fields.get("version")))),
        Some(_) => wrong("is not an integer"),
        None => wrong("is missing"),
    }
}

/// Whether it says that there is an update, whoever has signed it and for whatever request.
pub fn claims_update(envelope: &Envelope) -> bool {
    let fields = envelope.decoded().and_then(|data| json::object(&data).ok());
    fields.is_some_and(|fields| matches!(update(&fields), Ok(Some(_))))
}

/// As written: `0`, `-0`, `0.00`, `0e7`.
fn is_zero(number: &Number) -> bool {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    mantissa
        .bytes()
        .all(|byte| matches!(byte, b'0' | b'-' | b'.'))
}

impl Update {
    fn of(version: Option<&Value>) -> Update {
        let (version, unusable_version) = match version {
            Some(Value::String(version)) if is_version(version) => (Some(version.clone()), None),
            Some(Value::String(other)) => (None, Some(other.clone())),
            Some(Value::Null) | None => (None, None),
            Some(other) => (None, Some(other.to_string())),
        };
        Update {
            version,
            unusable_version,
        }
    }
}

fn is_version(version: &str) -> bool {
    (1..=MAX_VERSION_LENGTH).contains(&version.len()) && version.chars().all(is_of_version)
}

/// What a version may consist of.
pub fn is_of_version(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '+' | '~' | '_' | ':' | '-')
}

/// An optional text; of another kind it is ignored.
fn text_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<Verdict, Error> {
        let nonce = Nonce::of_request("n");
        let expected = Expected {
            nonce: &nonce,
            request_sha256: "",
            require_request_binding: false,
        };
        Verdict::of_data(data.as_bytes(), &expected)
    }

    fn of_update(number: &str) -> Option<bool> {
        let verdict = read(&format!(r#"{{"nonce":"n","update":{number}}}"#));
        verdict.ok().map(|verdict| verdict.update().is_some())
    }

    #[test]
    fn every_number_but_zero_is_an_update() {
        for number in [
            "1",
            "2",
            "-1",
            "2147483648",
            "18446744073709551617",
            "1.0",
            "1e0",
            "1e2",
            "0.5",
            "-1e-999",
        ] {
            assert_eq!(of_update(number), Some(true), "{number}");
        }
        assert_eq!(of_update("0"), Some(false));
        for other in [
            "-0", "0.0", "0e1", "-0.0E-1", "true", "false", "null", r#""1""#, r#""0""#, "[]", "{}",
        ] {
            assert_eq!(of_update(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_missing_is_called_so() {
        for data in [
            r#"{"nonce":"n"}"#,
            r#"{"nonce":"n","update":"1"}"#,
            r#"{"update":0}"#,
            r#"{"nonce":1,"update":0}"#,
        ] {
            let error = read(data).expect_err(data);
            assert!(error.reason.contains("missing data fields"), "{data}");
        }
    }

    #[test]
    fn an_unusable_version_loses_no_update() {
        let version = |version: &str| {
            let verdict = read(&format!(
                r#"{{"nonce":"n","update":1,"version":{version}}}"#
            ));
            verdict.expect(version).update().expect(version).clone()
        };
        let longest = "6".repeat(64);
        for usable in ["6.0.20", "1:6.0.20-1~deb12+b_1", longest.as_str()] {
            let update = version(&format!("{usable:?}"));
            assert_eq!(
                (update.version.as_deref(), update.unusable_version),
                (Some(usable), None)
            );
        }
        let too_long = format!("{longest}6");
        for unusable in [
            "",
            " ",
            "6.0.20\\n",
            "6 0",
            "6.0.%n",
            "é",
            too_long.as_str(),
        ] {
            let update = version(&format!(r#""{unusable}""#));
            assert_eq!(update.version, None, "{unusable}");
            assert!(update.unusable_version.is_some(), "{unusable}");
        }
        assert_eq!(version("6").unusable_version.as_deref(), Some("6"));
        assert_eq!(version("null").unusable_version, None);
    }

    #[test]
    fn without_a_signature_only_a_warning_counts() {
        use base64::Engine;
        let told = |data: &str| {
            let nonce = Nonce::of_request("n");
            let expected = Expected {
                nonce: &nonce,
                request_sha256: "",
                require_request_binding: false,
            };
            let data = base64::engine::general_purpose::STANDARD.encode(data);
            let envelope = Envelope::from_texts(data, "AAAA".to_owned()).ok().unwrap();
            Verdict::unverified_warning(&envelope, &expected)
        };
        let warning = told(r#"{"nonce":"n","update":1,"version":"9"}"#).unwrap();
        assert_eq!(
            (warning.code(), warning.key_fingerprint()),
            (Code::UpdateAvailable, None)
        );
        assert!(told(r#"{"nonce":"n","update":0}"#).is_none());
        assert!(told(r#"{"nonce":"m","update":1,"version":"9"}"#).is_none());
    }
}
