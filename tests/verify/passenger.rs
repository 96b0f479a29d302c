//! The real site: its published key and client certificate, as Debian's package passenger
//! ships them, load; and answers that it has signed verify.

use std::path::Path;

use crate::support::{self, Report};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use psc::ffi::codes::{PSC_ERR_NONCE, PSC_ERR_SIGNATURE};
use psc_testkit::{Check, LINKS, repo};
use serde_json::{Value, json};

const RESOURCES: &str = "/usr/share/passenger";

fn config() -> Value {
    let key = Path::new(RESOURCES).join("update_check_server_pubkey.pem");
    assert!(
        key.is_file(),
        "{key:?} is missing; install the package passenger with `make deps`"
    );
    json!({ "passenger_version": "5.0.0", "server_identifier": "nginx", "resources_dir": RESOURCES })
}

fn answers() -> Vec<Value> {
    let text = std::fs::read_to_string(repo().join("tests/verify/passenger-answers.json"))
        .expect("the answers");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    document["answers"]
        .as_array()
        .expect("a list of answers")
        .clone()
}

/// What psc says of an answer with that data and signature.
fn verify(data: &Value, signature: &Value, nonce: &str) -> Report {
    let answer = json!({ "data": data, "signature": signature }).to_string();
    support::verify(&config(), answer.as_bytes(), nonce)
}

#[test]
fn the_published_key_and_certificate_load() {
    for link in LINKS {
        for way in [Check::new(link), Check::new(link).valgrind()] {
            let outcome = way.run_program("c-tests/api/inspect.c", &[&config().to_string()]);
            let inspected: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
            assert_eq!(
                inspected["server_public_keys"].as_array().map(Vec::len),
                Some(1),
                "{inspected}"
            );
        }
    }
}

#[test]
fn answers_of_the_real_service_verify() {
    let answers = answers();
    assert_eq!(answers.len(), 5);
    for answer in answers {
        let nonce = answer["nonce"].as_str().expect("a nonce");
        let data = STANDARD
            .decode(answer["data"].as_str().expect("data"))
            .expect("base64");
        let data: Value = serde_json::from_slice(&data).expect("JSON");
        let said = verify(&answer["data"], &answer["signature"], nonce);
        assert_eq!(json!(said.code), data["update"], "{data}: {said:?}");
        if data["update"] == 1 {
            assert_eq!(
                said.version.as_deref(),
                data["version"].as_str(),
                "{said:?}"
            );
        }
        let notice = data["log"].as_str().unwrap_or_default();
        assert_eq!(
            notice.is_empty(),
            said.notice.is_empty(),
            "{data}: {said:?}"
        );
        assert!(said.notice.contains(notice), "{data}: {said:?}");
    }
}

#[test]
fn an_answer_of_the_real_service_does_not_verify_for_another_request() {
    let answer = answers().remove(0);
    let said = verify(
        &answer["data"],
        &answer["signature"],
        "14749008816794345AAAAAAAAAAAAAAAAAAAAAA==",
    );
    assert_eq!(said.code, PSC_ERR_NONCE);
}

#[test]
fn an_answer_of_the_real_service_does_not_verify_when_changed() {
    let answers = answers();
    let nonce = answers[0]["nonce"].as_str().expect("a nonce");
    let said = verify(&answers[0]["data"], &answers[1]["signature"], nonce);
    assert_eq!(said.code, PSC_ERR_SIGNATURE);
}
