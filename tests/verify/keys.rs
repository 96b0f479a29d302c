//! Several pinned keys, and files that are refused.

use crate::support::{
    LIMIT, Report, answer, check, fingerprint, fingerprint_of_pem, offline_config, public_pem,
    rsa_key, shell_blocks, verbose_config, verify,
};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use psc::ffi::codes::{PSC_ERR_FILE, PSC_ERR_SIGNATURE, PSC_UPDATE_AVAILABLE};
use psc_testkit::{Site, require, run};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

fn verified_by(report: &Report, key: &str) {
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    assert_eq!(report.result["key_fingerprint"], key);
    assert!(
        report.status.contains(key),
        "psc_status names the key: {}",
        report.status
    );
    assert!(
        report.logs_at(7, key),
        "level 7 names the key: {:?}",
        report.log
    );
}

fn refused(report: &Report) {
    assert_eq!(report.code, PSC_ERR_SIGNATURE, "{}", report.everything);
    assert!(report.logs_at(1, "forged signature"), "{:?}", report.log);
    assert_eq!(report.result["key_fingerprint"], serde_json::Value::Null);
}

/// docs/key-rotation.md, step by step.
#[test]
fn the_documented_rotation_works_with_both_orders_of_the_keys() {
    let site = Site::start();
    let old_pem =
        fs::read_to_string(site.path("update_check_server_pubkey.pem")).expect("the old key");
    let new_key = rsa_key(2048);
    let new_pem = public_pem(&new_key);
    let (old, new) = (
        fingerprint_of_pem(old_pem.as_bytes()),
        fingerprint(&new_key),
    );
    for (name, pem) in [
        ("old", old_pem.clone()),
        ("new", new_pem.clone()),
        ("old-new", format!("{old_pem}{new_pem}")),
        ("new-old", format!("{new_pem}{old_pem}")),
    ] {
        fs::write(site.path(name), pem).expect("write a key file");
    }
    let with = |site: &Site, name: &str| {
        check(&verbose_config(
            site,
            json!({"server_public_key_path": site.path(name)}),
        ))
    };

    // Steps 2 and 3: the server still signs with the old key.
    verified_by(&with(&site, "old-new"), &old);
    verified_by(&with(&site, "new-old"), &old);
    verified_by(&with(&site, "old"), &old);
    refused(&with(&site, "new"));

    // Step 4: it signs with the new one.
    let pem = new_key.private_key_to_pem_pkcs8().expect("PEM");
    fs::write(site.path("sign_key.pem"), pem).expect("give the server the new key");
    let site = site.restart();
    verified_by(&with(&site, "old-new"), &new);
    verified_by(&with(&site, "new-old"), &new);
    // Who did not get the new key learns of it as a forged signature.
    refused(&with(&site, "old"));

    // Step 5: the old one is gone.
    verified_by(&with(&site, "new"), &new);
}

/// An answer that `key` signed verifies with the keys in `file`, and the verdict tells by which.
fn verdict_names(file: &Path, key: &PKey<Private>) {
    let answer = answer(key, r#"{"nonce":"n","update":0}"#);
    let report = verify(&offline_config(file, json!({})), answer.as_bytes(), "n");
    assert_eq!(
        report.result["key_fingerprint"],
        fingerprint(key),
        "{}",
        report.everything
    );
}

/// The commands of docs/key-rotation.md, as they stand there.
#[test]
fn the_documented_commands_make_the_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let old_key = rsa_key(2048);
    fs::write(dir.path().join("old_public_key.pem"), public_pem(&old_key)).expect("the old key");
    let script = shell_blocks("docs/key-rotation.md");
    let mut command = Command::new(require("sh"));
    let done = run(
        command.args(["-e", "-c", &script]).current_dir(dir.path()),
        LIMIT,
    );
    assert_eq!(done.code, Some(0), "{script}\n{}", done.stderr);

    let pem = fs::read(dir.path().join("new_key.pem")).expect("the new key");
    let new_key = PKey::private_key_from_pem(&pem).expect("a key");
    let digest = fingerprint(&new_key).replace("SHA256:", "");
    assert!(done.stdout.starts_with(&digest), "{}", done.stdout);
    let file = dir.path().join("update_check_server_pubkey.pem");
    for key in [&old_key, &new_key] {
        verdict_names(&file, key);
    }
}

#[test]
fn the_key_that_verified_is_named_in_a_detached_verdict_too() {
    let keys: Vec<PKey<Private>> = (0..3).map(|_| rsa_key(2048)).collect();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("keys.pem");
    let pem: Vec<String> = keys.iter().map(public_pem).collect();
    fs::write(&file, format!("The first:\n{}", pem.join("The next:\r\n"))).expect("write keys");
    for key in &keys {
        verdict_names(&file, key);
    }
}

/// Each is refused by psc_configure, with the file's name and the reason.
#[test]
fn other_key_files_are_refused_with_the_reason() {
    let good = public_pem(&rsa_key(2048));
    let weak = public_pem(&rsa_key(1024));
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    let curve = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
    let edwards = PKey::generate_ed25519().expect("a key");
    let private =
        String::from_utf8(rsa_key(2048).private_key_to_pem_pkcs8().expect("PEM")).expect("ASCII");
    let site = Site::start();
    let certificate = fs::read_to_string(site.path("ca.pem")).expect("a certificate");
    // With an exponent of 1 the padding of a signature is the signature.
    let modulus = rsa_key(2048).rsa().expect("RSA").n().to_owned();
    let one = BigNum::from_u32(1).expect("a number");
    let open = Rsa::from_public_components(modulus.expect("a number"), one).expect("RSA");
    let open = String::from_utf8(open.public_key_to_pem().expect("PEM")).expect("ASCII");
    let broken = good.replacen("MII", "AAA", 1);
    let cases = [
        ("weak", weak.clone(), "1024 bits"),
        ("good and weak", format!("{good}{weak}"), "1024 bits"),
        ("weak and good", format!("{weak}{good}"), "1024 bits"),
        ("open to all", open, "exponent is 1"),
        ("elliptic curve", public_pem(&curve), "not RSA"),
        ("edwards curve", public_pem(&edwards), "not RSA"),
        ("private", private.clone(), "private key"),
        (
            "good and private",
            format!("{good}{private}"),
            "private key",
        ),
        ("certificate", certificate, "CERTIFICATE"),
        ("junk", "junk\n".to_owned(), "no PEM public key"),
        (
            "good and broken",
            format!("{good}{broken}"),
            "cannot be read",
        ),
        (
            "cut off",
            good[..good.len() - 30].to_owned(),
            "does not end",
        ),
        ("empty", String::new(), "empty"),
        ("seventeen", good.repeat(17), "more than 16"),
    ];
    for (name, pem, reason) in cases {
        fs::write(site.path(name), pem).expect("write a key file");
        let report = check(&verbose_config(
            &site,
            json!({"server_public_key_path": site.path(name)}),
        ));
        assert_eq!(report.code, PSC_ERR_FILE, "{name}: {}", report.everything);
        for part in ["server_public_key_path", name, reason] {
            assert!(
                report.error.contains(part),
                "{name}: {:?} lacks {part:?}",
                report.error
            );
        }
    }
    let missing = check(&verbose_config(
        &site,
        json!({"server_public_key_path": site.path("missing")}),
    ));
    assert_eq!(missing.code, PSC_ERR_FILE);
    assert!(missing.error.contains("No such file"), "{}", missing.error);
    assert_eq!(site.server.connections(), 0, "nobody was contacted");
}
