//! docs/result.schema.json against what psc_result_json gives.

use crate::support::{
    LIMIT, answer, check, offline_config, public_pem, report, rsa_key, signing_key, verbose_config,
    verify,
};
use psc_testkit::{Link, Site, compile, compile_preload, repo, run};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// Prints a line per object that the schema refuses: its number, then why.
const VALIDATE: &str = r#"
import json, sys
try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit("python3-jsonschema is needed by this test; install it with `make deps`")
schema, objects = (json.load(open(path)) for path in sys.argv[1:])
Draft202012Validator.check_schema(schema)
for number, value in enumerate(objects):
    for error in Draft202012Validator(schema).iter_errors(value):
        print(number, error.json_path, error.message)
"#;

/// What the schema says against these objects, a line per complaint.
fn complaints(objects: &[Value]) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("objects.json");
    fs::write(&file, json!(objects).to_string()).expect("write the objects");
    // Debian's python, which is the one that has Debian's jsonschema.
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", VALIDATE])
        .arg(repo().join("docs/result.schema.json"))
        .arg(&file);
    let done = run(&mut command, LIMIT);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout.lines().map(str::to_owned).collect()
}

/// A verdict of every kind that a check or a detached verification can end with.
fn results() -> Vec<(&'static str, Value)> {
    let site = Site::start();
    let keys = site.path("other.pem");
    fs::write(&keys, public_pem(signing_key())).expect("write a key");
    let offline = offline_config(&keys, json!({}));
    let data = r#"{"nonce":"n","update":1,"version":"9","log":"Hello","severity":"low","url":"https://example.com/","affected":{"a":[1]}}"#;
    let with_fault = |fault: &str| {
        site.server.set_fault(fault);
        let result = check(&verbose_config(&site, json!({}))).result;
        site.server.set_fault("");
        result
    };
    vec![
        (
            "PSC_OK",
            check(&verbose_config(&site, json!({"passenger_version": "99.0"}))).result,
        ),
        (
            "PSC_UPDATE_AVAILABLE",
            check(&verbose_config(&site, json!({}))).result,
        ),
        (
            "PSC_DISABLED",
            check(&verbose_config(&site, json!({"disabled": true}))).result,
        ),
        (
            "PSC_ERR_NETWORK",
            check(&verbose_config(
                &site,
                json!({"url": "https://localhost:1/"}),
            ))
            .result,
        ),
        (
            "PSC_ERR_TLS",
            check(&verbose_config(&site, json!({"certificate_path": null}))).result,
        ),
        ("PSC_ERR_HTTP", with_fault("status-500")),
        ("PSC_ERR_RESPONSE", verify(&offline, b"{}", "n").result),
        (
            "PSC_ERR_SIGNATURE",
            verify(&offline, answer(&rsa_key(2048), data).as_bytes(), "n").result,
        ),
        (
            "PSC_ERR_NONCE",
            verify(&offline, answer(signing_key(), data).as_bytes(), "m").result,
        ),
        (
            "PSC_UPDATE_AVAILABLE",
            verify(&offline, answer(signing_key(), data).as_bytes(), "n").result,
        ),
    ]
}

/// The verdict of a machine whose clock stands a century and more ago.
#[test]
fn a_clock_before_1970_gives_a_result_as_well() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| dir.path().join(name);
    fs::write(path("keys"), public_pem(signing_key())).expect("write the key");
    let data = r#"{"nonce":"n","update":0}"#;
    fs::write(path("answer"), answer(signing_key(), data)).expect("write the answer");
    let clock = [0_i64, -4_000_000_000].map(i64::to_ne_bytes).concat();
    fs::write(path("clock"), clock).expect("set the clock");
    let mut command = Command::new(compile("c-tests/verify/verify.c", Link::Shared));
    command
        .arg(offline_config(&path("keys"), json!({})).to_string())
        .args([path("answer"), "n".into()])
        .env("LD_PRELOAD", compile_preload("c-tests/preload/clock.c"))
        .env("CLOCK_FILE", path("clock"));
    let result = report(&mut command).result;
    assert!(
        result["checked_at"].as_i64().is_some_and(|at| at < 0),
        "{result}"
    );
    let complaints = complaints(&[result]);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn every_kind_of_result_is_as_the_schema_says() {
    let results = results();
    for (name, result) in &results {
        assert_eq!(&result["name"], name, "{result}");
    }
    let objects: Vec<Value> = results.into_iter().map(|(_, result)| result).collect();
    let complaints = complaints(&objects);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The schema would notice: each of these differs from a good result in one way.
#[test]
fn the_schema_refuses_what_is_wrong() {
    let keys = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(keys.path(), public_pem(signing_key())).expect("write a key");
    let data = r#"{"nonce":"n","update":1,"version":"9","log":"Hello"}"#;
    let good = verify(
        &offline_config(keys.path(), json!({})),
        answer(signing_key(), data).as_bytes(),
        "n",
    )
    .result;
    let members = good.as_object().expect("an object");
    assert_eq!(members.len(), 17, "{good}");

    let mut wrong = Vec::new();
    for name in members.keys() {
        let mut without = members.clone();
        without.remove(name);
        wrong.push(Value::Object(without));
        if name != "affected" {
            let mut of_another_kind = members.clone();
            of_another_kind.insert(name.clone(), json!({"an": "object"}));
            wrong.push(Value::Object(of_another_kind));
        }
    }
    for (name, value) in [
        ("code", json!(3)),
        ("name", json!("PSC_OK")),
        ("recommended_version", Value::Null),
        ("notice", Value::Null),
        ("key_fingerprint", json!("SHA256:xyz")),
        ("key_fingerprint", Value::Null),
        ("items", json!([{"text": "x"}])),
        (
            "items",
            json!([{"fixed_in": null, "identifiers": [1], "text": "x"}]),
        ),
        ("next_check", json!(-1)),
        ("http_status", json!(200.5)),
    ] {
        let mut changed = members.clone();
        changed.insert(name.to_owned(), value);
        wrong.push(Value::Object(changed));
    }
    wrong.insert(0, good.clone());
    let complaints = complaints(&wrong);
    let about = |number: usize| {
        complaints
            .iter()
            .any(|line| line.starts_with(&format!("{number} ")))
    };
    assert!(!about(0), "{complaints:#?}");
    for (number, value) in wrong.iter().enumerate().skip(1) {
        assert!(about(number), "accepted: {value}");
    }
}
