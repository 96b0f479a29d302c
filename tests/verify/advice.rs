//! What changes by itself with time or environment fails each check with its reason until it is cured, and no configuration.

use crate::support::{
    LIMIT, answer, check, offline_config, public_pem, report, rsa_key, signing_key, verbose_config,
};
use psc::ffi::codes::{PSC_ERR_FILE, PSC_ERR_SYSTEM, PSC_ERR_TLS, PSC_OK, PSC_UPDATE_AVAILABLE};
use psc_testkit::{LINKS, Link, Site, compile, merged, run, self_signed};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What cure.c printed.
struct Cure {
    configured: String,
    /// Of each check: its code, the records since the one before, and what psc_status says.
    checks: Vec<Checked>,
    /// Of level 2, before the first check.
    warnings: Vec<String>,
    everything: String,
}

struct Checked {
    code: i32,
    log: Vec<String>,
    status: Value,
}

impl Checked {
    fn said(&self, part: &str) -> bool {
        self.log.iter().any(|record| record.contains(part))
    }
}

fn cure(config: &Value, commands: &[String], environment: &[(&str, &Path)]) -> Cure {
    let mut command = Command::new(compile("c-tests/verify/cure.c", Link::Shared));
    command.arg(config.to_string()).args(commands);
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR");
    for (name, value) in environment {
        command.env(name, value);
    }
    let done = run(&mut command, LIMIT);
    let everything = done.stdout.clone() + &done.stderr;
    assert_eq!(done.code, Some(0), "{everything}");
    assert!(!done.stderr.contains("phrase"), "it asked: {}", done.stderr);
    let mut cure = Cure {
        configured: String::new(),
        checks: Vec::new(),
        warnings: Vec::new(),
        everything,
    };
    let mut log = Vec::new();
    for line in done.stdout.lines() {
        let (name, rest) = line.split_once(' ').expect("a name");
        match name {
            "configure" => rest.clone_into(&mut cure.configured),
            "log" if cure.checks.is_empty() && rest.starts_with("2 ") => {
                cure.warnings.push(rest.to_owned());
                log.push(rest.to_owned());
            }
            "log" => log.push(rest.to_owned()),
            "check" => cure.checks.push(Checked {
                code: rest.parse().expect("a code"),
                log: std::mem::take(&mut log),
                status: Value::Null,
            }),
            "again" => assert_eq!(rest, "0", "{line}"),
            // They work whatever is missing.
            "inspect" | "preview" | "status" => {
                let json = rest.strip_prefix("0 ").unwrap_or_else(|| panic!("{line}"));
                let json = serde_json::from_str(json).expect("JSON");
                if name == "status" {
                    cure.checks.last_mut().expect("a check").status = json;
                }
            }
            _ => panic!("{line}"),
        }
    }
    cure
}

/// A check for each code, with the words of its failure; the configuration is accepted with one warning, or none.
fn assert_cured(cure: &Cure, expected: &[(i32, &[&str])]) {
    assert_eq!(cure.configured, "0 ", "{}", cure.everything);
    let codes: Vec<i32> = cure.checks.iter().map(|check| check.code).collect();
    let expected_codes: Vec<i32> = expected.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, expected_codes, "{}", cure.everything);
    for (check, (_, words)) in cure.checks.iter().zip(expected) {
        for word in *words {
            assert!(check.said(word), "{word:?} is missing in {:?}", check.log);
        }
    }
}

fn warned_once(cure: &Cure, words: &[&str]) {
    assert_eq!(cure.warnings.len(), 1, "{}", cure.everything);
    for word in words {
        assert!(
            cure.warnings[0].contains(word),
            "{word:?} is missing in {:?}",
            cure.warnings
        );
    }
}

fn moved(site: &Site, from: &str, to: &str) -> String {
    format!(
        "mv '{}' '{}'",
        site.path(from).display(),
        site.path(to).display()
    )
}

const KEYS: &str = "update_check_server_pubkey.pem";
const CLIENT: &str = "update_check_client_cert.pem";

#[test]
fn default_files_may_come_later() {
    let site = Site::start();
    for name in [KEYS, CLIENT] {
        fs::rename(site.path(name), site.path(&format!("{name}.new"))).expect("rename");
    }
    fs::write(site.path(CLIENT), "junk").expect("write");
    let come = [
        moved(&site, &format!("{KEYS}.new"), KEYS),
        moved(&site, &format!("{CLIENT}.new"), CLIENT),
    ];
    let cure = cure(&verbose_config(&site, json!({})), &come, &[]);
    warned_once(
        &cure,
        &[
            "each check will fail until this is cured",
            KEYS,
            "No such file",
            CLIENT,
            "no readable PEM certificate",
        ],
    );
    assert_cured(
        &cure,
        &[
            (
                PSC_ERR_FILE,
                &[
                    "Security update check failed",
                    KEYS,
                    "No such file",
                    "upgrading or reinstalling",
                ],
            ),
            (PSC_ERR_FILE, &[CLIENT, "try upgrading or reinstalling"]),
            (PSC_UPDATE_AVAILABLE, &["security update is available"]),
        ],
    );
    assert_eq!(cure.checks[0].status["verdict"], "never_checked");
    assert_eq!(cure.checks[2].status["verdict"], "update");
    assert_eq!(
        site.server.connections(),
        1,
        "only the check that could be made"
    );
}

/// A self-signed certificate with its key, valid between two times in seconds from now.
fn identity(from: i64, to: i64) -> Vec<u8> {
    let key = rsa_key(2048);
    let private = key.private_key_to_pem_pkcs8().expect("PEM");
    [self_signed("of the vendor", &key, from, to), private].concat()
}

/// Named or not.
#[test]
fn a_client_certificate_out_of_its_time_stops_no_host() {
    let site = Site::start();
    fs::rename(site.path(CLIENT), site.path("good")).expect("rename");
    for (name, pem, words) in [
        ("expired", identity(-7200, -3600), "has expired on"),
        ("early", identity(3600, 7200), "is not valid before"),
    ] {
        for path in [Some(site.path(name)), None] {
            let file = path.clone().unwrap_or(site.path(CLIENT));
            fs::write(&file, &pem).expect("write");
            let more = path.map_or(json!({}), |path| json!({"client_certificate_path": path}));
            let come = [format!(
                "cp '{}' '{}'",
                site.path("good").display(),
                file.display()
            )];
            let cure = cure(&verbose_config(&site, more), &come, &[]);
            warned_once(&cure, &[words, "of the vendor"]);
            let words = [
                words,
                file.to_str().expect("a path"),
                "try upgrading or reinstalling",
                "check the clock",
            ];
            assert_cured(
                &cure,
                &[(PSC_ERR_FILE, &words), (PSC_UPDATE_AVAILABLE, &[])],
            );
        }
    }
}

/// A certificate that has expired is no reason not to verify an answer.
#[test]
fn answers_are_verified_whatever_else_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (keys, client) = (dir.path().join("keys"), dir.path().join("client"));
    fs::write(&keys, public_pem(signing_key())).expect("write");
    fs::write(&client, identity(-7200, -3600)).expect("write");
    let config = offline_config(&keys, json!({"client_certificate_path": client}));
    let answer = answer(signing_key(), r#"{"nonce":"n","update":0}"#);
    let report = crate::support::verify(&config, answer.as_bytes(), "n");
    assert_eq!(report.code, PSC_OK, "{}", report.everything);
}

/// A store that is renewed counts from the next check on; one that cannot be read any more is remembered.
#[test]
fn certificate_authorities_count_as_they_are_at_each_check() {
    let site = Site::start();
    let other = identity(-60, 3600);
    let ca = site.path("ca.pem");
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for named in [true, false] {
        let store = site.path("store");
        fs::write(&store, &other).expect("write");
        let shown = store.display();
        let commands = [
            format!("cat '{}' >>'{shown}'", ca.display()),
            format!("printf '%s' '{damaged}' >>'{shown}'"),
            format!("rm '{shown}'"),
            format!(": >'{shown}'"),
            format!("cat '{}' >'{shown}'", ca.display()),
        ];
        let more = if named { json!(store) } else { Value::Null };
        let config = verbose_config(&site, json!({"certificate_path": more}));
        let environment: &[(&str, &Path)] = if named {
            &[]
        } else {
            &[("SSL_CERT_FILE", &store)]
        };
        let cure = cure(&config, &commands, environment);
        assert_eq!(cure.warnings, [] as [&str; 0]);
        assert_cured(
            &cure,
            &[
                (PSC_ERR_TLS, &["not signed by a trusted authority"]),
                (PSC_UPDATE_AVAILABLE, &[]),
                (
                    PSC_UPDATE_AVAILABLE,
                    &[
                        "2 Security update check: passed over",
                        "block 4 (line ",
                        "the others count",
                    ],
                ),
                (PSC_UPDATE_AVAILABLE, &[]),
                (PSC_ERR_FILE, &["is empty"]),
                (PSC_UPDATE_AVAILABLE, &[]),
            ],
        );
        let named_again = cure.checks[3..]
            .iter()
            .any(|check| check.said("passed over"));
        assert!(!named_again, "{}", cure.everything);
    }
}

/// By its hashed name, beside a file with another authority or alone.
#[test]
fn a_directory_of_the_environment_counts() {
    let site = Site::start();
    let mut command = Command::new(psc_testkit::require("openssl"));
    command
        .args(["x509", "-hash", "-noout", "-in"])
        .arg(site.path("ca.pem"));
    let hash = run(&mut command, LIMIT).stdout;
    let (file, directory) = (site.path("file"), site.path("directory"));
    fs::write(&file, identity(-60, 3600)).expect("write");
    fs::create_dir(&directory).expect("a directory");
    let name = directory.join(format!("{}.0", hash.trim()));
    let come = [format!(
        "cp '{}' '{}'",
        site.path("ca.pem").display(),
        name.display()
    )];
    let config = verbose_config(&site, json!({"certificate_path": null}));
    let both: [(&str, &Path); 2] = [("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &directory)];
    let untrusted = (PSC_ERR_TLS, &["not signed by a trusted authority"][..]);
    let trusted = (PSC_UPDATE_AVAILABLE, &[][..]);
    assert_cured(&cure(&config, &come, &both), &[untrusted, trusted]);
    assert_cured(&cure(&config, &[], &both[1..]), &[trusted]);
    fs::remove_file(&name).expect("it is there");
    assert_cured(&cure(&config, &[], &both[..1]), &[untrusted]);
}

#[test]
fn a_damaged_certificate_among_good_ones_is_named_at_the_start() {
    let site = Site::start();
    let ca = fs::read_to_string(site.path("ca.pem")).expect("the authority");
    let bundle = site.path("bundle");
    let encrypted = ca.replacen(
        '\n',
        "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n",
        1,
    );
    fs::write(&bundle, format!("{encrypted}{ca}")).expect("write");
    let cure = cure(
        &verbose_config(&site, json!({"certificate_path": bundle})),
        &[],
        &[],
    );
    warned_once(&cure, &["block 1 (line 1), is encrypted", "bundle"]);
    assert_cured(&cure, &[(PSC_UPDATE_AVAILABLE, &[])]);
}

#[test]
fn trusted_certificates_of_openssl_are_understood() {
    let site = Site::start();
    let trusted = |purpose: &[&str]| {
        let mut command = Command::new(psc_testkit::require("openssl"));
        command
            .args(["x509", "-trustout", "-in"])
            .arg(site.path("ca.pem"))
            .args(purpose);
        let made = run(&mut command, LIMIT).stdout;
        assert!(made.contains("BEGIN TRUSTED CERTIFICATE"), "{made}");
        let path = site.path("trusted");
        fs::write(&path, made).expect("write");
        check(&verbose_config(&site, json!({"certificate_path": path})))
    };
    for purpose in [
        &[][..],
        &["-addtrust", "serverAuth"],
        &["-addreject", "emailProtection", "-setalias", "x"],
    ] {
        let report = trusted(purpose);
        assert_eq!(
            report.code, PSC_UPDATE_AVAILABLE,
            "{purpose:?} {}",
            report.everything
        );
    }
    for purpose in [
        ["-addtrust", "emailProtection"],
        ["-addreject", "serverAuth"],
    ] {
        let report = trusted(&purpose);
        assert_eq!(
            report.code, PSC_ERR_FILE,
            "{purpose:?} {}",
            report.everything
        );
        assert!(
            report.error.contains("not trusted for servers"),
            "{}",
            report.error
        );
    }
}

/// Nobody is asked for a pass phrase, whatever file has a block that wants one.
#[test]
fn a_pass_phrase_is_never_asked_for() {
    let site = Site::start();
    let header =
        "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    fs::write(site.path("license"), "text").expect("write");
    for (key, name) in [
        ("server_public_key_path", KEYS),
        ("client_certificate_path", CLIENT),
        ("certificate_path", "ca.pem"),
        ("license_public_key_path", KEYS),
    ] {
        let pem = fs::read_to_string(site.path(name)).expect("PEM");
        for number in 0..pem.matches("-----BEGIN").count() {
            let (at, _) = pem
                .match_indices("-----BEGIN")
                .nth(number)
                .expect("a block");
            let (before, block) = pem.split_at(at);
            let path = site.path("encrypted");
            fs::write(
                &path,
                format!("{before}{}", block.replacen("-----\n", header, 1)),
            )
            .expect("write");
            let report = check(&verbose_config(
                &site,
                json!({key: path, "license_path": site.path("license")}),
            ));
            let is_refused = report.code == PSC_ERR_FILE && report.error.contains(key);
            assert!(
                is_refused || report.error.contains("is required"),
                "{key}: {}",
                report.everything
            );
            assert!(
                !report.everything.contains("phrase"),
                "{key}: {}",
                report.everything
            );
        }
    }
}

/// Ways to switch OpenSSL off for a process, as administrators do by accident.
const BROKEN: [(&str, &str); 3] = [
    (
        "the default provider off",
        "openssl_conf = o\n[o]\nproviders = p\n[p]\nlegacy = l\n[l]\nactivate = 1\n",
    ),
    (
        "FIPS without its provider",
        "openssl_conf = o\n[o]\nalg_section = a\n[a]\ndefault_properties = fips=yes\n",
    ),
    (
        "no random numbers",
        "openssl_conf = o\n[o]\nrandom = r\n[r]\nrandom = NONE\n",
    ),
];

#[test]
fn an_openssl_that_does_not_work_is_nobody_elses_fault() {
    let site = Site::start();
    let state = site.path("state");
    let named = json!({
        "server_public_key_path": site.path(KEYS),
        "client_certificate_path": site.path(CLIENT),
        "state_dir": state,
    });
    let known = check(&verbose_config(&site, named.clone()));
    assert_eq!(known.code, PSC_UPDATE_AVAILABLE, "{}", known.everything);
    let before = site.server.connections();
    let file = site.path("openssl.cnf");
    for (what, text) in BROKEN {
        fs::write(&file, text).expect("write");
        for config in [
            verbose_config(&site, named.clone()),
            merged(
                verbose_config(&site, json!({})),
                json!({"state_dir": state}),
            ),
        ] {
            let cure = cure(&config, &[], &[("OPENSSL_CONF", &file)]);
            assert_cured(
                &cure,
                &[(
                    PSC_ERR_SYSTEM,
                    &["OpenSSL in this process", "OPENSSL_CONF", "providers"],
                )],
            );
            for blamed in ["forged", "intercept", "upgrading or reinstalling"] {
                assert!(
                    !cure.everything.contains(blamed),
                    "{what}: {}",
                    cure.everything
                );
            }
            assert_eq!(
                cure.checks[0].status["verdict"], "update",
                "{what}: {}",
                cure.everything
            );
            assert_eq!(
                cure.checks[0].status["recommended_version"], "6.0.20",
                "{what}"
            );
        }
    }
    assert_eq!(site.server.connections(), before, "nothing is sent");
}

/// A genuine answer and a forged one: nobody can tell which is which.
#[test]
fn a_signature_that_cannot_be_verified_is_not_called_forged() {
    let dir = tempfile::tempdir().expect("a directory");
    let (keys, file, text) = (
        dir.path().join("keys"),
        dir.path().join("openssl.cnf"),
        dir.path().join("answer"),
    );
    fs::write(&keys, public_pem(signing_key())).expect("write");
    let config = offline_config(&keys, json!({})).to_string();
    for (what, conf) in &BROKEN[..2] {
        fs::write(&file, conf).expect("write");
        for key in [signing_key(), &rsa_key(2048)] {
            fs::write(&text, answer(key, r#"{"nonce":"n","update":0}"#)).expect("write");
            for link in LINKS {
                let mut command = Command::new(compile("c-tests/verify/verify.c", link));
                command
                    .arg(&config)
                    .arg(&text)
                    .arg("n")
                    .env("OPENSSL_CONF", &file);
                let report = report(&mut command);
                assert_eq!(report.code, PSC_ERR_SYSTEM, "{what}: {}", report.everything);
                let message = report.result["message"].as_str().expect("a message");
                assert!(
                    message.contains("OPENSSL_CONF") && !message.contains("forged"),
                    "{message}"
                );
            }
        }
    }
}
