//! The effective configuration as JSON, secrets masked (`psc_inspect_config`).

use super::Config;
use super::settings;
use serde_json::{Value, json};
use std::path::Path;

impl Config {
    pub fn inspect(&self) -> Value {
        let values = &self.settings;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let optional = |value: &Option<std::path::PathBuf>| value.as_deref().map(path);
        let files = &self.files;
        let keys = files.server_keys.as_ref().map(|file| file.cached());
        let keys = keys.and_then(Result::ok).unwrap_or_default();
        let trust_store = files.trust_store.as_ref().map(|store| store.cached());
        let trust_store = trust_store.and_then(Result::ok);
        json!({
            settings::PASSENGER_VERSION: values.passenger_version,
            settings::SERVER_IDENTIFIER: values.server_identifier,
            settings::WEB_SERVER_VERSION: values.web_server_version,
            settings::PROGRAM_NAME: values.program_name,
            settings::DISABLED: values.disabled,
            settings::URL: values.url.as_str(),
            settings::PROXY_URL: values.proxy.masked(),
            settings::CERTIFICATE_PATH: optional(&values.certificate_path),
            settings::CLIENT_CERTIFICATE_PATH: values.client_certificate_path.as_deref().map_or(String::new(), path),
            settings::SERVER_PUBLIC_KEY_PATH: path(&values.server_public_key_path),
            settings::RESOURCES_DIR: path(&values.resources_dir),
            settings::INTERVAL: values.interval,
            settings::START_DELAY: values.start_delay,
            settings::START_JITTER: values.start_jitter,
            settings::STATE_DIR: optional(&values.state_dir),
            settings::LICENSE_PATH: optional(&values.license_path),
            settings::LICENSE_PUBLIC_KEY_PATH: optional(&values.license_public_key_path),
            settings::REQUIRE_REQUEST_BINDING: values.require_request_binding,
            settings::TIMEOUT: values.timeout,
            settings::LOG_LEVEL: values.log_level,
            "trust_store": trust_store.as_deref().map(|trust_store| path(trust_store.path())),
            "server_public_keys": keys.iter().map(|key| key.fingerprint.as_str()).collect::<Vec<_>>(),
        })
    }
}
