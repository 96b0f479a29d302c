//! Step 2: the request body.

use super::license;
use super::nonce::Nonce;
use crate::config::check_config::CheckConfig;
use crate::curl_linkage;
use crate::digest::sha256_hex;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a request has beside nonce, version and integration: what else the same question may be asked with. Kept with an
/// answer, so that the request can be made again from this, the configuration and the nonce.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExtraFields {
    server_version: Option<String>,
    curl_static: bool,
    /// Encrypted for the vendor, differently each time.
    license: Option<Value>,
}

impl ExtraFields {
    fn of(config: &CheckConfig, license: Option<Value>) -> ExtraFields {
        ExtraFields {
            server_version: config.settings.web_server_version.clone(),
            curl_static: curl_linkage::is_static(),
            license,
        }
    }

    /// Bytes of the license, the only text in it that may be long.
    pub fn size(&self) -> usize {
        self.license
            .as_ref()
            .map_or(0, |license| license.to_string().len())
    }
}

/// What is sent, and what must come back.
pub struct Request {
    pub nonce: Nonce,
    pub body: String,
    /// Lower-case hex SHA-256 of the body as sent.
    pub sha256: String,
    /// The fields for people: the license shows as its size.
    pub shown: Vec<(String, String)>,
    pub extra_fields: ExtraFields,
}

impl Request {
    pub fn new(config: &CheckConfig, nonce: Nonce) -> Result<Request, Error> {
        let license = config.license.as_ref();
        let sealed = license.map(|license| license::sealed(license, &nonce));
        let extra_fields = ExtraFields::of(config, sealed.transpose()?);
        let mut shown = shown(&fields(config, &nonce, &extra_fields));
        if let Some(license) = license {
            shown.push(("license".to_owned(), license::shown(license)));
        }
        let body = body(config, &nonce, &extra_fields);
        Ok(Request {
            nonce,
            sha256: sha256(&body),
            body,
            shown,
            extra_fields,
        })
    }

    /// The digest of an earlier request to the question of this configuration.
    pub fn sha256_of(
        config: &CheckConfig,
        nonce: &Nonce,
        extra_fields: Option<&ExtraFields>,
    ) -> String {
        match extra_fields {
            Some(extra_fields) => sha256(&body(config, nonce, extra_fields)),
            None => sha256(&body(config, nonce, &ExtraFields::of(config, None))),
        }
    }
}

fn sha256(body: &str) -> String {
    sha256_hex(body.as_bytes())
}

fn body(config: &CheckConfig, nonce: &Nonce, extra_fields: &ExtraFields) -> String {
    let mut fields = fields(config, nonce, extra_fields);
    if let (Some(license), Some(object)) = (&extra_fields.license, fields.as_object_mut()) {
        object.insert("license".to_owned(), license.clone());
    }
    fields.to_string()
}

fn fields(config: &CheckConfig, nonce: &Nonce, extra_fields: &ExtraFields) -> Value {
    json!({
        "passenger_version": config.passenger_version,
        "server_integration": config.server_identifier,
        "server_version": extra_fields.server_version,
        "curl_static": extra_fields.curl_static,
        "nonce": nonce.as_str(),
    })
}

fn shown(fields: &Value) -> Vec<(String, String)> {
    fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.to_string()))
        .collect()
}
