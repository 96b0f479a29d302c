//! Validates a request: everything that the wire format asks of a client.

use crate::http::{HttpRequest, Refusal};
use crate::json;
use crate::license::{self, EncryptedLicense};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{PKey, Private};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub(crate) const PATH: &str = "/v1/check.json";

/// A request that keeps to the wire format.
pub(crate) struct Check {
    pub passenger_version: String,
    pub server_integration: String,
    pub server_version: Option<String>,
    pub nonce: String,
    /// Decrypted.
    pub license: Option<Zeroizing<Vec<u8>>>,
}

impl Check {
    pub fn parse(request: &HttpRequest, license_key: &PKey<Private>) -> Result<Check, Refusal> {
        if request.path != PATH {
            return Err(Refusal::new(404, format!("there is only {PATH} here")));
        }
        if request.method != "POST" {
            return Err(Refusal::new(405, "send a POST"));
        }
        if !request.header("content-type").is_some_and(is_json) {
            return Err(Refusal::new(415, "Content-Type must be application/json"));
        }
        let value = json::parse(&request.body)
            .map_err(|cause| Refusal::new(400, format!("not JSON: {cause}")))?;
        let Value::Object(object) = value else {
            return Err(Refusal::new(400, "not a JSON object"));
        };
        if !object.get("curl_static").is_some_and(Value::is_boolean) {
            return Err(Refusal::new(400, "`curl_static` must be true or false"));
        }
        let mut check = Check {
            passenger_version: short_string(&object, "passenger_version")?,
            server_integration: short_string(&object, "server_integration")?,
            server_version: match object.get("server_version") {
                None | Some(Value::Null) => None,
                Some(_) => Some(short_string(&object, "server_version")?),
            },
            nonce: nonce(&object)?,
            license: None,
        };
        if let Some(encrypted) = license(&object)? {
            let license = license::decrypt(&encrypted, license_key, &check.nonce);
            check.license = Some(license.map_err(|reason| Refusal::new(422, reason))?);
        }
        Ok(check)
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn short_string(object: &Map<String, Value>, key: &str) -> Result<String, Refusal> {
    let text = object.get(key).and_then(Value::as_str).unwrap_or_default();
    if text.is_empty() || text.len() > 256 || text.chars().any(char::is_control) {
        let rule = "must be a string of 1 to 256 bytes without control characters";
        return Err(Refusal::new(400, format!("`{key}` {rule}")));
    }
    Ok(text.to_owned())
}

/// Decimal microseconds, then base64 of 16 random bytes, which is always 24 characters long.
fn nonce(object: &Map<String, Value>) -> Result<String, Refusal> {
    let nonce = short_string(object, "nonce")?;
    let (time, random) = nonce
        .len()
        .checked_sub(24)
        .and_then(|at| nonce.split_at_checked(at))
        .unwrap_or_default();
    let is_time = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let is_random = STANDARD.decode(random).is_ok_and(|bytes| bytes.len() == 16);
    if !is_time || !is_random {
        let rule = "must be decimal microseconds, then base64 of 16 random bytes";
        return Err(Refusal::new(400, format!("`nonce` {rule}")));
    }
    Ok(nonce)
}

fn license(object: &Map<String, Value>) -> Result<Option<EncryptedLicense>, Refusal> {
    let Some(value) = object.get("license") else {
        return Ok(None);
    };
    let part = |key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.and_then(|text| STANDARD.decode(text).ok())
            .ok_or_else(|| Refusal::new(400, format!("`license.{key}` must be base64")))
    };
    Ok(Some(EncryptedLicense {
        key: part("key")?,
        iv: part("iv")?,
        data: part("data")?,
        tag: part("tag")?,
    }))
}
