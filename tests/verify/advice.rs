//! What changes by itself with time or environment fails each check with its reason until it is cured, and no configuration.

use crate::support::{
    LIMIT, answer, check, offline_config, public_pem, report, rsa_key, signing_key, verbose_config,
};
use psc::ffi::codes::{PSC_ERR_FILE, PSC_ERR_SYSTEM, PSC_ERR_TLS, PSC_OK, PSC_UPDATE_AVAILABLE};
use psc_testkit::printed::{LogLine, Printed, log_line, objects};
use psc_testkit::{LINKS, Link, Site, compile, merged, run, self_signed};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What c-tests/verify/recheck.c printed.
struct Rechecked {
    configured: i32,
    /// Of psc_configure.
    error: String,
    checks: Vec<Checked>,
    /// Of level 2, before the first check.
    warnings: Vec<String>,
    everything: String,
}

struct Checked {
    code: i32,
    /// The lines since the check before.
    log: Vec<LogLine>,
    status: Value,
}

impl Checked {
    /// `part` may begin with the level.
    fn said(&self, part: &str) -> bool {
        let mut lines = self.log.iter();
        lines.any(|(level, message)| format!("{level} {message}").contains(part))
    }
}

/// Checks, and does so again after each of these shell commands.
fn recheck(config: &Value, commands: &[String], environment: &[(&str, &Path)]) -> Rechecked {
    let mut command = Command::new(compile("c-tests/verify/recheck.c", Link::Shared));
    command.arg(config.to_string()).args(commands);
    command
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSL_CERT_DIR");
    for (name, value) in environment {
        command.env(name, value);
    }
    let done = run(&mut command, LIMIT);
    let printed = Printed::parse(&done.stdout);
    let everything = printed.text.clone() + &done.stderr;
    assert_eq!(done.code, Some(0), "{everything}");
    assert!(!done.stderr.contains("phrase"), "it asked: {}", done.stderr);
    let mut rechecked = Rechecked {
        configured: printed.number_of("configured").expect("a code"),
        error: printed.text_of("error").expect("a text"),
        checks: Vec::new(),
        warnings: Vec::new(),
        everything,
    };
    let mut log = Vec::new();
    for object in objects(&done.stdout) {
        if let Some((level, message)) = log_line(&object) {
            if rechecked.checks.is_empty() && level == 2 {
                rechecked.warnings.push(message.clone());
            }
            log.push((level, message));
        } else if let Some(code) = object.get("code") {
            rechecked.checks.push(Checked {
                code: i32::try_from(code.as_i64().expect("a code")).expect("a code"),
                log: std::mem::take(&mut log),
                status: Value::Null,
            });
        } else if let Some(status) = object.get("status") {
            rechecked.checks.last_mut().expect("a check").status = status.clone();
        }
    }
    rechecked
}

/// A check for each code, with the words of its failure; the configuration is accepted with one warning, or none.
fn assert_checks(rechecked: &Rechecked, expected: &[(i32, &[&str])]) {
    assert_eq!(
        (rechecked.configured, rechecked.error.as_str()),
        (PSC_OK, ""),
        "{}",
        rechecked.everything
    );
    let codes: Vec<i32> = rechecked.checks.iter().map(|check| check.code).collect();
    let expected_codes: Vec<i32> = expected.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, expected_codes, "{}", rechecked.everything);
    for (check, (_, words)) in rechecked.checks.iter().zip(expected) {
        for word in *words {
            assert!(check.said(word), "{word:?} is missing in {:?}", check.log);
        }
    }
}

fn warned_once(rechecked: &Rechecked, words: &[&str]) {
    assert_eq!(rechecked.warnings.len(), 1, "{}", rechecked.everything);
    for word in words {
        assert!(
            rechecked.warnings[0].contains(word),
            "{word:?} is missing in {:?}",
            rechecked.warnings
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
    let rechecked = recheck(&verbose_config(&site, json!({})), &come, &[]);
    warned_once(
        &rechecked,
        &[
            "each check will fail until this is cured",
            KEYS,
            "No such file",
            CLIENT,
            "no readable PEM certificate",
        ],
    );
    assert_checks(
        &rechecked,
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
    assert_eq!(rechecked.checks[0].status["verdict"], "never_checked");
    assert_eq!(rechecked.checks[2].status["verdict"], "update");
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
            let rechecked = recheck(&verbose_config(&site, more), &come, &[]);
            warned_once(&rechecked, &[words, "of the vendor"]);
            let words = [
                words,
                file.to_str().expect("a path"),
                "try upgrading or reinstalling",
                "check the clock",
            ];
            assert_checks(
                &rechecked,
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
        let rechecked = recheck(&config, &commands, environment);
        assert_eq!(rechecked.warnings, [] as [&str; 0]);
        assert_checks(
            &rechecked,
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
        let named_again = rechecked.checks[3..]
            .iter()
            .any(|check| check.said("passed over"));
        assert!(!named_again, "{}", rechecked.everything);
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
    assert_checks(&recheck(&config, &come, &both), &[untrusted, trusted]);
    assert_checks(&recheck(&config, &[], &both[1..]), &[trusted]);
    fs::remove_file(&name).expect("it is there");
    assert_checks(&recheck(&config, &[], &both[..1]), &[untrusted]);
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
    let rechecked = recheck(
        &verbose_config(&site, json!({"certificate_path": bundle})),
        &[],
        &[],
    );
    warned_once(&rechecked, &["block 1 (line 1), is encrypted", "bundle"]);
    assert_checks(&rechecked, &[(PSC_UPDATE_AVAILABLE, &[])]);
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
            let rechecked = recheck(&config, &[], &[("OPENSSL_CONF", &file)]);
            assert_checks(
                &rechecked,
                &[(
                    PSC_ERR_SYSTEM,
                    &["OpenSSL in this process", "OPENSSL_CONF", "providers"],
                )],
            );
            for blamed in ["forged", "intercept", "upgrading or reinstalling"] {
                assert!(
                    !rechecked.everything.contains(blamed),
                    "{what}: {}",
                    rechecked.everything
                );
            }
            assert_eq!(
                rechecked.checks[0].status["verdict"], "update",
                "{what}: {}",
                rechecked.everything
            );
            assert_eq!(
                rechecked.checks[0].status["recommended_version"], "6.0.20",
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
