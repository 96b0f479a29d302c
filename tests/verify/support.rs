//! Servers, keys, signed answers, and C programs that say what psc makes of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Decrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer;
use psc_testkit::{LINKS, Link, Site, compile, merged, repo, run, valgrind};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
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

/// What a C program of c-tests printed, by section.
#[derive(Debug)]
pub struct Report {
    pub code: i32,
    /// Null when there was none.
    pub result: Value,
    pub status: String,
    pub error: String,
    pub notice: String,
    /// Level and message of each record.
    pub log: Vec<(i32, String)>,
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
    let mut command = Command::new(compile("c-tests/verify/check.c", Link::Shared));
    report(command.arg(config.to_string()))
}

/// The same under valgrind.
pub fn check_under_valgrind(config: &Value) -> Report {
    let mut command = valgrind(&compile("c-tests/verify/check.c", Link::Static));
    report(command.arg(config.to_string()))
}

/// What psc_preview_request says; null when it says nothing.
pub fn preview(config: &Value) -> Value {
    let report = check(config);
    let section = report
        .everything
        .split("== ")
        .find_map(|section| section.strip_prefix("preview\n"));
    serde_json::from_str(section.unwrap_or_default()).unwrap_or(Value::Null)
}

/// The verdict on an answer that came as a file.
pub fn verify(config: &Value, answer: &[u8], nonce: &str) -> Report {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("answer.json");
    fs::write(&file, answer).expect("write the answer");
    let [said, by_static] = LINKS.map(|link| {
        let mut command = Command::new(compile("c-tests/verify/verify.c", link));
        report(command.arg(config.to_string()).arg(&file).arg(nonce))
    });
    let without_time = |report: &Report| merged(report.result.clone(), json!({"checked_at": 0}));
    assert_eq!(without_time(&said), without_time(&by_static));
    said
}

/// The same under valgrind.
pub fn verify_under_valgrind(config: &Value, answer: &[u8], nonce: &str) -> Report {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("answer.json");
    fs::write(&file, answer).expect("write the answer");
    let mut command = valgrind(&compile("c-tests/verify/verify.c", Link::Static));
    report(command.arg(config.to_string()).arg(&file).arg(nonce))
}

pub fn report(command: &mut Command) -> Report {
    let done = run(command, LIMIT);
    assert_eq!(
        done.code,
        Some(0),
        "{command:?}\n{}{}",
        done.stdout,
        done.stderr
    );
    let mut sections: HashMap<&str, String> = HashMap::new();
    let mut log = Vec::new();
    let printed = format!("\n{}", done.stdout);
    for section in printed.split("\n== ").skip(1) {
        let (name, text) = section.split_once('\n').expect("a section's name");
        let text = text.trim_end_matches('\n');
        if name == "log" {
            let (level, message) = text.split_once(' ').expect("a level");
            log.push((level.parse().expect("a level"), message.to_owned()));
        } else {
            sections.insert(name, text.to_owned());
        }
    }
    let mut take = |name: &str| sections.remove(name).unwrap_or_default();
    Report {
        code: take("code").parse().expect("a code"),
        result: serde_json::from_str(&take("result")).unwrap_or(Value::Null),
        status: take("status"),
        error: take("error"),
        notice: take("notice"),
        log,
        everything: done.stdout.clone() + &done.stderr,
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
