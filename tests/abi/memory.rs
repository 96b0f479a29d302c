//! No memory: whatever allocation fails, the host lives, and nobody else is blamed (c-tests/api/memory.c).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use psc_testkit::{Link, Site, compile, long, private_dir, run};
use serde_json::json;
use std::fs;
use std::process::Command;
use std::time::Duration;

const NONCE: &str = "1795366594000000AAECAwQFBgcICQoLDA0ODw==";

/// As the server of that site signs it.
fn signed_answer(site: &Site) -> String {
    let data = json!({ "nonce": NONCE, "update": 1, "version": "6.0.30" }).to_string();
    let data = STANDARD.encode(data);
    let key = fs::read(site.path("sign_key.pem")).expect("the signing key");
    let key = PKey::private_key_from_pem(&key).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("a signer");
    let signature = signer
        .sign_oneshot_to_vec(data.as_bytes())
        .expect("a signature");
    json!({ "data": data, "signature": STANDARD.encode(signature) }).to_string()
}

/// The first allocation that fails and the distance of the others: primes, so that each run meets others.
fn survives(part: &str, how: &str, step: u32, least: u32) {
    let program = compile("c-tests/api/memory.c", Link::Shared);
    let site = Site::start();
    let dir = private_dir();
    let response = dir.path().join("response");
    fs::write(&response, signed_answer(&site)).expect("a file");
    let config = site.config(json!({
        "passenger_version": "6.0.10", "start_delay": 0, "start_jitter": 0, "timeout": 10, "proxy_url": "none",
    }));
    let (step, limit) = if long() { (1, 7200) } else { (step, 60) };
    let mut command = Command::new(program);
    command.arg(config.to_string()).args([part, how, "1"]);
    command.arg(step.to_string()).arg(&response).arg(NONCE);
    let done = run(&mut command, Duration::from_secs(limit));
    println!("{}in {:?}", done.stdout, done.elapsed);
    let summary = done.stdout.lines().last().unwrap_or_default();
    assert!(
        done.code == Some(0) && summary.ends_with(" 0 wrong"),
        "{part} {how}: {}\n{}",
        done.stdout,
        done.stderr
    );
    let tried = summary
        .split_once(": ")
        .and_then(|(_, rest)| rest.split_once(' '));
    let tried: u32 = tried.map_or(0, |(tried, _)| tried.parse().unwrap_or(0));
    assert!(tried >= least, "only {summary}");
    assert_eq!(done.stderr, "", "{part} {how}");
}

/// One allocation fails; all from there on; the memory of mmap too. With the distances and the least numbers of each.
fn survives_each(part: &str, sizes: [(u32, u32); 3]) {
    for (how, (step, least)) in ["one", "all", "none"].into_iter().zip(sizes) {
        survives(part, how, step, least);
    }
}

/// Of a whole check.
const OF_A_CHECK: [(u32, u32); 3] = [(397, 20), (797, 10), (1597, 5)];

#[test]
fn of_a_configuration() {
    survives_each("configure", [(211, 50), (797, 10), (1597, 5)]);
}

#[test]
fn of_a_prepared_configuration() {
    survives_each("commit", [(1, 5), (1, 5), (1, 5)]);
}

#[test]
fn of_a_check() {
    survives_each("once", OF_A_CHECK);
}

#[test]
fn of_the_thread() {
    survives_each("thread", OF_A_CHECK);
}

#[test]
fn of_the_schedule_in_a_thread_of_the_hosts() {
    survives_each("run", OF_A_CHECK);
}

#[test]
fn of_the_other_functions() {
    survives_each("others", [(23, 10), (31, 10), (61, 5)]);
}
