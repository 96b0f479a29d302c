//! The configuration (docs/configuration.md) through the C ABI: every rule, and every file that will not do.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use psc::ffi::codes::{PSC_ERR_CONFIG, PSC_ERR_FILE};
use psc_testkit::printed::objects;
use psc_testkit::{Check, LINKS, self_signed};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// What psc_configure made of one configuration.
struct Answer {
    code: i32,
    error: String,
    inspected: Value,
}

/// Gives each text to a handle of its own, or, merged, all to one.
fn configure_texts(texts: &[&[u8]], merge: bool) -> Vec<Answer> {
    configure_by(&LINKS.map(Check::new), texts, merge)
}

/// The same in each of these ways, which must say the same.
fn configure_by(ways: &[Check], texts: &[&[u8]], merge: bool) -> Vec<Answer> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("configurations");
    let bytes: Vec<u8> = texts
        .iter()
        .flat_map(|text| text.iter().copied().chain([0]))
        .collect();
    fs::write(&file, bytes).expect("write");
    let file = file.to_str().expect("a path");
    let arguments = if merge {
        vec!["--merge", file]
    } else {
        vec![file]
    };
    let mut said: Vec<String> = ways
        .iter()
        .map(|way| way.run_program("c-tests/api/config.c", &arguments).stdout)
        .collect();
    said.dedup();
    assert_eq!(said.len(), 1, "{said:#?}");
    let said = said.remove(0);
    let answers = parse(&said);
    assert_eq!(answers.len(), texts.len(), "{said}");
    answers
}

fn parse(said: &str) -> Vec<Answer> {
    let answer = |object: &Map<String, Value>| Answer {
        code: i32::try_from(object["code"].as_i64().expect("a code")).expect("a code"),
        error: object["error"].as_str().expect("a text").to_string(),
        inspected: object["inspect"].clone(),
    };
    objects(said).iter().map(answer).collect()
}

fn configure(configs: &[Value]) -> Vec<Answer> {
    let texts: Vec<String> = configs.iter().map(Value::to_string).collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    configure_texts(&texts, false)
}

/// The same handle for all.
fn merge(configs: &[Value]) -> Vec<Answer> {
    let texts: Vec<String> = configs.iter().map(Value::to_string).collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    configure_texts(&texts, true)
}

const STRINGS: [&str; 13] = [
    "passenger_version",
    "server_identifier",
    "web_server_version",
    "program_name",
    "url",
    "proxy_url",
    "certificate_path",
    "client_certificate_path",
    "server_public_key_path",
    "resources_dir",
    "state_dir",
    "license_path",
    "license_public_key_path",
];

fn bad_values() -> Vec<(&'static str, Value)> {
    let mut bad = Vec::new();
    for key in STRINGS {
        let wrong_kinds = [json!(5), json!(true), json!(["x"]), json!({}), json!(1.5)];
        let wrong_texts = [
            "a\nb",
            "a\u{0}b",
            "a\u{1b}[2Jb",
            "a\u{7f}b",
            "a\u{85}b",
            "\t",
        ]
        .map(|text| json!(text));
        bad.extend(
            wrong_kinds
                .into_iter()
                .chain(wrong_texts)
                .map(|value| (key, value)),
        );
        bad.push((key, json!("x".repeat(4097))));
    }
    for key in [
        "passenger_version",
        "server_identifier",
        "web_server_version",
    ] {
        bad.push((key, json!("x".repeat(257))));
    }
    for key in ["passenger_version", "server_identifier"] {
        bad.push((key, json!("")));
    }
    for key in ["disabled", "require_request_binding"] {
        bad.extend(
            [json!(1), json!(0), json!("true"), json!("yes"), json!([])].map(|value| (key, value)),
        );
    }
    let ranges = [
        ("interval", 43_200, 604_800),
        ("start_delay", 0, 3600),
        ("start_jitter", 0, 86_400),
        ("timeout", 1, 180),
        ("log_level", 0, 7),
    ];
    for (key, low, high) in ranges {
        let numbers = [
            json!(low - 1),
            json!(high + 1),
            json!(-1),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e300),
        ];
        let others = [
            json!(f64::from(low) + 0.5),
            json!(low.to_string()),
            json!(true),
            json!([low]),
            json!({}),
        ];
        bad.extend(numbers.into_iter().chain(others).map(|value| (key, value)));
    }
    let urls = [
        "",
        "http://a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "a.example",
        "//a.example/",
        "https:",
        "https://",
        "https:///x",
        "https://user:hunter2@a.example/",
        "https://user@a.example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:x/",
        "https://a b/",
        "https://[::1/",
    ];
    bad.extend(urls.map(|url| ("url", json!(url))));
    let proxies = [
        "",
        "a.example:8080",
        "ftp://a.example",
        "socks6://a.example",
        "http://",
        "http://:8080",
        "http://a:0",
        "http://a:65536",
        "http://a:x",
        "http://a/path",
        "http://a?other",
        "http://u%zz:hunter2@a",
        "http://u%0d%0a:p@a",
        "http://u:hunter%00@a",
        "http://[::1",
        "NONE",
        "direct",
    ];
    bad.extend(proxies.map(|proxy| ("proxy_url", json!(proxy))));
    bad
}

#[test]
fn every_bad_value_is_refused_by_name() {
    let bad = bad_values();
    let configs: Vec<Value> = bad
        .iter()
        .map(|(key, value)| json!({ *key: value }))
        .collect();
    for (answer, (key, value)) in configure(&configs).iter().zip(&bad) {
        assert_eq!(
            answer.code, PSC_ERR_CONFIG,
            "{key} = {value}: {}",
            answer.error
        );
        assert!(
            answer.error.contains(key),
            "{key} = {value}: {}",
            answer.error
        );
        assert!(
            !answer.error.contains("hunter"),
            "a secret shows: {}",
            answer.error
        );
    }
}

/// What is refused leaves nothing behind and reads nothing that it should not; files are part of it.
#[test]
fn refusals_are_clean_under_valgrind() {
    let files = Files::new();
    let key = private_key(2048);
    let good = files.write("good", public_pem(&key));
    let identity = joined(&[
        &self_signed("psc test", &key, -60, 3600),
        &private_pem(&key),
    ]);
    let identity = files.write("identity", identity);
    let small = files.write("small", public_pem(&private_key(1024)));
    let configs = [
        json!({ "server_public_key_path": good, "client_certificate_path": identity }),
        json!({ "server_public_key_path": small, "client_certificate_path": good }),
        json!({ "license_path": small, "license_public_key_path": small }),
        json!({ "interval": 1, "proxy_url": "http://u%zz:p@a", "url": "x", "bogus": 1e300 }),
    ];
    let mut texts: Vec<String> = configs.iter().map(Value::to_string).collect();
    texts.extend([
        "{".to_owned(),
        "[".repeat(1000),
        r#"{"a":1e999,"a":1}"#.to_owned(),
    ]);
    let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let codes: Vec<i32> = configure_by(
        &LINKS.map(|link| Check::new(link).valgrind()),
        &texts,
        false,
    )
    .iter()
    .map(|answer| answer.code)
    .collect();
    let (file, config) = (PSC_ERR_FILE, PSC_ERR_CONFIG);
    assert_eq!(codes, [0, file, file, config, config, config, config]);
}

#[test]
fn what_is_no_json_object_is_refused() {
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    let texts: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"null",
        b"[]",
        b"5",
        b"\"x\"",
        b"{",
        b"}",
        b"{}{}",
        b"{} x",
        b"{\"interval\":86400,}",
        b"{'interval':86400}",
        b"{interval:86400}",
        b"{\"interval\":86400}//",
        b"/**/{}",
        b"\xef\xbb\xbf{}",
        b"{\"interval\":086400}",
        b"{\"interval\":+86400}",
        b"{\"interval\":NaN}",
        b"{\"program_name\":\"\\ud800\"}",
        b"{\"program_name\":\"a\nb\"}",
        b"{\"interval\":86400,\"interval\":86400}",
        b"{\"interval\":1e999}",
        deep.as_bytes(),
        deep_objects.as_bytes(),
    ];
    for (answer, text) in configure_texts(&texts, false).iter().zip(&texts) {
        let shown = String::from_utf8_lossy(&text[..text.len().min(60)]).into_owned();
        assert_eq!(answer.code, PSC_ERR_CONFIG, "{shown}");
        assert!(!answer.error.is_empty(), "{shown}");
        assert!(answer.error.len() < 2000, "{shown}: {}", answer.error);
    }
}

#[test]
fn what_is_not_utf8_is_an_invalid_argument() {
    let texts: [&[u8]; 3] = [
        b"{\"program_name\":\"\xff\"}",
        b"{\"program_name\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\0",
    ];
    for answer in configure_texts(&texts[..2], false) {
        assert_eq!(answer.code, -1, "{}", answer.error);
    }
}

#[test]
fn every_problem_is_told_at_once_and_nothing_is_applied() {
    let answers = merge(&[
        json!({ "interval": 50_000, "program_name": "kept" }),
        json!({ "program_name": "lost", "interval": 1, "timeout": 0, "bogus_key": 1, "url": "http://a/", "disabled": 3 }),
    ]);
    let rejected = &answers[1];
    assert_eq!(rejected.code, PSC_ERR_CONFIG);
    for key in ["interval", "timeout", "bogus_key", "url", "disabled"] {
        assert!(
            rejected.error.contains(key),
            "{key} is missing: {}",
            rejected.error
        );
    }
    assert_eq!(rejected.inspected["program_name"], "kept");
    assert_eq!(rejected.inspected["interval"], 50_000);
}

#[test]
fn many_problems_hide_none() {
    let mut config = json!({ "interval": 1, "url": "http://a/" });
    for number in 0..2000 {
        config[format!("a_key_that_is_{number}_not_known")] = json!(number);
    }
    let answer = configure(std::slice::from_ref(&config)).remove(0);
    for key in config.as_object().expect("an object").keys() {
        assert!(
            answer.error.contains(&format!("{key}: ")),
            "{key} is missing"
        );
    }
    let first = answer.error.find("a_key_that").expect("the unknown ones");
    for key in ["interval: ", "url: "] {
        assert!(answer.error.find(key) < Some(first), "{key} comes late");
    }
}

#[test]
fn calls_merge_and_null_is_the_default() {
    let answers = merge(&[
        json!({ "interval": 50_000, "timeout": 5 }),
        json!({ "interval": 60_000 }),
        json!({ "interval": null, "program_name": null }),
        json!({ "timeout": null }),
    ]);
    let seen: Vec<_> = answers
        .iter()
        .map(|a| {
            (
                a.code,
                a.inspected["interval"].clone(),
                a.inspected["timeout"].clone(),
            )
        })
        .collect();
    let expected =
        [(50_000, 5), (60_000, 5), (86_400, 5), (86_400, 60)].map(|(i, t)| (0, json!(i), json!(t)));
    assert_eq!(seen, expected);
}

#[test]
fn the_limits_themselves_are_accepted() {
    let good = [
        json!({ "interval": 43_200 }),
        json!({ "interval": 604_800 }),
        json!({ "start_delay": 0 }),
        json!({ "start_delay": 3600 }),
        json!({ "start_jitter": 0 }),
        json!({ "start_jitter": 86_400 }),
        json!({ "timeout": 1 }),
        json!({ "timeout": 180 }),
        json!({ "log_level": 0 }),
        json!({ "log_level": 7 }),
        json!({ "passenger_version": "x".repeat(256) }),
        json!({ "web_server_version": "1.22 (ü)" }),
        json!({ "program_name": "x".repeat(4096) }),
        json!({ "url": "https://a.example" }),
        json!({ "url": "https://[::1]:8443/x?y=z" }),
        json!({ "url": format!("https://a.example/{}", "x".repeat(4096 - 18)) }),
        json!({ "proxy_url": "none" }),
        json!({ "proxy_url": "http://a" }),
        json!({ "proxy_url": "https://a:1" }),
        json!({ "proxy_url": "socks4://a" }),
        json!({ "proxy_url": "socks4a://a" }),
        json!({ "proxy_url": "socks5://a" }),
        json!({ "proxy_url": "socks5h://u:p@[::1]:1080" }),
        json!({ "proxy_url": "http://u:p@a:3128?tunnel" }),
        json!({ "proxy_url": "HTTP://a" }),
        json!({ "client_certificate_path": "" }),
        json!({}),
    ];
    for (answer, config) in configure(&good).iter().zip(&good) {
        assert_eq!(answer.code, 0, "{config}: {}", answer.error);
    }
}

/// Hosts whose own configuration has no "unset" hand the empty string over.
#[test]
fn an_empty_optional_string_unsets_its_key() {
    let keys = [
        "web_server_version",
        "certificate_path",
        "state_dir",
        "license_path",
        "license_public_key_path",
    ];
    for key in keys {
        let answer = configure(&[json!({ key: "" })]).remove(0);
        assert_eq!(answer.code, 0, "{key}: {}", answer.error);
        assert_eq!(answer.inspected[key], json!(null), "{key}");
    }
    for key in ["web_server_version", "state_dir"] {
        let answers = merge(&[json!({ key: "/x" }), json!({ key: "" })]);
        assert_eq!(answers[0].inspected[key], json!("/x"));
        assert_eq!(answers[1].code, 0, "{}", answers[1].error);
        assert_eq!(answers[1].inspected[key], json!(null), "{key} had a value");
    }
}

/// Some JSON writers know one kind of number.
#[test]
fn an_integer_may_be_written_with_a_fraction_of_zero() {
    for (text, interval) in [("86400.0", 86_400), ("8.64e4", 86_400), ("50000", 50_000)] {
        let text = format!("{{\"interval\": {text}}}");
        let answer = configure_texts(&[text.as_bytes()], false).remove(0);
        assert_eq!(answer.code, 0, "{text}: {}", answer.error);
        assert_eq!(answer.inspected["interval"], json!(interval), "{text}");
    }
}

#[test]
fn defaults_are_the_documented_ones() {
    let defaults = json!({
        "passenger_version": null, "server_identifier": null, "web_server_version": null,
        "program_name": "Phusion Passenger(R)", "disabled": false,
        "url": "https://securitycheck.phusionpassenger.com/v1/check.json", "proxy_url": null, "certificate_path": null,
        "client_certificate_path": "/usr/share/passenger/update_check_client_cert.pem",
        "server_public_key_path": "/usr/share/passenger/update_check_server_pubkey.pem",
        "resources_dir": "/usr/share/passenger", "interval": 86_400, "start_delay": 2, "start_jitter": 300,
        "state_dir": null, "license_path": null, "license_public_key_path": null, "require_request_binding": false,
        "timeout": 60, "log_level": 3,
    });
    let answer = configure(&[json!({})]).remove(0);
    for (key, value) in defaults.as_object().expect("an object") {
        assert_eq!(&answer.inspected[key], value, "{key}");
    }
}

#[test]
fn proxy_credentials_are_masked() {
    for proxy in [
        "http://alice:s%40cret@proxy.example:3128",
        "socks5h://alice:s%40cret@proxy.example",
    ] {
        let answer = configure(&[json!({ "proxy_url": proxy })]).remove(0);
        let shown = answer.inspected["proxy_url"]
            .as_str()
            .expect("a text")
            .to_string();
        assert!(shown.contains("proxy.example"), "{shown}");
        for secret in ["alice", "s%40cret", "s@cret", "cret"] {
            assert!(
                !answer.inspected.to_string().contains(secret),
                "{secret} shows: {shown}"
            );
        }
    }
}

// ---- files ----------------------------------------------------------------------------------------

const FILE_KEYS: [&str; 3] = [
    "server_public_key_path",
    "client_certificate_path",
    "certificate_path",
];

struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Files {
        Files {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    fn path(&self, name: &str) -> String {
        self.dir
            .path()
            .join(name)
            .to_str()
            .expect("a path")
            .to_string()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).expect("write");
        self.path(name)
    }
}

fn private_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key")
}

fn public_pem(key: &PKey<Private>) -> Vec<u8> {
    key.public_key_to_pem().expect("PEM")
}

fn private_pem(key: &PKey<Private>) -> Vec<u8> {
    key.private_key_to_pem_pkcs8().expect("PEM")
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// Configures each file; each must be refused with its path, and in bounded time.
fn assert_refused(cases: &[(&str, String)]) {
    for link in LINKS {
        psc_testkit::compile("c-tests/api/config.c", link); // which takes its time, too
    }
    let started = Instant::now();
    let configs: Vec<Value> = cases
        .iter()
        .map(|(key, path)| json!({ *key: path }))
        .collect();
    for (answer, (key, path)) in configure(&configs).iter().zip(cases) {
        assert_eq!(
            answer.code, PSC_ERR_FILE,
            "{key} = {path}: {}",
            answer.error
        );
        assert!(
            answer.error.contains(key),
            "{key} = {path}: {}",
            answer.error
        );
        assert!(
            answer.error.contains(path),
            "{key} = {path}: {}",
            answer.error
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "took {:?}",
        started.elapsed()
    );
}

fn make_fifo(path: &str) {
    let path = std::ffi::CString::new(Path::new(path).as_os_str().as_bytes()).expect("a path");
    // SAFETY: a NUL-terminated path.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
}

#[test]
fn files_that_are_no_files_are_refused_without_waiting() {
    let files = Files::new();
    make_fifo(&files.path("fifo"));
    fs::File::create(files.path("sparse"))
        .and_then(|file| file.set_len(1 << 30))
        .expect("a sparse file");
    std::os::unix::fs::symlink(files.path("loop"), files.path("loop")).expect("a link");
    let directory = files.path("");
    let paths = [
        files.path("missing"),
        files.path("fifo"),
        files.path("sparse"),
        files.path("loop"),
        files.write("empty", ""),
        files.write("junk", b"\x00\xff junk \x1b[2J"),
        files.write("text", "no PEM here\n"),
        files.write(
            "broken",
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ),
        directory.trim_end_matches('/').to_string(),
        "/dev/zero".to_string(),
        "/dev/null".to_string(),
        "/dev/tty".to_string(),
    ];
    let cases: Vec<_> = FILE_KEYS
        .into_iter()
        .flat_map(|key| paths.iter().map(move |path| (key, path.clone())))
        .collect();
    assert_refused(&cases);
}

#[test]
fn keys_that_are_not_rsa_public_keys_of_2048_bits_are_refused() {
    let files = Files::new();
    let good = private_key(2048);
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let ec = PKey::from_ec_key(EcKey::generate(&curve).expect("a key")).expect("a key");
    let key = "server_public_key_path";
    assert_refused(&[
        (key, files.write("small", public_pem(&private_key(1024)))),
        (key, files.write("short", public_pem(&private_key(2040)))),
        (key, files.write("ec", public_pem(&ec))),
        (
            key,
            files.write(
                "ed25519",
                public_pem(&PKey::generate_ed25519().expect("a key")),
            ),
        ),
        (key, files.write("private", private_pem(&good))),
        (
            key,
            files.write("certificate", self_signed("psc test", &good, -60, 3600)),
        ),
        (
            key,
            files.write(
                "good-and-small",
                joined(&[&public_pem(&good), &public_pem(&private_key(1024))]),
            ),
        ),
        (
            key,
            files.write(
                "good-and-junk",
                joined(&[&public_pem(&good), b"-----BEGIN PUBLIC KEY-----\nAAAA"]),
            ),
        ),
    ]);
}

#[test]
fn client_certificates_that_cannot_be_used_are_refused() {
    let files = Files::new();
    let key = private_key(2048);
    let good = self_signed("psc test", &key, -60, 3600);
    let encrypted = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .expect("PEM");
    let name = "client_certificate_path";
    assert_refused(&[
        (name, files.write("no-key", &good)),
        (name, files.write("no-certificate", private_pem(&key))),
        (
            name,
            files.write(
                "other-key",
                joined(&[&good, &private_pem(&private_key(2048))]),
            ),
        ),
        (name, files.write("encrypted", joined(&[&good, &encrypted]))),
        (name, files.write("public", public_pem(&key))),
    ]);
}

#[test]
fn reasons_tell_files_apart() {
    let files = Files::new();
    let key = private_key(2048);
    let encrypted = key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"secret")
        .expect("PEM");
    let good = self_signed("psc test", &key, -60, 3600);
    let cases = [
        (
            "server_public_key_path",
            files.write("small", public_pem(&private_key(1024))),
            "1024",
        ),
        (
            "server_public_key_path",
            files.write("private", private_pem(&key)),
            "private",
        ),
        (
            "client_certificate_path",
            files.write("encrypted", joined(&[&good, &encrypted])),
            "encrypted",
        ),
        (
            "client_certificate_path",
            files.write("no-key", &good),
            "key",
        ),
        ("certificate_path", files.path("missing"), "No such file"),
    ];
    let configs: Vec<Value> = cases
        .iter()
        .map(|(key, path, _)| json!({ *key: path }))
        .collect();
    for (answer, (_, path, reason)) in configure(&configs).iter().zip(&cases) {
        assert!(
            answer.error.contains(reason),
            "{path}: {} lacks {reason}",
            answer.error
        );
    }
}

#[test]
fn good_files_are_read_once() {
    let files = Files::new();
    let (old, new) = (private_key(2048), private_key(3072));
    let keys = files.write("keys", joined(&[&public_pem(&old), &public_pem(&new)]));
    let client = files.write(
        "client",
        joined(&[
            &self_signed("psc test", &old, -60, 3600),
            &private_pem(&old),
        ]),
    );
    let ca = files.write("ca", self_signed("psc test", &new, -60, 3600));
    let good = json!({ "server_public_key_path": keys, "client_certificate_path": client, "certificate_path": ca,
        "passenger_version": "6.0.10", "server_identifier": "nginx" });
    let answer = configure(std::slice::from_ref(&good)).remove(0);
    assert_eq!(answer.code, 0, "{}", answer.error);
    assert_eq!(
        answer.inspected["server_public_keys"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );

    // The second call names no file, and none is read again.
    configure_again(
        &good,
        &json!({ "interval": 50_000 }),
        &[&keys, &client, &ca],
    );
}

/// Configures once more after these files were removed; returns what would be sent then.
fn configure_again(first: &Value, second: &Value, removed: &[&str]) -> Value {
    let texts = [first.to_string(), second.to_string()];
    let arguments: Vec<&str> = texts
        .iter()
        .map(String::as_str)
        .chain(removed.iter().copied())
        .collect();
    let mut preview = String::new();
    let kept: Vec<Vec<u8>> = removed
        .iter()
        .map(|path| fs::read(path).expect("a file to remove"))
        .collect();
    for link in LINKS {
        preview = Check::new(link)
            .run_program("c-tests/api/config-once.c", &arguments)
            .stdout;
        for (path, bytes) in removed.iter().zip(&kept) {
            fs::write(path, bytes).expect("write");
        }
    }
    serde_json::from_str(&preview).expect("JSON")
}

/// A license and its key are files of their own: the one is renewed without reading the other again.
#[test]
fn a_license_and_its_key_are_read_apart() {
    let files = Files::new();
    let keys = files.write("keys", public_pem(&private_key(2048)));
    let wrapping = files.write("wrapping", public_pem(&private_key(2048)));
    let (old, new) = (files.write("old", "old"), files.write("new", "renewed"));
    let other = files.write("other", public_pem(&private_key(2048)));
    let config = json!({ "server_public_key_path": keys, "client_certificate_path": "",
        "passenger_version": "6.0.10", "server_identifier": "nginx",
        "license_path": old, "license_public_key_path": wrapping });
    for (second, removed, size) in [
        (json!({ "license_path": new }), [&keys, &wrapping], 7),
        (
            json!({ "license_public_key_path": other }),
            [&keys, &old],
            3,
        ),
    ] {
        let preview = configure_again(&config, &second, &removed.map(String::as_str));
        assert_eq!(
            preview["request"]["license"],
            format!("encrypted, {size} bytes")
        );
    }
}

/// A key that was rotated by a new directory must be the one that counts from then on.
#[test]
fn a_new_resources_dir_brings_its_own_files() {
    let files = Files::new();
    let key = private_key(2048);
    let identity = joined(&[
        &self_signed("psc test", &key, -60, 3600),
        &private_pem(&key),
    ]);
    for (dir, server_key) in [("old", &key), ("new", &private_key(2048))] {
        fs::create_dir(files.path(dir)).expect("a directory");
        files.write(
            &format!("{dir}/update_check_server_pubkey.pem"),
            public_pem(server_key),
        );
        files.write(&format!("{dir}/update_check_client_cert.pem"), &identity);
    }
    let ca = files.write("ca", self_signed("psc test", &key, -60, 3600));
    fs::create_dir(files.path("empty")).expect("a directory");
    let answers = merge(&[
        json!({ "resources_dir": files.path("old"), "certificate_path": ca,
            "passenger_version": "6.0.10", "server_identifier": "nginx" }),
        json!({ "resources_dir": files.path("new") }),
        json!({ "resources_dir": files.path("empty") }),
    ]);
    let codes: Vec<i32> = answers.iter().map(|answer| answer.code).collect();
    assert_eq!(codes, [0, 0, 0], "{}", answers[2].error);
    let keys = |number: usize| answers[number].inspected["server_public_keys"].clone();
    assert_eq!(keys(0).as_array().map(Vec::len), Some(1));
    assert_ne!(keys(0), keys(1), "the new directory's key");
    assert_eq!(keys(2), json!([]), "no other directory's key");
}

/// The same file by its key is a problem; as a default it may come later.
#[test]
fn only_a_file_that_is_named_must_be_there() {
    let files = Files::new();
    let complete = json!({ "resources_dir": files.path(""), "passenger_version": "6.0.10", "server_identifier": "nginx" });
    files.write("update_check_client_cert.pem", "junk");
    let mut configs = vec![complete.clone()];
    for (key, name) in [
        ("server_public_key_path", "update_check_server_pubkey.pem"),
        ("client_certificate_path", "update_check_client_cert.pem"),
    ] {
        let mut named = complete.clone();
        named[key] = json!(files.path(name));
        configs.push(named);
    }
    let answers = configure(&configs);
    let codes: Vec<i32> = answers.iter().map(|answer| answer.code).collect();
    assert_eq!(
        codes,
        [0, PSC_ERR_FILE, PSC_ERR_FILE],
        "{}",
        answers[0].error
    );
    for (answer, key) in answers[1..]
        .iter()
        .zip(["server_public_key_path: ", "client_certificate_path: "])
    {
        assert!(answer.error.contains(key), "{}", answer.error);
    }
}
