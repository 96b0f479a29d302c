//! Servers, keys, signed answers, and C programs that say what psc makes of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Decrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer;
use psc_testkit::printed::{LogLine, Printed};
use psc_testkit::{LINKS, Link, Site, compile, merged, repo, run, valgrind};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

pub const LIMIT: Duration = Duration::from_secs(60);

/// A configuration that talks to this server, logging everything.
pub fn verbose_config(site: &Site, more: Value) -> Value {
    merged(site.config(json!({ "log_level": 7 })), more)
}

/// A configuration that can verify answers and cannot reach anybody.
pub fn offline_config(public_keys: &Path, more: Value) -> Value {
    let base = json!({
        "passenger_version": "6.0.10",
        "server_identifier": "nginx",
        "url": "https://localhost:1/",
        "proxy_url": "none",
        "client_certificate_path": "",
        "server_public_key_path": public_keys,
        "log_level": 7,
    });
    merged(base, more)
}

/// What psc said of one check, or of one answer.
#[derive(Debug)]
pub struct Report {
    /// Of psc_configure, where that has failed.
    pub code: i32,
    pub version: Option<String>,
    /// Null when there was none, like the next.
    pub result: Value,
    pub preview: Value,
    pub status: String,
    pub error: String,
    pub notice: String,
    pub log: Vec<LogLine>,
    /// Everything printed.
    pub everything: String,
}

impl Report {
    pub fn logs_at(&self, level: i32, part: &str) -> bool {
        self.log
            .iter()
            .any(|(at, message)| *at == level && message.contains(part))
    }
}

/// One check in a process of its own.
pub fn check(config: &Value) -> Report {
    let mut command = Command::new(compile("c-tests/api/check.c", Link::Shared));
    report(command.arg("--describe").arg(config.to_string()))
}

/// The same under valgrind.
pub fn check_under_valgrind(config: &Value) -> Report {
    let mut command = valgrind(&compile("c-tests/api/check.c", Link::Static));
    report(command.arg("--describe").arg(config.to_string()))
}

/// What psc_preview_request says; null when it says nothing.
pub fn preview(config: &Value) -> Value {
    check(config).preview
}

/// The verdict on an answer that came as a file.
pub fn verify(config: &Value, answer: &[u8], nonce: &str) -> Report {
    let [said, by_static] =
        LINKS.map(|link| verify_by(Command::new(program(link)), config, answer, nonce));
    let without_time = |report: &Report| merged(report.result.clone(), json!({"checked_at": 0}));
    assert_eq!(without_time(&said), without_time(&by_static));
    said
}

/// The same under valgrind.
pub fn verify_under_valgrind(config: &Value, answer: &[u8], nonce: &str) -> Report {
    verify_by(valgrind(&program(Link::Static)), config, answer, nonce)
}

fn program(link: Link) -> PathBuf {
    compile("c-tests/verify/verify.c", link)
}

fn verify_by(mut command: Command, config: &Value, answer: &[u8], nonce: &str) -> Report {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("answer.json");
    fs::write(&file, answer).expect("write the answer");
    report(command.arg(config.to_string()).arg(&file).arg(nonce))
}

/// Runs a program that tells of one check or one answer.
pub fn report(command: &mut Command) -> Report {
    let done = run(command, LIMIT);
    assert_eq!(
        done.code,
        Some(0),
        "{command:?}\n{}{}",
        done.stdout,
        done.stderr
    );
    let printed = Printed::parse(&done.stdout);
    let code = printed
        .number_of("code")
        .or(printed.number_of("configured"));
    let document = |name: &str| printed.values.get(name).cloned().unwrap_or_default();
    Report {
        code: code.expect("a code"),
        version: printed.text_of("version"),
        result: document("result"),
        preview: document("preview"),
        status: document("status").to_string(),
        error: printed.text_of("error").unwrap_or_default(),
        notice: printed.text_of("notice").unwrap_or_default(),
        everything: printed.text + &done.stderr,
        log: printed.log,
    }
}

pub fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("an RSA key")).expect("a key")
}

/// A signing key for tests that do not care which.
pub fn signing_key() -> &'static PKey<Private> {
    static KEY: OnceLock<PKey<Private>> = OnceLock::new();
    KEY.get_or_init(|| rsa_key(2048))
}

pub fn public_pem(key: &PKey<Private>) -> String {
    String::from_utf8(key.public_key_to_pem().expect("PEM")).expect("PEM is ASCII")
}

pub fn fingerprint(key: &PKey<Private>) -> String {
    fingerprint_of_der(&key.public_key_to_der().expect("DER"))
}

/// What was wrapped with RSA-OAEP and SHA-256 (docs/protocol.md, License data), with OpenSSL's own functions.
pub fn unwrapped(key: &PKey<Private>, wrapped: &[u8]) -> Vec<u8> {
    let mut decrypter = Decrypter::new(key).expect("a decrypter");
    decrypter
        .set_rsa_padding(Padding::PKCS1_OAEP)
        .expect("OAEP");
    let sha256 = MessageDigest::sha256();
    decrypter.set_rsa_oaep_md(sha256).expect("SHA-256");
    decrypter.set_rsa_mgf1_md(sha256).expect("SHA-256");
    let mut plain = vec![0; decrypter.decrypt_len(wrapped).expect("a length")];
    let length = decrypter.decrypt(wrapped, &mut plain).expect("OAEP");
    plain.truncate(length);
    plain
}

pub fn fingerprint_of_pem(pem: &[u8]) -> String {
    let key: PKey<Public> = PKey::public_key_from_pem(pem).expect("a public key");
    fingerprint_of_der(&key.public_key_to_der().expect("DER"))
}

fn fingerprint_of_der(der: &[u8]) -> String {
    format!("SHA256:{}", hex::encode(openssl::sha::sha256(der)))
}

/// The shell commands of a page.
pub fn shell_blocks(page: &str) -> String {
    let text = fs::read_to_string(repo().join(page)).expect("the page");
    let lines = text.lines().map(str::trim_start);
    let mut inside = false;
    let mut script = String::new();
    for line in lines {
        match (inside, line) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, command) => script += &format!("{command}\n"),
            (false, _) => {}
        }
    }
    script
}

/// The signed answer to `data`.
pub fn answer(key: &PKey<Private>, data: &str) -> String {
    let data = STANDARD.encode(data);
    let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
    let signature = signer
        .sign_oneshot_to_vec(data.as_bytes())
        .expect("a signature");
    json!({"data": data, "signature": STANDARD.encode(signature)}).to_string()
}
