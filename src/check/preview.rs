//! What a check would send and where, without sending (`psc_preview_request`).

use super::nonce::Nonce;
use super::request::Request;
use super::transport;
use crate::config::check_config::CheckConfig;
use crate::error::Error;
use crate::json;
use serde_json::{Value, json};

/// The license shows as its size; `body` is therefore the exact text only without one, and null with one.
pub fn preview(config: &CheckConfig) -> Result<Value, Error> {
    let request = Request::new(config, Nonce::new()?)?;
    let mut fields = json::object(request.body.as_bytes()).unwrap_or_default();
    for (name, shown) in &request.shown {
        if name == "license" {
            fields.insert(name.clone(), Value::String(shown.clone()));
        }
    }
    let settings = &config.settings;
    let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
    Ok(json!({
        "disabled": settings.disabled,
        "method": "POST",
        "url": settings.url.as_str(),
        "headers": transport::sent_headers(),
        "request": fields,
        "body": config.license.is_none().then_some(request.body),
        "proxy": settings.proxy.masked().unwrap_or_else(|| config.environment.shown_proxy()),
        "trust_store": config.trust_store.as_deref().map(|trust_store| path(trust_store.path())),
        "client_certificate": config.client_identity.as_ref().and(settings.client_certificate_path.as_deref()).map(path),
        "tls": "TLS 1.2 or newer, peer and host name verified",
        "redirects": "not followed",
        "timeout": settings.timeout,
    }))
}
