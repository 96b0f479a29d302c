//! License data: for the server's eyes only, for this request only, and wiped afterwards.

use crate::relay::{Relay, Rewrite};
use crate::support::{
    LIMIT, Report, check, check_under_valgrind, public_pem, rsa_key, unwrapped, verbose_config,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::PKey;
use openssl::symm::{Cipher, decrypt_aead};
use psc::ffi::codes::{PSC_ERR_CONFIG, PSC_ERR_FILE, PSC_ERR_HTTP, PSC_UPDATE_AVAILABLE};
use psc_testkit::{LINKS, Link, Site, compile, compile_preload, merged, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

const PARTS: [&str; 4] = ["key", "iv", "data", "tag"];
const OWNER: &str = "Licensed to: Example Company";
const SECRET: &str = "a-license-that-nobody-else-may-read";

/// A configuration with a license file of these contents.
fn with_license(site: &Site, contents: &[u8]) -> Value {
    let file = site.path("license.txt");
    fs::write(&file, contents).expect("write the license");
    verbose_config(
        site,
        json!({"license_path": file, "license_public_key_path": site.path("license_pubkey.pem")}),
    )
}

fn sample_license() -> String {
    format!("{OWNER}\n{SECRET}\n")
}

/// The request's license as its rightful reader sees it: the one-time key and the file.
fn opened(site: &Site, body: &str) -> (Vec<u8>, Vec<u8>) {
    let request: Value = serde_json::from_str(body).expect("a request");
    let part = |name: &str| {
        let text = request["license"][name]
            .as_str()
            .unwrap_or_else(|| panic!("license.{name} in {body}"));
        STANDARD.decode(text).expect("canonical base64")
    };
    let pem = fs::read(site.path("license_key.pem")).expect("the server's license key");
    let private = PKey::private_key_from_pem(&pem).expect("a key");
    let key = unwrapped(&private, &part("key"));
    assert_eq!(
        (key.len(), part("iv").len(), part("tag").len()),
        (32, 12, 16)
    );
    let nonce = request["nonce"].as_str().expect("a nonce");
    let (iv, data, tag) = (part("iv"), part("data"), part("tag"));
    let file = decrypt_aead(
        Cipher::aes_256_gcm(),
        &key,
        Some(&iv),
        nonce.as_bytes(),
        &data,
        &tag,
    );
    (key, file.expect("the license file"))
}

#[test]
fn the_server_reads_the_license() {
    let site = Site::start();
    let report = check(&with_license(&site, sample_license().as_bytes()));
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    let requests = site.server.requests();
    let (_, file) = opened(&site, &requests[0].body);
    assert_eq!(file, sample_license().as_bytes());
    assert_eq!(requests[0].licensee.as_deref(), Some(OWNER));
    let log = fs::read_to_string(site.path("requests.jsonl")).expect("the server's log");
    assert!(
        log.contains(OWNER),
        "the server logs whose license it is: {log}"
    );
    assert!(!log.contains(SECRET), "and not more: {log}");
}

/// Told to, the server hands the license to a command of the operator's.
#[test]
fn the_operator_can_be_alerted() {
    let alert = tempfile::tempdir().expect("a temporary directory");
    let (partial, complete) = (alert.path().join("partial"), alert.path().join("complete"));
    let command = format!(
        "cat > '{0}' && mv '{0}' '{1}'",
        partial.display(),
        complete.display()
    );
    let site = Site::start_with(|options| options.license_alert = Some(command));
    check(&with_license(&site, sample_license().as_bytes()));
    wait_until("the operator's command", LIMIT, || complete.exists());
    assert_eq!(
        fs::read_to_string(&complete).expect("the alert"),
        sample_license()
    );
}

#[test]
fn each_request_has_a_key_and_an_iv_of_its_own() {
    let site = Site::start();
    let config = with_license(&site, sample_license().as_bytes());
    check(&config);
    check(&config);
    let requests = site.server.requests();
    assert_eq!(requests.len(), 2);
    let parts = |body: &str| -> Value {
        serde_json::from_str::<Value>(body).expect("a request")["license"].clone()
    };
    let (first, second) = (parts(&requests[0].body), parts(&requests[1].body));
    for part in PARTS {
        assert_ne!(first[part], second[part], "{part}");
    }
    assert_ne!(
        opened(&site, &requests[0].body).0,
        opened(&site, &requests[1].body).0
    );
}

#[test]
fn another_key_cannot_read_it() {
    let site = Site::start();
    let other = site.path("other.pem");
    fs::write(&other, public_pem(&rsa_key(2048))).expect("write a key");
    let config = merged(
        with_license(&site, b"x"),
        json!({"license_public_key_path": other}),
    );
    let report = check(&config);
    assert_eq!(
        report.code, PSC_ERR_HTTP,
        "the server refuses it: {}",
        report.everything
    );
    assert_eq!(report.result["http_status"], 422);
}

fn check_through(site: &Site, rewrite: Rewrite) -> Report {
    let relay = Relay::start(site.server.port(), site.path("ca.pem"), rewrite);
    let config = with_license(site, sample_license().as_bytes());
    check(&merged(
        config,
        json!({"url": relay.url(), "certificate_path": relay.authority()}),
    ))
}

#[test]
fn a_flipped_bit_is_refused() {
    let site = Site::start();
    for part in PARTS {
        let flip = move |body: String| {
            let mut request: Value = serde_json::from_str(&body).expect("a request");
            let mut bytes = STANDARD
                .decode(request["license"][part].as_str().expect("base64"))
                .expect("base64");
            *bytes.last_mut().expect("not empty") ^= 1;
            request["license"][part] = json!(STANDARD.encode(bytes));
            request.to_string()
        };
        let report = check_through(&site, Box::new(flip));
        assert_eq!(report.code, PSC_ERR_HTTP, "{part}: {}", report.everything);
        assert_eq!(report.result["http_status"], 422, "{part}");
    }
}

#[test]
fn a_license_moved_to_another_request_is_refused() {
    let site = Site::start();
    let mut seen: Option<Value> = None;
    let replay = move |body: String| {
        let mut request: Value = serde_json::from_str(&body).expect("a request");
        match seen.take() {
            None => seen = Some(request["license"].clone()),
            Some(earlier) => request["license"] = earlier,
        }
        request.to_string()
    };
    let relay = Relay::start(site.server.port(), site.path("ca.pem"), Box::new(replay));
    let config = with_license(&site, sample_license().as_bytes());
    let config = merged(
        config,
        json!({"url": relay.url(), "certificate_path": relay.authority()}),
    );
    assert_ne!(
        check(&config).result["http_status"],
        422,
        "the first is what it pretends to be"
    );
    let report = check(&config);
    assert_eq!(
        (report.code, &report.result["http_status"]),
        (PSC_ERR_HTTP, &json!(422)),
        "{}",
        report.everything
    );
}

#[test]
fn sizes_from_one_byte_to_64_kib_are_accepted() {
    let site = Site::start();
    for (number, size) in [1, 2, 15, 16, 17, 65_535, 65_536].into_iter().enumerate() {
        // Every byte value, so that text is not what makes it work.
        let contents: Vec<u8> = (0..=255).cycle().take(size).collect();
        let report = check(&with_license(&site, &contents));
        assert_eq!(
            report.code, PSC_UPDATE_AVAILABLE,
            "{size}: {}",
            report.everything
        );
        assert!(
            report
                .everything
                .contains(&format!("encrypted, {size} bytes")),
            "{size}: {}",
            report.everything
        );
        assert_eq!(
            opened(&site, &site.server.requests()[number].body).1,
            contents,
            "{size}"
        );
    }
}

#[test]
fn other_sizes_and_files_are_refused_at_configuration() {
    let site = Site::start();
    for (size, reason) in [
        (0, "empty"),
        (65_537, "larger than 65536 bytes"),
        (10_000_000, "larger than 65536 bytes"),
    ] {
        let report = check(&with_license(&site, &vec![b'x'; size]));
        assert_eq!(report.code, PSC_ERR_FILE, "{size}: {}", report.everything);
        for part in ["license_path", "license.txt", reason] {
            assert!(
                report.error.contains(part),
                "{size}: {:?} lacks {part:?}",
                report.error
            );
        }
    }
    let config = with_license(&site, b"x");
    let missing = check(&merged(
        config.clone(),
        json!({"license_path": site.path("missing")}),
    ));
    assert_eq!(missing.code, PSC_ERR_FILE, "{}", missing.everything);
    let weak = site.path("weak.pem");
    fs::write(&weak, public_pem(&rsa_key(1024))).expect("write a key");
    let weak = check(&merged(
        config.clone(),
        json!({"license_public_key_path": weak}),
    ));
    assert_eq!(weak.code, PSC_ERR_FILE, "{}", weak.everything);
    assert!(
        weak.error.contains("license_public_key_path") && weak.error.contains("1024"),
        "{}",
        weak.error
    );
    let keyless = check(&merged(config, json!({"license_public_key_path": null})));
    assert_eq!(keyless.code, PSC_ERR_CONFIG, "{}", keyless.everything);
    assert_eq!(site.server.connections(), 0, "nobody was contacted");
}

/// Log level 7, preview, inspected configuration, status and result, under valgrind as well.
#[test]
fn it_is_shown_nowhere() {
    let site = Site::start();
    let license = sample_license();
    let report = check_under_valgrind(&with_license(&site, license.as_bytes()));
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    let requests = site.server.requests();
    let request: Value = serde_json::from_str(&requests[0].body).expect("a request");
    let (key, _) = opened(&site, &requests[0].body);
    let secrets = [
        SECRET.to_owned(),
        OWNER.to_owned(),
        STANDARD.encode(&license)[..24].to_owned(),
        hex::encode(license.as_bytes())[..24].to_owned(),
        STANDARD.encode(&key),
        hex::encode(key),
    ];
    let sealed = PARTS.map(|part| {
        request["license"][part]
            .as_str()
            .expect("base64")
            .to_owned()
    });
    for secret in secrets.iter().chain(&sealed) {
        assert!(
            !report.everything.contains(secret),
            "{secret} shows:\n{}",
            report.everything
        );
    }
    let size = format!("encrypted, {} bytes", license.len());
    assert!(
        report.logs_at(7, &size),
        "level 7 says that there is one: {:?}",
        report.log
    );
    let preview = report.preview.to_string();
    assert!(
        preview.contains(&size),
        "the preview says that there is one: {preview}"
    );
}

/// c-tests/verify/wipe.c searches its memory: for the one-time key after the check, for the license after psc_free.
#[test]
fn key_and_plaintext_are_wiped_after_use() {
    LINKS.into_iter().for_each(assert_wiped);
}

fn assert_wiped(link: Link) {
    let site = Site::start();
    // Large enough that reading it in pieces would leave pieces behind.
    let license: Vec<u8> = (0..50_000u32)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .take(50_000)
        .collect();
    let config = with_license(&site, &license);
    let mut child = Command::new(compile("c-tests/verify/wipe.c", link))
        .arg(config.to_string())
        .env(
            "LD_PRELOAD",
            compile_preload("c-tests/preload/keep-freed.c"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("wipe runs");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "checked\n");
    let (key, _) = opened(&site, &site.server.requests()[0].body);
    let inverted = |bytes: &[u8]| hex::encode(bytes.iter().map(|byte| !byte).collect::<Vec<u8>>());
    let pieces = [100, 6_000, 20_000, 49_900].map(|at| inverted(&license[at..at + 64]));
    let needles = format!("{}\n{}\n", inverted(&key), pieces.join("\n"));
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(needles.as_bytes())
        .expect("send what to look for");
    let mut report = String::new();
    output.read_to_string(&mut report).expect("a report");
    assert!(child.wait().expect("wipe ends").success(), "{report}");
    assert_eq!(
        report,
        "key in memory after the check: 0\n\
         pieces of the license while configured: 4\n\
         pieces of the license after psc_free: 0\n"
    );
}
