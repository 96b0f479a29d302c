//! Licenses: the round trip, everything that must be refused, the operator's alert command.

mod client;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{LIMIT, NONCE, Site, check};
use openssl::encrypt::Encrypter;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, encrypt_aead};
use psc_refserver::{Request, keygen};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

struct Sealed {
    key: Vec<u8>,
    iv: Vec<u8>,
    data: Vec<u8>,
    tag: Vec<u8>,
}

impl Sealed {
    fn new(license: &[u8], public_key: &Path, nonce: &str) -> Sealed {
        let one_time = [7; 32];
        let iv = vec![9; 12];
        let mut tag = vec![0; 16];
        let cipher = Cipher::aes_256_gcm();
        let data = encrypt_aead(
            cipher,
            &one_time,
            Some(&iv),
            nonce.as_bytes(),
            license,
            &mut tag,
        )
        .unwrap();
        Sealed {
            key: wrap(&one_time, public_key),
            iv,
            data,
            tag,
        }
    }

    fn json(&self) -> Value {
        json!({
            "key": STANDARD.encode(&self.key),
            "iv": STANDARD.encode(&self.iv),
            "data": STANDARD.encode(&self.data),
            "tag": STANDARD.encode(&self.tag),
        })
    }
}

fn wrap(one_time: &[u8], public_key: &Path) -> Vec<u8> {
    let key = PKey::public_key_from_pem(&fs::read(public_key).unwrap()).unwrap();
    let mut encrypter = Encrypter::new(&key).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    encrypter.set_rsa_oaep_md(MessageDigest::sha256()).unwrap();
    encrypter.set_rsa_mgf1_md(MessageDigest::sha256()).unwrap();
    let mut wrapped = vec![0; encrypter.encrypt_len(one_time).unwrap()];
    let length = encrypter.encrypt(one_time, &mut wrapped).unwrap();
    wrapped.truncate(length);
    wrapped
}

fn body(license: Value) -> String {
    let mut body = check("6.0.10");
    body["license"] = license;
    body.to_string()
}

fn last(site: &Site) -> Request {
    site.server.requests().pop().unwrap()
}

#[test]
fn licenses_of_every_size_are_read() {
    let site = Site::start();
    let public = site.path("license_pubkey.pem");
    for size in [1, 31, 32, 33, 190, 4096, 64 * 1024] {
        let sealed = Sealed::new(&vec![b'x'; size], &public, NONCE);
        site.verified(&site.post(&body(sealed.json())));
        assert_eq!(last(&site).licensee.unwrap(), "x".repeat(size.min(200)));
    }
    let sealed = Sealed::new(b"ACME\x1b[31m Inc\r\nsecret part", &public, NONCE);
    site.verified(&site.post(&body(sealed.json())));
    assert_eq!(last(&site).licensee.unwrap(), "ACME\\u{1b}[31m Inc");
    let log = fs::read_to_string(site.path("requests.jsonl")).unwrap();
    assert!(!log.contains("secret part"));
}

#[test]
fn what_does_not_decrypt_is_refused() {
    let site = Site::start();
    let public = site.path("license_pubkey.pem");
    let sealed = || Sealed::new(b"ACME Inc", &public, NONCE);
    let changed = |change: fn(&mut Sealed)| {
        let mut sealed = sealed();
        change(&mut sealed);
        sealed.json()
    };
    let other = tempfile::tempdir().unwrap();
    keygen(other.path()).unwrap();
    let short_key = Sealed {
        key: wrap(&[7; 31], &public),
        ..sealed()
    };
    for (license, reason) in [
        (
            Sealed::new(b"ACME", &other.path().join("license_pubkey.pem"), NONCE).json(),
            "another public key",
        ),
        (
            Sealed::new(b"ACME", &public, "another nonce").json(),
            "another request's nonce",
        ),
        (
            Sealed::new(&[b'x'; 64 * 1024 + 1], &public, NONCE).json(),
            "65536",
        ),
        (short_key.json(), "32 bytes"),
        (changed(|sealed| sealed.data[3] ^= 1), "damaged"),
        (changed(|sealed| sealed.tag[0] ^= 1), "damaged"),
        (changed(|sealed| sealed.iv[0] ^= 1), "damaged"),
        (changed(|sealed| sealed.key[9] ^= 1), "damaged"),
        (changed(|sealed| sealed.tag.truncate(4)), "16 bytes"),
        (changed(|sealed| sealed.iv.push(0)), "12 bytes"),
        (changed(|sealed| sealed.data.clear()), "65536"),
        (changed(|sealed| sealed.key.clear()), "license.key"),
    ] {
        let answer = site.post(&body(license));
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(
            answer.text().contains(reason),
            "{reason}: {}",
            answer.text()
        );
        assert_eq!(last(&site).licensee, None);
    }
}

#[test]
fn the_alert_command_gets_the_license() {
    let dir = tempfile::tempdir().unwrap();
    let (got, env) = (dir.path().join("license"), dir.path().join("environment"));
    let done = dir.path().join("done");
    let command = format!(
        "cat >'{}'; printf '%s|' \"$PSC_LICENSE_BYTES\" \"$PSC_LICENSE_OWNER\" \"$PSC_PASSENGER_VERSION\" \
         \"$PSC_SERVER_INTEGRATION\" \"$PSC_SERVER_VERSION\" \"$PSC_UPDATE\" \"$PSC_RECOMMENDED_VERSION\" >'{}'; touch '{}'",
        got.display(),
        env.display(),
        done.display()
    );
    let site = Site::with(|options| options.license_alert = Some(command));
    // Were any of this part of a command line, the file `pwned` would appear.
    let pwned = dir.path().join("pwned");
    let attack = format!("$(touch {0})`touch {0}`';touch {0};'\0", pwned.display());
    let license = format!("{attack}\nsecond line\n");
    let mut request: Value = serde_json::from_str(&body(
        Sealed::new(license.as_bytes(), &site.path("license_pubkey.pem"), NONCE).json(),
    ))
    .unwrap();
    request["server_version"] = json!(attack.trim_end_matches('\0'));
    site.verified(&site.post(&request.to_string()));

    let start = Instant::now();
    while !done.exists() {
        assert!(start.elapsed() < LIMIT, "the command did not run");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(fs::read_to_string(got).unwrap(), license);
    let owner = attack.replace('\'', "\\'").replace('\0', "\\u{0}");
    let expected = format!(
        "{}|{owner}|6.0.10|nginx|{}|1|6.0.20|",
        license.len(),
        attack.trim_end_matches('\0')
    );
    assert_eq!(fs::read_to_string(env).unwrap(), expected);
    assert!(!pwned.exists());
}
