//! The server's text as data, and the optional signed fields.

use crate::support::{
    Report, answer, check, offline_config, public_pem, signing_key, verbose_config, verify,
};
use psc::ffi::codes::{PSC_OK, PSC_UPDATE_AVAILABLE};
use psc_testkit::Site;
use serde_json::{Value, json};
use std::fs;

/// The verdict on an answer with these fields.
fn verdict(fields: Value) -> Report {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let keys = dir.path().join("keys.pem");
    fs::write(&keys, public_pem(signing_key())).expect("write the key");
    let mut data = json!({"nonce": "n", "update": 1, "version": "6.0.20"});
    if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
        data.extend(fields);
    }
    verify(
        &offline_config(&keys, json!({})),
        answer(signing_key(), &data.to_string()).as_bytes(),
        "n",
    )
}

fn item(fixed_in: Value, identifiers: &[&str], text: &str) -> Value {
    json!({"fixed_in": fixed_in, "identifiers": identifiers, "text": text})
}

#[test]
fn texts_become_items_and_stay_whole() {
    let cases = [
        // One line, as the real site sends it.
        (
            "- [Fixed in 6.0.18] [CVE-2025-1234] Requests can be smuggled.",
            vec![item(
                json!("6.0.18"),
                &["CVE-2025-1234"],
                "Requests can be smuggled.",
            )],
        ),
        // It starts with a newline in practice; several identifiers; a continuation line.
        (
            "\n- [Fixed in 6.0.18] [CVE-2025-1234] One.\n- [Fixed in 6.0.20] [CVE-2026-1] [GHSA-aaaa] Two,\n  and its end.\n",
            vec![
                item(json!("6.0.18"), &["CVE-2025-1234"], "One."),
                item(
                    json!("6.0.20"),
                    &["CVE-2026-1", "GHSA-aaaa"],
                    "Two,\nand its end.",
                ),
            ],
        ),
        // No fix named; no identifier; other line ends and spelling.
        (
            "[CVE-2026-2] Three.\r\n* [FIXED IN 7.0] Four.\r\n",
            vec![
                item(Value::Null, &["CVE-2026-2"], "Three."),
                item(json!("7.0"), &[], "Four."),
            ],
        ),
        // An advisory without brackets is not what the one before it fixes.
        (
            "- [Fixed in 6.0.18] One.\n- Two, not fixed yet.\n",
            vec![
                item(json!("6.0.18"), &[], "One."),
                item(Value::Null, &[], "Two, not fixed yet."),
            ],
        ),
        // Words before the list.
        (
            "Please update:\n- [Fixed in 6.0.18] One.",
            vec![
                item(Value::Null, &[], "Please update:"),
                item(json!("6.0.18"), &[], "One."),
            ],
        ),
        // Nothing of the kind: one item with the text.
        (
            "Your version is not supported any more.\nPlease update.",
            vec![item(
                Value::Null,
                &[],
                "Your version is not supported any more.\nPlease update.",
            )],
        ),
        (
            "- [Fixed in 6.0.18",
            vec![item(Value::Null, &[], "[Fixed in 6.0.18")],
        ),
        (
            "\u{1b}[31m [x] é \u{202e}",
            vec![item(Value::Null, &[], "\u{1b}[31m [x] é \u{202e}")],
        ),
    ];
    for (text, items) in cases {
        let report = verdict(json!({"log": text}));
        assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
        assert_eq!(report.result["notice"], text, "the text as signed");
        assert_eq!(report.notice, text, "psc_result_notice");
        assert_eq!(report.result["items"], json!(items), "{text:?}");
    }
}

#[test]
fn a_long_text_is_kept_in_full() {
    let lines: Vec<String> = (0..1500)
        .map(|number| {
            format!("- [Fixed in 6.1.{number}] [CVE-2026-{number}] Advisory number {number}.")
        })
        .collect();
    let report = verdict(json!({"log": lines.join("\n")}));
    assert_eq!(report.result["notice"], lines.join("\n"));
    let items = report.result["items"].as_array().expect("items");
    assert_eq!(items.len(), 1500);
    assert_eq!(items[1499]["text"], "Advisory number 1499.");
}

#[test]
fn without_a_text_there_are_no_items() {
    for fields in [
        json!({}),
        json!({"log": " \n\t"}),
        json!({"log": 5}),
        json!({"log": null}),
    ] {
        let report = verdict(fields.clone());
        assert_eq!(
            report.code, PSC_UPDATE_AVAILABLE,
            "{fields}: {}",
            report.everything
        );
        assert_eq!(report.result["notice"], Value::Null, "{fields}");
        assert_eq!(report.result["items"], json!([]), "{fields}");
    }
}

#[test]
fn a_text_without_an_update_counts_too() {
    let report =
        verdict(json!({"update": 0, "version": null, "log": "Support of 6.0 ends in May."}));
    assert_eq!(report.code, PSC_OK, "{}", report.everything);
    assert_eq!(
        report.result["items"],
        json!([item(Value::Null, &[], "Support of 6.0 ends in May.")])
    );
    assert_eq!(report.result["recommended_version"], Value::Null);
}

#[test]
fn the_optional_fields_come_through_as_signed() {
    let affected =
        json!([{"introduced": "5.0", "fixed": "6.0.18"}, "<6.0.18", {"deep": [1.5, null, true]}]);
    let report = verdict(
        json!({"severity": "critical", "url": "https://example.com/a", "affected": affected}),
    );
    assert_eq!(report.result["severity"], "critical");
    assert_eq!(report.result["url"], "https://example.com/a");
    assert_eq!(report.result["affected"], affected);
}

#[test]
fn optional_fields_of_another_kind_are_no_reason_to_lose_a_warning() {
    let report = verdict(
        json!({"severity": 9.8, "url": ["x"], "affected": null, "backoff": "60", "other": {}}),
    );
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    for name in ["severity", "url", "affected"] {
        assert_eq!(report.result[name], Value::Null, "{name}");
    }
}

/// Numbers that no double holds, genuinely signed.
#[test]
fn no_number_is_a_reason_to_lose_a_warning() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let keys = dir.path().join("keys.pem");
    fs::write(&keys, public_pem(signing_key())).expect("write the key");
    for member in [
        r#""backoff":1e999"#,
        r#""backoff":-1e999"#,
        r#""other":1e999"#,
        r#""other":{"deep":[1e-999,-1E+999]}"#,
        r#""severity":1e999"#,
        r#""log":1e999"#,
    ] {
        let data = format!(r#"{{"nonce":"n","update":1,"version":"6.0.20",{member}}}"#);
        let answer = answer(signing_key(), &data);
        let report = verify(&offline_config(&keys, json!({})), answer.as_bytes(), "n");
        assert_eq!(
            report.code, PSC_UPDATE_AVAILABLE,
            "{member}: {}",
            report.everything
        );
    }
    let affected = "[1e+999,123456789012345678901234567890,1.50]";
    let data = format!(r#"{{"nonce":"n","update":1,"version":"6.0.20","affected":{affected}}}"#);
    let answer = answer(signing_key(), &data);
    let report = verify(&offline_config(&keys, json!({})), answer.as_bytes(), "n");
    assert_eq!(report.result["affected"].to_string(), affected);
}

#[test]
fn a_real_servers_advisories_arrive_as_items() {
    let site = Site::start();
    site.server.set_advisories(
        &json!({"latest": "6.0.20", "advisories": [
            {"fixed_in": "6.0.18", "identifiers": ["CVE-2025-1234"], "text": "One.", "severity": "low", "url": "https://example.com/1"},
            {"fixed_in": "6.0.20", "identifiers": ["CVE-2026-1", "GHSA-x"], "text": "Two.", "severity": "high", "url": "https://example.com/2"},
        ]})
        .to_string(),
    );
    let report = check(&verbose_config(&site, json!({})));
    let two = item(json!("6.0.20"), &["CVE-2026-1", "GHSA-x"], "Two.");
    assert_eq!(
        report.result["items"],
        json!([item(json!("6.0.18"), &["CVE-2025-1234"], "One."), two])
    );
    assert_eq!(report.result["severity"], "high");
    assert_eq!(report.result["url"], "https://example.com/2");
    assert!(
        report.result["affected"]
            .as_str()
            .is_some_and(|text| text.contains("<6.0.20")),
        "{}",
        report.everything
    );
}
