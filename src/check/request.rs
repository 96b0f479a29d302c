//! Step 2: the request body.

use super::licence;
use super::nonce::Nonce;
use crate::config::check_config::CheckConfig;
use crate::config::keys::hex;
use crate::curl_linkage;
use crate::failure::Failure;
use serde_json::{Value, json};

/// What is sent, and what must come back.
pub struct Request {
    pub nonce: Nonce,
    pub body: String,
    /// Lower-case hex SHA-256 of the body as sent.
    pub sha256: String,
    /// The fields for people: the licence shows as its size.
    pub shown: Vec<(String, String)>,
}

impl Request {
    pub fn new(config: &CheckConfig, nonce: Nonce) -> Result<Request, Failure> {
        let mut fields = json!({
            "passenger_version": config.passenger_version,
            "server_integration": config.server_identifier,
            "server_version": config.settings.web_server_version,
            "curl_static": curl_linkage::is_static(),
            "nonce": nonce.as_str(),
        });
        let mut shown = shown(&fields);
        if let (Some(licence), Some(object)) = (&config.licence, fields.as_object_mut()) {
            object.insert("license".to_owned(), licence::sealed(licence, &nonce)?);
            shown.push(("license".to_owned(), licence::shown(licence)));
        }
        let body = fields.to_string();
        Ok(Request {
            nonce,
            sha256: hex(&openssl::sha::sha256(body.as_bytes())),
            body,
            shown,
        })
    }
}

fn shown(fields: &Value) -> Vec<(String, String)> {
    fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.to_string()))
        .collect()
}
