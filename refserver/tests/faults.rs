//! The faults do what their names say, and the README lists them.

mod client;

use client::{Answer, LIMIT, Site, check, connect, exchange, request};
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::ssl::SslRef;
use psc_refserver::{Expected, FAULTS, Fault};
use std::collections::HashSet;
use std::sync::Mutex;

fn wanted(kinds: &[Expected]) -> Vec<&'static Fault> {
    FAULTS
        .iter()
        .filter(|fault| kinds.contains(&fault.expected))
        .collect()
}

#[test]
fn names_are_unique_and_usable_in_a_shell() {
    let names: HashSet<&str> = FAULTS.iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), FAULTS.len());
    let usable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    assert!(names.iter().all(|name| name.chars().all(usable)));
}

#[test]
fn the_readme_lists_every_fault() {
    let readme = include_str!("../README.md");
    let rows: Vec<String> = readme
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches('|').count() >= 4)
        .filter(|line| !line.starts_with("| `--"))
        .map(str::to_owned)
        .collect();
    let table: Vec<String> = FAULTS
        .iter()
        .map(|fault| {
            format!(
                "| `{}` | {} | {:?} |",
                fault.name, fault.explanation, fault.expected
            )
        })
        .collect();
    for row in &table {
        assert!(rows.contains(row), "missing in the README: {row}");
    }
    for row in &rows {
        assert!(table.contains(row), "in the README only: {row}");
    }
    assert_eq!(rows, table, "the order differs");
}

#[test]
fn verdicts_and_replays_are_genuinely_signed() {
    let site = Site::start();
    for fault in wanted(&[Expected::NoUpdate, Expected::Update, Expected::Nonce]) {
        site.server.set_fault(fault.name);
        // Chunks and missing lengths are for a client that knows HTTP.
        let is_chunked = fault.name.starts_with("chunk");
        if is_chunked || ["one-1xx", "no-close-notify"].contains(&fault.name) {
            continue;
        }
        let data = site.verified(&site.check("6.0.10"));
        let nonce = data["nonce"].as_str().unwrap_or_default();
        match fault.expected {
            Expected::NoUpdate => assert_eq!(
                (nonce, &data["update"]),
                (client::NONCE, &0.into()),
                "{}",
                fault.name
            ),
            // Everything but 0 is one.
            Expected::Update => {
                assert_eq!(nonce, client::NONCE, "{}", fault.name);
                let update = &data["update"];
                assert!(
                    update.is_number() && update != 0,
                    "{}: {update}",
                    fault.name
                );
            }
            _ if fault.name.starts_with("request-sha256") => assert_eq!(nonce, client::NONCE),
            _ => assert_ne!(nonce, client::NONCE, "{}", fault.name),
        }
    }
}

#[test]
fn the_replay_is_the_answer_to_an_earlier_request() {
    let site = Site::start();
    let earlier = site.check("6.0.10");
    site.server.set_fault("replay");
    let mut later = check("6.0.10");
    later["nonce"] = "1795366594999999AAECAwQFBgcICQoLDA0ODw==".into();
    assert_eq!(site.post(&later.to_string()).body, earlier.body);
}

#[test]
fn signature_faults_do_not_verify() {
    let site = Site::start();
    for fault in wanted(&[Expected::Signature]) {
        site.server.set_fault(fault.name);
        let answer = site.check("6.0.10");
        assert_eq!(answer.status, 200);
        assert!(answer.json()["data"].is_string(), "{}", fault.name);
        assert!(!site.is_signed(&answer), "{}", fault.name);
    }
}

#[test]
fn faults_of_the_signed_object_are_genuinely_signed() {
    let site = Site::start();
    let prefixes = ["update-", "version-", "base64-", "log-", "data-"];
    let unsigned = [
        "data-missing",
        "data-null",
        "data-number",
        "data-1e999",
        "data-as-object",
        "data-nul",
    ];
    let faults = wanted(&[Expected::Response]);
    let signed = faults.iter().filter(|fault| {
        prefixes.iter().any(|prefix| fault.name.starts_with(prefix))
            && !unsigned.contains(&fault.name)
            && !fault.name.starts_with("base64-signature")
    });
    for fault in signed {
        site.server.set_fault(fault.name);
        assert!(site.is_signed(&site.check("6.0.10")), "{}", fault.name);
    }
}

#[test]
fn status_faults() {
    let site = Site::start();
    for fault in wanted(&[Expected::Http]) {
        site.server.set_fault(fault.name);
        let answer = site.check("6.0.10");
        assert_ne!(answer.status, 200, "{}", fault.name);
        if let Some(named) = fault.name.strip_prefix("status-") {
            let status = answer.status.to_string();
            assert!(named.starts_with(&status), "{}: {status}", fault.name);
        }
        assert_eq!(
            answer.head.contains("Retry-After: "),
            fault.name.starts_with("retry-after"),
            "{}",
            fault.name
        );
        assert_eq!(
            answer.head.contains("Location: "),
            (300..400).contains(&answer.status),
            "{}",
            fault.name
        );
    }
}

#[test]
fn tls_faults_are_refused_by_a_client_that_verifies() {
    let site = Site::start();
    let bytes = request(&check("6.0.10").to_string());
    let attempt = || exchange(site.server.port(), &site.path("ca.pem"), None, &bytes);
    for fault in wanted(&[Expected::Tls, Expected::Handshake]) {
        site.server.set_fault(fault.name);
        // OpenSSL leaves the common name and staples to its callers, and its level is the distribution's matter.
        let left_to_callers = [
            "tls-cn-only",
            "tls-mail-name-only",
            "tls-weak-rsa",
            "tls-sha1-chain",
            "tls-ocsp-revoked",
            "tls-ocsp-revoked-sha256",
            "tls-must-staple",
            "tls-must-staple-forged",
            "tls-must-staple-outdated",
        ];
        if left_to_callers.contains(&fault.name) {
            continue;
        }
        assert!(attempt().is_err(), "{}", fault.name);
    }
    assert!(
        site.server.requests().is_empty(),
        "a request was sent over a bad connection"
    );
    site.server.set_fault("");
    assert!(attempt().is_ok());
}

#[test]
fn staples_are_what_their_faults_say() {
    let site = Site::start();
    for (name, stapled, demanded) in [
        ("", None, false),
        ("tls-ocsp-good", Some(OcspCertStatus::GOOD), false),
        ("tls-ocsp-revoked", Some(OcspCertStatus::REVOKED), false),
        ("tls-must-staple", None, true),
        ("tls-must-staple-good", Some(OcspCertStatus::GOOD), true),
    ] {
        site.server.set_fault(name);
        let stream = connect(site.server.port(), &site.path("ca.pem"), None).unwrap();
        let found = found_in_staple(stream.ssl(), MessageDigest::sha1());
        let expected = stapled.map(|status| (status, true, true));
        assert_eq!(found, expected, "{name}");
        let certificate = stream.ssl().peer_certificate().unwrap().to_der().unwrap();
        let features = b"\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x18\x04\x05\x30\x03\x02\x01\x05";
        let demands = certificate
            .windows(features.len())
            .any(|window| window == features);
        assert_eq!(demands, demanded, "{name}");
    }
    site.server.set_fault("tls-ocsp-garbage");
    let stream = connect(site.server.port(), &site.path("ca.pem"), None).unwrap();
    assert!(OcspResponse::from_der(stream.ssl().ocsp_status().unwrap()).is_err());
}

/// Each is wrong in the one way that its name says.
#[test]
fn bad_staples_are_bad_in_one_way() {
    let site = Site::start();
    let sha1 = MessageDigest::sha1();
    for (name, digest, expected) in [
        (
            "tls-ocsp-revoked-sha256",
            MessageDigest::sha256(),
            (OcspCertStatus::REVOKED, true, true),
        ),
        (
            "tls-must-staple-forged",
            sha1,
            (OcspCertStatus::GOOD, false, true),
        ),
        (
            "tls-must-staple-outdated",
            sha1,
            (OcspCertStatus::GOOD, true, false),
        ),
    ] {
        site.server.set_fault(name);
        let stream = connect(site.server.port(), &site.path("ca.pem"), None).unwrap();
        let found = found_in_staple(stream.ssl(), digest);
        assert_eq!(found, Some(expected), "{name}");
    }
}

/// What a staple says of the server's certificate, whether its signature verifies, and whether it is in force.
fn found_in_staple(ssl: &SslRef, digest: MessageDigest) -> Option<(OcspCertStatus, bool, bool)> {
    let basic = OcspResponse::from_der(ssl.ocsp_status()?).unwrap().basic();
    let basic = basic.unwrap();
    let chain = ssl.verified_chain().unwrap();
    let store = ssl.ssl_context().cert_store();
    let is_genuine = basic.verify(chain, store, OcspFlag::empty()).is_ok();
    let id = OcspCertId::from_cert(digest, &chain[0], &chain[1]).unwrap();
    let found = basic.find_status(&id).unwrap();
    let is_in_force = found.check_validity(0, None).is_ok();
    Some((found.status, is_genuine, is_in_force))
}

#[test]
fn broken_transfers_break() {
    let site = Site::start();
    let bytes = request(&check("6.0.10").to_string());
    for name in [
        "reset",
        "reset-in-body",
        "close-early",
        "truncated",
        "no-length-cut",
    ] {
        site.server.set_fault(name);
        let result = exchange(site.server.port(), &site.path("ca.pem"), None, &bytes);
        let complete = result.is_ok_and(|bytes| {
            !bytes.is_empty() && {
                let answer = Answer::parse(&bytes);
                answer
                    .head
                    .contains(&format!("Content-Length: {}\r\n", answer.body.len()))
            }
        });
        assert!(!complete, "{name}");
    }
}

/// Whatever a fault does to its own connection, the next one is served.
#[test]
fn the_server_survives_every_fault() {
    let site = Site::start();
    let bytes = request(&check("6.0.10").to_string());
    let errors = Mutex::new(Vec::new());
    for fault in FAULTS
        .iter()
        .filter(|fault| fault.expected != Expected::Timeout)
    {
        site.server.set_fault(fault.name);
        if let Err(cause) = exchange(site.server.port(), &site.path("ca.pem"), None, &bytes) {
            errors.lock().unwrap().push((fault.name, cause));
        }
    }
    for (name, cause) in errors.into_inner().unwrap() {
        assert!(
            !cause.contains("timed out") && !cause.contains("would block"),
            "{name}: {cause}"
        );
    }
    site.server.set_fault("");
    let data = site.verified(&site.check("6.0.10"));
    assert_eq!(data["update"], 1);
    assert!(!site.server.wait_for_requests(1, LIMIT).is_empty());
}
