//! Detached verification: the verdict on an answer that came some other way.

use crate::support::{
    LIMIT, Report, answer, fingerprint, offline_config, preview, public_pem, rsa_key, signing_key,
    verify, verify_under_valgrind,
};
use openssl::hash::MessageDigest;
use openssl::sha::sha256;
use psc::ffi::codes::{
    PSC_ERR_NONCE, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_OK, PSC_UPDATE_AVAILABLE,
};
use psc_testkit::{LINKS, compile, merged, run, valgrind};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const NONCE: &str = "1795366594000000AAECAwQFBgcICQoLDA0ODw==";

struct Pinned {
    dir: TempDir,
}

impl Pinned {
    fn new() -> Pinned {
        let pinned = Pinned {
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        fs::write(pinned.keys(), public_pem(signing_key())).expect("write the key");
        pinned
    }

    fn keys(&self) -> PathBuf {
        self.dir.path().join("keys.pem")
    }

    fn verify(&self, answer: &str) -> Report {
        verify(
            &offline_config(&self.keys(), json!({})),
            answer.as_bytes(),
            NONCE,
        )
    }
}

fn data(more: Value) -> String {
    let mut data = json!({"nonce": NONCE, "update": 0});
    if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
        data.extend(more);
    }
    data.to_string()
}

fn assert_code(report: &Report, code: i32, what: &str) {
    assert_eq!(report.code, code, "{what}: {}", report.everything);
    assert_eq!(report.result["code"], code, "{what}");
    assert_eq!(
        report.error.is_empty(),
        code >= 0,
        "psc_last_error, {what}: {}",
        report.error
    );
}

#[test]
fn good_answers_get_their_verdict() {
    let pinned = Pinned::new();
    let report = pinned.verify(&answer(signing_key(), &data(json!({}))));
    assert_code(&report, PSC_OK, "no update");
    assert_eq!(report.result["key_fingerprint"], fingerprint(signing_key()));
    assert_eq!(report.result["nonce"], NONCE);
    assert_eq!(report.result["running_version"], "6.0.10");
    assert_eq!(report.result["http_status"], 0);
    assert_eq!(report.result["request_bound"], false);
    assert_eq!(
        report.result["message"],
        "Security update check: no update found for Phusion Passenger(R) 6.0.10"
    );

    let fields = json!({"update": 1, "version": "6.0.20", "log": "- [Fixed in 6.0.18] [CVE-2025-1234] One."});
    let report = pinned.verify(&answer(signing_key(), &data(fields)));
    assert_code(&report, PSC_UPDATE_AVAILABLE, "an update");
    assert_eq!(report.result["recommended_version"], "6.0.20");
    assert_eq!(report.result["items"][0]["fixed_in"], "6.0.18");
}

#[test]
fn forged_answers_are_refused() {
    let pinned = Pinned::new();
    let good = answer(
        signing_key(),
        &data(json!({"update": 1, "version": "6.0.20"})),
    );
    let parsed: Value = serde_json::from_str(&good).expect("JSON");
    let text = |name: &str| parsed[name].as_str().expect("base64").to_owned();
    let signature_of_other_data = answer(signing_key(), &data(json!({})));
    let other: Value = serde_json::from_str(&signature_of_other_data).expect("JSON");
    let zeros = "A".repeat(text("signature").len() - 2) + "==";
    let cases = [
        ("another key", answer(&rsa_key(2048), &data(json!({})))),
        (
            "another answer's signature",
            json!({"data": text("data"), "signature": other["signature"]}).to_string(),
        ),
        (
            "a signature of zeros",
            json!({"data": text("data"), "signature": zeros}).to_string(),
        ),
        (
            "a short signature",
            json!({"data": text("data"), "signature": "AAAA"}).to_string(),
        ),
        (
            "a cut signature",
            json!({"data": text("data"), "signature": &text("signature")[..340]}).to_string(),
        ),
    ];
    for (what, answer) in cases {
        let report = pinned.verify(&answer);
        assert_code(&report, PSC_ERR_SIGNATURE, what);
        assert!(
            report.result["message"]
                .as_str()
                .is_some_and(|text| text.contains("forged signature")),
            "{what}"
        );
        assert_eq!(report.result["key_fingerprint"], Value::Null, "{what}");
    }
}

/// The signature is over the text of D; one over what D decodes to is none.
#[test]
fn the_text_as_sent_is_what_is_signed() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let pinned = Pinned::new();
    let data = data(json!({}));
    let mut signer =
        openssl::sign::Signer::new(MessageDigest::sha256(), signing_key()).expect("a signer");
    let signature = signer
        .sign_oneshot_to_vec(data.as_bytes())
        .expect("a signature");
    let wrong = json!({"data": STANDARD.encode(&data), "signature": STANDARD.encode(signature)});
    assert_code(
        &pinned.verify(&wrong.to_string()),
        PSC_ERR_SIGNATURE,
        "over the decoded bytes",
    );

    // Escapes belong to the JSON, not to the text.
    let good = answer(signing_key(), &data);
    let escaped = good.replacen("\"data\":\"e", "\"data\":\"\\u0065", 1);
    assert_ne!(good, escaped);
    assert_code(&pinned.verify(&escaped), PSC_OK, "escaped");
}

/// An answer of each kind; the program keeps it in a block of just its length.
#[test]
fn verdicts_are_clean_under_valgrind() {
    let pinned = Pinned::new();
    let config = offline_config(&pinned.keys(), json!({}));
    let update = json!({"update": 1, "version": "6.0.20", "log": "- [CVE-1] One.\n- Two.", "affected": [1.50]});
    for (what, code, answer) in [
        (
            "update",
            PSC_UPDATE_AVAILABLE,
            answer(signing_key(), &data(update)),
        ),
        (
            "forged",
            PSC_ERR_SIGNATURE,
            answer(&rsa_key(2048), &data(json!({}))),
        ),
        ("cut off", PSC_ERR_RESPONSE, r#"{"data":"e30="#.to_owned()),
    ] {
        let report = verify_under_valgrind(&config, answer.as_bytes(), NONCE);
        assert_code(&report, code, what);
    }
}

#[test]
fn answers_to_other_requests_are_refused() {
    let pinned = Pinned::new();
    for nonce in [
        json!("other"),
        json!(&NONCE[..39]),
        json!(format!("{NONCE}=")),
        json!(NONCE.to_lowercase()),
        json!(17),
        Value::Null,
    ] {
        let report = pinned.verify(&answer(signing_key(), &data(json!({"nonce": nonce}))));
        assert_code(&report, PSC_ERR_NONCE, &nonce.to_string());
        assert!(
            report.result["message"]
                .as_str()
                .is_some_and(|text| text.contains("replay")),
            "{nonce}"
        );
    }
}

/// The main line says all that it has to, however long the names are.
#[test]
fn a_long_program_name_hides_nothing() {
    let pinned = Pinned::new();
    let (name, running) = ("\u{202e}N".repeat(1024), "\u{202e}".repeat(85));
    let recommended = "9".repeat(64);
    let config = offline_config(
        &pinned.keys(),
        json!({"program_name": name, "passenger_version": running}),
    );
    let said = |fields: Value| {
        let answer = answer(signing_key(), &data(fields));
        let report = verify(&config, answer.as_bytes(), NONCE);
        let message = report.result["message"].as_str().expect("a message");
        assert!(message.len() <= 1900);
        message.to_owned()
    };
    let line = said(json!({"update": 1, "version": recommended}));
    let running = "\\u{202e}".repeat(85);
    let mut rest = line.as_str();
    for part in [
        "security update is available",
        &running,
        "\\u{202e}N",
        "We strongly recommend upgrading to version",
        &recommended,
    ] {
        let (_, after) = rest
            .split_once(part)
            .unwrap_or_else(|| panic!("{part} is missing, or too early: {line}"));
        rest = after;
    }
    let line = said(json!({}));
    assert!(line.contains("no update found"), "{line}");
    assert!(line.ends_with(&running), "{line}");
}

/// A machine that is cut off: its checks are off, its request is made and its answer verified all the same.
#[test]
fn a_request_can_be_made_while_checks_are_disabled() {
    let pinned = Pinned::new();
    for disabled in [true, false] {
        let config = offline_config(&pinned.keys(), json!({"disabled": disabled}));
        let preview = preview(&config);
        assert_eq!(preview["disabled"], disabled);
        let body = preview["body"].as_str().expect("a body");
        let nonce = &preview["request"]["nonce"];
        let digest = hex::encode(sha256(body.as_bytes()));
        let fields = json!({"nonce": nonce, "request_sha256": digest});
        let answer = answer(signing_key(), &data(fields));
        let report = verify(&config, answer.as_bytes(), nonce.as_str().expect("a nonce"));
        assert_code(&report, PSC_OK, "the answer to it");
        assert_eq!(report.result["request_bound"], true);
    }
}

/// The request is the one that this configuration makes with this nonce.
#[test]
fn the_binding_counts_here_too() {
    let pinned = Pinned::new();
    let request = json!({
        "curl_static": false,
        "nonce": NONCE,
        "passenger_version": "6.0.10",
        "server_integration": "nginx",
        "server_version": null,
    });
    let digest = |request: &Value| hex::encode(sha256(request.to_string().as_bytes()));
    let careful = offline_config(&pinned.keys(), json!({"require_request_binding": true}));
    let check = |fields: Value| {
        verify(
            &careful,
            answer(signing_key(), &data(fields)).as_bytes(),
            NONCE,
        )
    };

    let report = check(json!({"request_sha256": digest(&request)}));
    assert_code(&report, PSC_OK, "bound");
    assert_eq!(report.result["request_bound"], true);
    let newest = merged(request.clone(), json!({"passenger_version": "99.0"}));
    for (what, fields) in [
        (
            "another request",
            json!({"request_sha256": digest(&newest)}),
        ),
        (
            "in capitals",
            json!({"request_sha256": digest(&request).to_uppercase()}),
        ),
        ("another kind", json!({"request_sha256": 1})),
        ("null", json!({"request_sha256": null})),
        ("not there", json!({})),
    ] {
        assert_code(&check(fields.clone()), PSC_ERR_NONCE, what);
        let easy = pinned.verify(&answer(signing_key(), &data(fields)));
        let expected = if what == "not there" {
            PSC_OK
        } else {
            PSC_ERR_NONCE
        };
        assert_code(&easy, expected, what);
    }
}

#[test]
fn the_rules_are_those_of_a_check() {
    let pinned = Pinned::new();
    let good = answer(signing_key(), &data(json!({})));
    let signed = |data: &str| answer(signing_key(), data);
    let cases = [
        ("empty", String::new()),
        ("HTML", "<html>".to_owned()),
        ("an array", format!("[{good}]")),
        ("two objects", format!("{good}{good}")),
        (
            "a member twice",
            good.replacen('{', r#"{"data":"AAAA","#, 1),
        ),
        ("no signature", r#"{"data":"AAAA"}"#.to_owned()),
        ("a byte order mark", format!("\u{feff}{good}")),
        ("data that is no object", signed("[]")),
        (
            "data with a member twice",
            signed(&format!(
                r#"{{"update":1,"version":"9",{}"#,
                &data(json!({}))[1..]
            )),
        ),
        (
            "data with bytes after it",
            signed(&(data(json!({})) + "{}")),
        ),
        ("update of true", signed(&data(json!({"update": true})))),
        ("update of -0.0", signed(&data(json!({"update": -0.0})))),
    ];
    for (what, answer) in cases {
        assert_code(&pinned.verify(&answer), PSC_ERR_RESPONSE, what);
    }
    assert_code(
        &pinned.verify(&format!(" {good}\r\n")),
        PSC_OK,
        "white space around it",
    );
}

/// A signed warning is never lost, whatever stands where the version should.
#[test]
fn every_update_is_one_with_or_without_a_version() {
    let pinned = Pinned::new();
    let report = |fields: Value| {
        let report = pinned.verify(&answer(signing_key(), &data(fields.clone())));
        assert_code(&report, PSC_UPDATE_AVAILABLE, &fields.to_string());
        report
    };
    let message = |report: &Report| {
        report.result["message"]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    for update in [json!(2), json!(-1), json!(u64::MAX), json!(1.0), json!(0.5)] {
        let report = report(json!({"update": update, "version": "6.0.20"}));
        assert_eq!(report.result["recommended_version"], "6.0.20");
        let message = message(&report);
        assert!(
            message.contains("recommend upgrading to version 6.0.20"),
            "{message}"
        );
    }
    let sentence = "Security update check: no update found";
    for (version, shown) in [
        (json!(""), "unusable: \"\""),
        (json!(" "), "unusable: \"\\u{20}\""),
        (json!("9\n8"), "9\\u{a}8"),
        (json!("x".repeat(65)), "x [cut]"),
        (json!("\u{202e}6"), "\\u{202e}6"),
        (json!(6), "unusable: \"6\""),
        (json!(sentence), "Security\\u{20}update\\u{20}check"),
        (Value::Null, "none is known yet"),
    ] {
        let report = report(json!({"update": 1, "version": version, "log": "- [CVE-1] One."}));
        assert_eq!(report.result["recommended_version"], Value::Null);
        assert_eq!(report.result["items"][0]["identifiers"][0], "CVE-1");
        let message = message(&report);
        for part in [
            "security update is available",
            "We strongly recommend upgrading",
            "none is known yet",
            shown,
        ] {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        assert!(!message.contains("no update found"), "{message}");
    }
}

/// Nothing in `data` is looked at before its signature is verified.
#[test]
fn data_of_another_form_is_a_forgery_unless_it_is_signed() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let pinned = Pinned::new();
    let signed = |text: &str, key| {
        let mut signer =
            openssl::sign::Signer::new(MessageDigest::sha256(), key).expect("a signer");
        let signature = signer
            .sign_oneshot_to_vec(text.as_bytes())
            .expect("a signature");
        json!({"data": text, "signature": STANDARD.encode(signature)}).to_string()
    };
    let foreign = rsa_key(2048);
    for text in ["*", "e30", "e30=\n", "{}", "A", "\u{e9}"] {
        let report = pinned.verify(&signed(text, &foreign));
        assert_code(&report, PSC_ERR_SIGNATURE, text);
        let report = pinned.verify(&signed(text, signing_key()));
        assert_code(&report, PSC_ERR_RESPONSE, text);
        let message = report.result["message"].as_str().expect("a text");
        assert!(message.contains("its operator must act"), "{message}");
    }
    // Only the signature's own base64 is needed before.
    let corrupted = signed("e30=", &foreign).replacen("\"signature\":\"", "\"signature\":\"*", 1);
    let report = pinned.verify(&corrupted);
    assert_code(&report, PSC_ERR_RESPONSE, "signature");
    let message = report.result["message"].as_str().expect("a text");
    assert!(message.contains("corrupted signature"), "{message}");
}

/// The data object is the first level.
#[test]
fn the_limit_of_nesting_is_32() {
    let pinned = Pinned::new();
    let nested = |levels: usize| {
        let affected = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        answer(
            signing_key(),
            &format!(r#"{{"nonce":"{NONCE}","update":0,"affected":{affected}}}"#),
        )
    };
    assert_code(&pinned.verify(&nested(32)), PSC_OK, "32 levels");
    assert_code(&pinned.verify(&nested(33)), PSC_ERR_RESPONSE, "33 levels");
    assert_code(
        &pinned.verify(&nested(50_000)),
        PSC_ERR_RESPONSE,
        "very deep",
    );
}

#[test]
fn the_limit_is_256_kib() {
    let pinned = Pinned::new();
    let good = answer(signing_key(), &data(json!({})));
    let padded = |length: usize| good.clone() + &" ".repeat(length - good.len());
    assert_code(&pinned.verify(&padded(256 * 1024)), PSC_OK, "256 KiB");
    assert_code(
        &pinned.verify(&padded(256 * 1024 + 1)),
        PSC_ERR_RESPONSE,
        "a byte more",
    );
}

#[test]
fn wrong_arguments_are_refused() {
    let pinned = Pinned::new();
    let config = offline_config(&pinned.keys(), json!({})).to_string();
    for link in LINKS {
        let program = compile("c-tests/verify/arguments.c", link);
        let done = run(valgrind(&program).arg(&config), LIMIT);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (Some(0), "arguments: ok\n"),
            "{link:?} {}",
            done.stderr
        );
    }
}
