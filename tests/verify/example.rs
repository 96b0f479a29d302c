//! The worked example of docs/protocol.md, byte for byte: the text, the files beside it, the cryptography, and psc.

use crate::support::{
    LIMIT, answer, check, fingerprint_of_pem, offline_config, shell_blocks, unwrapped,
    verbose_config, verify,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::symm::{Cipher, encrypt_aead};
use psc::ffi::codes::PSC_UPDATE_AVAILABLE;
use psc_testkit::{Site, repo, require, run};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn path(name: &str) -> PathBuf {
    repo().join("docs/protocol-example").join(name)
}

fn file(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn object(name: &str) -> Value {
    serde_json::from_str(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn private_key(name: &str) -> PKey<Private> {
    PKey::private_key_from_pem(file(name).as_bytes()).expect("a private key")
}

/// What stands in the block that is marked `<!-- example: NAME -->`.
fn shown(name: &str) -> String {
    let page = fs::read_to_string(repo().join("docs/protocol.md")).expect("docs/protocol.md");
    let marker = format!("<!-- example: {name} -->\n```");
    let (_, after) = page
        .split_once(&marker)
        .unwrap_or_else(|| panic!("{marker:?} is missing"));
    let (_, block) = after.split_once('\n').expect("a block");
    let (block, _) = block.split_once("\n```").expect("the block's end");
    block.to_owned()
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().expect("a string"))
        .expect("canonical base64")
}

#[test]
fn the_page_shows_what_the_files_hold() {
    for name in [
        "request.json",
        "data.json",
        "response.json",
        "signing_public_key.pem",
        "license.txt",
        "license_one_time_key.hex",
        "request_with_license.json",
    ] {
        assert_eq!(shown(name), file(name).trim_end_matches('\n'), "{name}");
    }
    let items: Value = serde_json::from_str(&shown("items")).expect("items");
    assert_eq!(items, object("result.json")["items"]);
    let page = fs::read_to_string(repo().join("docs/protocol.md")).expect("docs/protocol.md");
    for name in [
        "request.json",
        "data.json",
        "response.json",
        "request_with_license.json",
        "license.txt",
    ] {
        let size = format!(
            "[{name}](protocol-example/{name}), {} bytes",
            file(name).len()
        );
        assert!(page.contains(&size), "the page does not say: {size}");
    }
}

#[test]
fn the_answer_follows_from_the_request_and_the_key() {
    let request = file("request.json");
    let digest = hex::encode(sha256(request.as_bytes()));
    assert_eq!(shown("request_sha256"), digest);
    assert_eq!(object("data.json")["request_sha256"], digest);
    assert_eq!(
        object("data.json")["nonce"],
        object("request.json")["nonce"]
    );
    assert_eq!(
        answer(&private_key("signing_key.pem"), &file("data.json")),
        file("response.json")
    );
    let public = file("signing_public_key.pem");
    assert!(
        private_key("signing_key.pem")
            .public_key_to_pem()
            .is_ok_and(|pem| pem == public.as_bytes())
    );
    assert_eq!(shown("fingerprint"), fingerprint_of_pem(public.as_bytes()));
}

/// The page's commands say `Verified OK`.
#[test]
fn openssl_verifies_the_answer_as_documented() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = "signing_public_key.pem";
    fs::copy(path(key), dir.path().join(key)).expect("the key");
    let response = object("response.json");
    let mut command = Command::new(require("sh"));
    command
        .args(["-e", "-c", &shell_blocks("docs/protocol.md")])
        .env("D", response["data"].as_str().expect("D"))
        .env("S", response["signature"].as_str().expect("S"));
    let done = run(command.current_dir(dir.path()), LIMIT);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), "Verified OK\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn psc_arrives_at_the_documented_result() {
    let config = offline_config(
        &path("signing_public_key.pem"),
        json!({"web_server_version": "1.22.1"}),
    );
    let expected = object("result.json");
    let nonce = expected["nonce"].as_str().expect("a nonce");
    let report = verify(&config, file("response.json").as_bytes(), nonce);
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&report.result[name], value, "{name}");
    }
}

/// With the nonce exchanged, the request that psc sends is the documented one.
#[test]
fn psc_sends_the_documented_request() {
    let site = Site::start();
    let config = json!({"passenger_version": "6.0.10", "server_identifier": "nginx", "web_server_version": "1.22.1"});
    check(&verbose_config(&site, config));
    let requests = site.server.requests();
    let sent: Value = serde_json::from_str(&requests[0].body).expect("a request");
    let nonce = sent["nonce"].as_str().expect("a nonce");
    let documented = object("request.json")["nonce"]
        .as_str()
        .expect("a nonce")
        .to_owned();
    assert_eq!(
        requests[0].body.replace(nonce, &documented),
        file("request.json")
    );

    let (time, random) = nonce.split_at(nonce.len() - 24);
    assert!(
        time.len() == 16 && time.bytes().all(|byte| byte.is_ascii_digit()),
        "{nonce}"
    );
    assert_eq!(
        STANDARD.decode(random).map(|bytes| bytes.len()),
        Ok(16),
        "{nonce}"
    );
}

#[test]
fn the_license_follows_from_its_key() {
    let request = object("request_with_license.json");
    let license = &request["license"];
    let one_time_key: Vec<u8> = (0x20..0x40).collect();
    assert_eq!(
        file("license_one_time_key.hex"),
        hex::encode(&one_time_key) + "\n"
    );
    let iv: Vec<u8> = (0x40..0x4c).collect();
    let nonce = request["nonce"].as_str().expect("a nonce");
    let mut tag = [0; 16];
    let plaintext = file("license.txt");
    let data = encrypt_aead(
        Cipher::aes_256_gcm(),
        &one_time_key,
        Some(&iv),
        nonce.as_bytes(),
        plaintext.as_bytes(),
        &mut tag,
    );
    assert_eq!(decoded(&license["iv"]), iv);
    assert_eq!(decoded(&license["data"]), data.expect("AES-256-GCM"));
    assert_eq!(decoded(&license["tag"]), tag);

    let key = private_key("license_key.pem");
    let wrapped = decoded(&license["key"]);
    assert_eq!(wrapped.len(), 256, "as long as the modulus");
    assert_eq!(unwrapped(&key, &wrapped), one_time_key);

    // The rest of the request is the same, in the same order.
    let mut without = request.clone();
    without
        .as_object_mut()
        .expect("an object")
        .remove("license");
    assert_eq!(without, object("request.json"));
    let public = file("license_public_key.pem");
    assert!(
        key.public_key_to_pem()
            .is_ok_and(|pem| pem == public.as_bytes())
    );
}
