//! The values of the configuration keys: types, ranges, defaults (docs/configuration.md).

use super::error::Problem;
use super::proxy::Proxy;
use super::url::HttpsUrl;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub const PASSENGER_VERSION: &str = "passenger_version";
pub const SERVER_IDENTIFIER: &str = "server_identifier";
pub const WEB_SERVER_VERSION: &str = "web_server_version";
pub const PROGRAM_NAME: &str = "program_name";
pub const DISABLED: &str = "disabled";
pub const URL: &str = "url";
pub const PROXY_URL: &str = "proxy_url";
pub const CERTIFICATE_PATH: &str = "certificate_path";
pub const CLIENT_CERTIFICATE_PATH: &str = "client_certificate_path";
pub const SERVER_PUBLIC_KEY_PATH: &str = "server_public_key_path";
pub const RESOURCES_DIR: &str = "resources_dir";
pub const INTERVAL: &str = "interval";
pub const START_DELAY: &str = "start_delay";
pub const START_JITTER: &str = "start_jitter";
pub const STATE_DIR: &str = "state_dir";
pub const LICENSE_PATH: &str = "license_path";
pub const LICENSE_PUBLIC_KEY_PATH: &str = "license_public_key_path";
pub const REQUIRE_REQUEST_BINDING: &str = "require_request_binding";
pub const TIMEOUT: &str = "timeout";
pub const LOG_LEVEL: &str = "log_level";

const KEYS: [&str; 20] = [
    PASSENGER_VERSION,
    SERVER_IDENTIFIER,
    WEB_SERVER_VERSION,
    PROGRAM_NAME,
    DISABLED,
    URL,
    PROXY_URL,
    CERTIFICATE_PATH,
    CLIENT_CERTIFICATE_PATH,
    SERVER_PUBLIC_KEY_PATH,
    RESOURCES_DIR,
    INTERVAL,
    START_DELAY,
    START_JITTER,
    STATE_DIR,
    LICENSE_PATH,
    LICENSE_PUBLIC_KEY_PATH,
    REQUIRE_REQUEST_BINDING,
    TIMEOUT,
    LOG_LEVEL,
];

const DEFAULT_URL: &str = "https://securitycheck.phusionpassenger.com/v1/check.json";
const DEFAULT_RESOURCES: &str = "/usr/share/passenger";
const DEFAULT_CLIENT_CERTIFICATE: &str = "update_check_client_cert.pem";
const DEFAULT_SERVER_PUBLIC_KEY: &str = "update_check_server_pubkey.pem";

/// Bytes in a string value.
const MAX_STRING: usize = 4096;
/// Bytes in an identifier or a version.
const MAX_IDENTIFIER: usize = 256;

/// Optional strings of which `""` is no value.
const UNSET_BY_EMPTY: [&str; 5] = [
    WEB_SERVER_VERSION,
    CERTIFICATE_PATH,
    STATE_DIR,
    LICENSE_PATH,
    LICENSE_PUBLIC_KEY_PATH,
];

/// Whether `""` puts the key back to its default, null.
pub fn is_unset_by_empty(key: &str) -> bool {
    UNSET_BY_EMPTY.contains(&key)
}

pub fn is_known(key: &str) -> bool {
    KEYS.contains(&key)
}

/// Every key's effective value.
#[derive(Clone, Debug)]
pub struct Settings {
    pub passenger_version: Option<String>,
    pub server_identifier: Option<String>,
    pub web_server_version: Option<String>,
    pub program_name: String,
    pub disabled: bool,
    pub url: HttpsUrl,
    pub proxy: Proxy,
    pub certificate_path: Option<PathBuf>,
    /// `None`: no client certificate is sent.
    pub client_certificate_path: Option<PathBuf>,
    pub server_public_key_path: PathBuf,
    pub resources_dir: PathBuf,
    pub interval: u64,
    pub start_delay: u64,
    pub start_jitter: u64,
    pub state_dir: Option<PathBuf>,
    pub license_path: Option<PathBuf>,
    pub license_public_key_path: Option<PathBuf>,
    pub require_request_binding: bool,
    pub timeout: u64,
    pub log_level: i32,
}

impl Settings {
    pub fn defaults() -> Settings {
        Reader::new(&Map::new()).settings()
    }

    /// The values of `given`, and every problem with them, each named by its key. A wrong value reads as its default.
    pub fn read<'a>(
        given: &Map<String, Value>,
        unknown: impl Iterator<Item = &'a String>,
    ) -> (Settings, Vec<Problem>) {
        let mut reader = Reader::new(given);
        let settings = reader.settings();
        if settings.license_path.is_some() && settings.license_public_key_path.is_none() {
            reader.problem(LICENSE_PUBLIC_KEY_PATH, "is required with license_path");
        }
        // Last, because there may be many.
        let unknown = unknown.map(|key| Problem::new(key, "unknown key"));
        reader.problems.extend(unknown);
        (settings, reader.problems)
    }

    /// Whether a check could be made: both required keys are set.
    pub fn is_complete(&self) -> bool {
        self.passenger_version.is_some() && self.server_identifier.is_some()
    }
}

/// Reads values by key and collects what is wrong with them; a wrong value reads as its default meanwhile.
struct Reader<'a> {
    given: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn new(given: &Map<String, Value>) -> Reader<'_> {
        Reader {
            given,
            problems: Vec::new(),
        }
    }

    fn settings(&mut self) -> Settings {
        let resources_dir = self
            .path(RESOURCES_DIR)
            .unwrap_or_else(|| PathBuf::from(DEFAULT_RESOURCES));
        Settings {
            passenger_version: self.identifier(PASSENGER_VERSION),
            server_identifier: self.identifier(SERVER_IDENTIFIER),
            web_server_version: self.identifier(WEB_SERVER_VERSION),
            program_name: self
                .non_empty(PROGRAM_NAME, MAX_STRING)
                .unwrap_or_else(|| "Phusion Passenger(R)".to_owned()),
            disabled: self.flag(DISABLED),
            url: self.url(),
            proxy: self.proxy(),
            certificate_path: self.path(CERTIFICATE_PATH),
            client_certificate_path: self.client_certificate_path(&resources_dir),
            server_public_key_path: self
                .path(SERVER_PUBLIC_KEY_PATH)
                .unwrap_or_else(|| resources_dir.join(DEFAULT_SERVER_PUBLIC_KEY)),
            resources_dir,
            interval: self.integer(INTERVAL, 86_400, 43_200..=604_800),
            start_delay: self.integer(START_DELAY, 2, 0..=3_600),
            start_jitter: self.integer(START_JITTER, 300, 0..=86_400),
            state_dir: self.absolute_path(STATE_DIR),
            license_path: self.path(LICENSE_PATH),
            license_public_key_path: self.path(LICENSE_PUBLIC_KEY_PATH),
            require_request_binding: self.flag(REQUIRE_REQUEST_BINDING),
            timeout: self.integer(TIMEOUT, 60, 1..=180),
            log_level: i32::try_from(self.integer(LOG_LEVEL, 3, 0..=7)).unwrap_or(3),
        }
    }

    fn problem(&mut self, key: &str, what: &str) {
        self.problems.push(Problem::new(key, what));
    }

    /// A string of at most `longest` bytes without control characters.
    fn string(&mut self, key: &str, longest: usize) -> Option<String> {
        let Value::String(value) = self.given.get(key)? else {
            self.problem(key, "must be a string");
            return None;
        };
        if value.len() > longest {
            self.problem(key, &format!("is longer than {longest} bytes"));
        } else if value.chars().any(char::is_control) {
            self.problem(key, "contains control characters");
        } else {
            return Some(value.clone());
        }
        None
    }

    fn non_empty(&mut self, key: &str, longest: usize) -> Option<String> {
        let value = self.string(key, longest)?;
        if value.is_empty() {
            self.problem(key, "is empty");
            return None;
        }
        Some(value)
    }

    fn identifier(&mut self, key: &str) -> Option<String> {
        self.non_empty(key, MAX_IDENTIFIER)
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.non_empty(key, MAX_STRING).map(PathBuf::from)
    }

    /// A relative path is one of now: the host may change its directory later.
    fn absolute_path(&mut self, key: &str) -> Option<PathBuf> {
        let path = self.path(key)?;
        let absolute = std::path::absolute(&path).ok();
        if absolute.is_none() {
            self.problem(key, "cannot be made absolute");
        }
        absolute
    }

    fn client_certificate_path(&mut self, resources_dir: &Path) -> Option<PathBuf> {
        if !self.given.contains_key(CLIENT_CERTIFICATE_PATH) {
            return Some(resources_dir.join(DEFAULT_CLIENT_CERTIFICATE));
        }
        self.string(CLIENT_CERTIFICATE_PATH, MAX_STRING)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.given.get(key) {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.problem(key, "must be true or false");
                false
            }
        }
    }

    fn integer(&mut self, key: &str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(value) = self.given.get(key) else {
            return default;
        };
        match whole_number(value) {
            Some(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.problem(key, &format!("must be an integer from {low} to {high}"));
                default
            }
        }
    }

    fn url(&mut self) -> HttpsUrl {
        let given = self.non_empty(URL, MAX_STRING);
        match HttpsUrl::parse(given.as_deref().unwrap_or(DEFAULT_URL)) {
            Ok(url) => url,
            Err(problem) => {
                self.problem(URL, problem);
                HttpsUrl::placeholder()
            }
        }
    }

    fn proxy(&mut self) -> Proxy {
        let Some(given) = self.non_empty(PROXY_URL, MAX_STRING) else {
            return Proxy::Environment;
        };
        Proxy::parse(&given).unwrap_or_else(|problem| {
            self.problem(PROXY_URL, problem);
            Proxy::Environment
        })
    }
}

/// A number without a fraction, however it is written: `86400.0` and `864e2` are integers.
fn whole_number(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else {
        return None;
    };
    let text = number.to_string();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    if matches!(significant, "" | "-") {
        return Some(0);
    }
    // The point stands after so many of the digits.
    let point = i64::try_from(whole.len())
        .ok()?
        .checked_add(exponent.parse().ok()?)?;
    let zeros = usize::try_from(point)
        .ok()?
        .checked_sub(significant.len())?;
    // More digits than a u64 has.
    if zeros > 20 {
        return None;
    }
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_without_a_fraction_is_an_integer() {
        let read = |text: &str| {
            let object = crate::json::object(format!("{{\"a\":{text}}}").as_bytes()).unwrap();
            whole_number(&object["a"])
        };
        for (text, number) in [
            ("86400", Some(86_400)),
            ("86400.0", Some(86_400)),
            ("8.64e4", Some(86_400)),
            ("864E+2", Some(86_400)),
            ("86400000e-3", Some(86_400)),
            ("0.0", Some(0)),
            ("-0", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("10", Some(10)),
            ("18446744073709551615.0", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("86400.5", None),
            ("86400.00000000000000000000001", None),
            ("8640e-1", Some(864)),
            ("8641e-1", None),
            ("1e30", None),
            ("1e999999999999999999999", None),
            ("1e9223372036854775807", None),
            ("1e-5", None),
            ("-1", None),
            ("-1.0", None),
            ("\"1\"", None),
        ] {
            assert_eq!(read(text), number, "{text}");
        }
    }

    fn read(value: &Value) -> Result<Settings, Vec<Problem>> {
        match Settings::read(value.as_object().unwrap(), std::iter::empty()) {
            (settings, problems) if problems.is_empty() => Ok(settings),
            (_, problems) => Err(problems),
        }
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let settings = Settings::defaults();
        assert_eq!(settings.url.as_str(), DEFAULT_URL);
        assert_eq!(settings.interval, 86_400);
        assert_eq!(settings.start_delay, 2);
        assert_eq!(settings.start_jitter, 300);
        assert_eq!(settings.timeout, 60);
        assert_eq!(settings.log_level, 3);
        assert_eq!(settings.program_name, "Phusion Passenger(R)");
        assert_eq!(
            settings.server_public_key_path,
            Path::new("/usr/share/passenger/update_check_server_pubkey.pem")
        );
        assert!(!settings.disabled && !settings.is_complete());
    }

    #[test]
    fn every_problem_is_named() {
        let problems = read(&json!({
            "interval": 43199, "timeout": 0, "log_level": 8, "disabled": "yes", "url": "http://a/",
            "passenger_version": "a\nb", "server_identifier": "", "license_path": "/l", "start_delay": 1.5,
            "program_name": "x".repeat(4097), "proxy_url": "ftp://a", "state_dir": 7
        }))
        .unwrap_err();
        for key in [
            "interval",
            "timeout",
            "log_level",
            "disabled",
            "url",
            "passenger_version",
            "server_identifier",
            "license_public_key_path",
            "start_delay",
            "program_name",
            "proxy_url",
            "state_dir",
        ] {
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.key.as_deref() == Some(key)),
                "{key} is missing in {problems:?}"
            );
        }
        assert_eq!(problems.len(), 12);
    }

    #[test]
    fn bounds_are_inclusive() {
        assert_eq!(read(&json!({"interval": 43_200})).unwrap().interval, 43_200);
        assert_eq!(
            read(&json!({"interval": 604_800})).unwrap().interval,
            604_800
        );
        assert!(read(&json!({"interval": 604_801})).is_err());
        assert!(read(&json!({"interval": -1})).is_err());
    }
}
