//! Step 2: the request body.

use super::license;
use super::nonce::Nonce;
use crate::config::check_config::CheckConfig;
use crate::curl_linkage;
use crate::digest::sha256_hex;
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a request has beside nonce, version and integration: what else the same question may be asked with. Kept with an
/// answer, so that the request can be made again from this, the configuration and the nonce.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Beside {
    server_version: Option<String>,
    curl_static: bool,
    /// Encrypted for the vendor, differently each time.
    license: Option<Value>,
}

impl Beside {
    fn of(config: &CheckConfig, license: Option<Value>) -> Beside {
        Beside {
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
    pub beside: Beside,
}

impl Request {
    pub fn new(config: &CheckConfig, nonce: Nonce) -> Result<Request, Failure> {
        let license = config.license.as_ref();
        let sealed = license.map(|license| license::sealed(license, &nonce));
        let beside = Beside::of(config, sealed.transpose()?);
        let mut shown = shown(&fields(config, &nonce, &beside));
        if let Some(license) = license {
            shown.push(("license".to_owned(), license::shown(license)));
        }
        let body = body(config, &nonce, &beside);
        Ok(Request {
            nonce,
            sha256: sha256(&body),
            body,
            shown,
            beside,
        })
    }

    /// The digest of an earlier request to the question of this configuration.
    pub fn sha256_of(config: &CheckConfig, nonce: &Nonce, beside: Option<&Beside>) -> String {
        match beside {
            Some(beside) => sha256(&body(config, nonce, beside)),
            None => sha256(&body(config, nonce, &Beside::of(config, None))),
        }
    }
}

fn sha256(body: &str) -> String {
    sha256_hex(body.as_bytes())
}

fn body(config: &CheckConfig, nonce: &Nonce, beside: &Beside) -> String {
    let mut fields = fields(config, nonce, beside);
    if let (Some(license), Some(object)) = (&beside.license, fields.as_object_mut()) {
        object.insert("license".to_owned(), license.clone());
    }
    fields.to_string()
}

fn fields(config: &CheckConfig, nonce: &Nonce, beside: &Beside) -> Value {
    json!({
        "passenger_version": config.passenger_version,
        "server_integration": config.server_identifier,
        "server_version": beside.server_version,
        "curl_static": beside.curl_static,
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
