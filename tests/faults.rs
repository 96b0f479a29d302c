//! Every fault that the reference server knows, through the C ABI: the right code, the phrases that
//! monitoring greps for, a complete result, nothing dangerous in the log.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use psc::ffi::codes::{
    PSC_ERR_HTTP, PSC_ERR_NETWORK, PSC_ERR_NONCE, PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE, PSC_ERR_TLS,
    PSC_OK, PSC_UPDATE_AVAILABLE,
};
use psc_refserver::{Expected, FAULTS, Fault};
use psc_testkit::{Check, Link, Outcome, Site, library_with_feature, long};
use serde_json::{Value, json};

/// Servers, and as many checks at once; most faults are over at once, some wait for the timeout.
const WORKERS: usize = 4;
/// The faults that never end take as long.
const TIMEOUT: Duration = Duration::from_secs(3);
/// For the others, also under valgrind: a busy machine is no fault.
const AMPLE: Duration = Duration::from_secs(120);
const HALF_A_DAY: i64 = 43_200;
const A_WEEK: i64 = 604_800;

fn config(site: &Site, timeout: Duration) -> Value {
    let seconds = timeout.as_secs();
    site.config(json!({ "timeout": seconds, "log_level": 7, "program_name": "Test Host" }))
}

/// The return codes that are right.
fn codes(expected: Expected) -> &'static [i32] {
    match expected {
        Expected::NoUpdate => &[PSC_OK],
        Expected::Update => &[PSC_UPDATE_AVAILABLE],
        Expected::Network | Expected::Timeout => &[PSC_ERR_NETWORK],
        Expected::Tls => &[PSC_ERR_TLS],
        Expected::Handshake => &[PSC_ERR_TLS, PSC_ERR_NETWORK],
        Expected::Http => &[PSC_ERR_HTTP],
        Expected::Response => &[PSC_ERR_RESPONSE],
        Expected::Transfer => &[PSC_ERR_NETWORK, PSC_ERR_HTTP, PSC_ERR_RESPONSE],
        Expected::Signature => &[PSC_ERR_SIGNATURE],
        Expected::ResponseOrSignature => &[PSC_ERR_RESPONSE, PSC_ERR_SIGNATURE],
        Expected::Nonce => &[PSC_ERR_NONCE],
        Expected::ResponseOrNonce => &[PSC_ERR_RESPONSE, PSC_ERR_NONCE],
    }
}

fn assert_outcome(fault: &Fault, outcome: &Outcome) {
    let name = fault.name;
    let code = outcome
        .code
        .unwrap_or_else(|| panic!("{name}: not configured: {}", outcome.output));
    let expected = codes(fault.expected);
    assert!(
        expected.contains(&code),
        "{name}: {code}, expected {expected:?}\n{}",
        outcome.output
    );
    assert_complete(name, code, outcome);
    assert_phrases(name, code, outcome);
    assert_schedule(fault, code, outcome);
    assert_hints(fault.name, outcome);
    assert_harmless(name, outcome);
    if fault.expected == Expected::Timeout {
        assert!(
            outcome.output.contains("timed out"),
            "{name}\n{}",
            outcome.output
        );
        assert!(
            outcome.elapsed < TIMEOUT + Duration::from_secs(3),
            "{name} took {:?}",
            outcome.elapsed
        );
    }
}

/// A failure gives as complete a result as an answer.
fn assert_complete(name: &str, code: i32, outcome: &Outcome) {
    let message = outcome
        .message
        .as_deref()
        .unwrap_or_else(|| panic!("{name}: no message"));
    let logged = outcome
        .log
        .iter()
        .filter(|(_, text)| text == message)
        .count();
    assert_eq!(
        logged, 1,
        "{name}: the result's message is the main line\n{}",
        outcome.output
    );
    // An update whose version is unusable is an update.
    assert_eq!(
        outcome.version.is_some(),
        message.contains("We strongly recommend upgrading to version"),
        "{name}\n{}",
        outcome.output
    );
    assert!(
        code == PSC_UPDATE_AVAILABLE || outcome.version.is_none(),
        "{name}\n{}",
        outcome.output
    );
    assert!(outcome.http_status.is_some(), "{name}\n{}", outcome.output);
    let is_authentic = code >= 0;
    assert!(
        is_authentic || outcome.notice.is_none(),
        "{name}: the text of an unproven answer\n{}",
        outcome.output
    );
    if is_authentic {
        assert_eq!(outcome.http_status, Some(200), "{name}");
    }
    if code == PSC_ERR_HTTP {
        assert_ne!(outcome.http_status, Some(200), "{name}\n{}", outcome.output);
    }
}

fn assert_phrases(name: &str, code: i32, outcome: &Outcome) {
    let (phrase, level) = match code {
        PSC_OK => ("no update found", 3),
        PSC_UPDATE_AVAILABLE => ("security update is available", 1),
        _ => ("Security update check failed:", 1),
    };
    let lines = outcome.log_lines(phrase);
    assert_eq!(lines.len(), 1, "{name}: {phrase}\n{}", outcome.output);
    assert_eq!(lines[0].0, level, "{name}: {phrase}\n{}", outcome.output);
    let line = &lines[0].1;
    assert!(line.contains("next check in"), "{name}: {line}");
    if code == PSC_UPDATE_AVAILABLE {
        let version = outcome.version.as_deref().unwrap_or_default();
        for part in ["6.0.10", "Test Host", version] {
            assert!(line.contains(part), "{name}: {part} is missing: {line}");
        }
    }
    assert_eq!(
        line.contains("forged signature"),
        code == PSC_ERR_SIGNATURE,
        "{name}: {line}"
    );
    assert_eq!(
        line.contains("replay"),
        code == PSC_ERR_NONCE,
        "{name}: {line}"
    );
    for (level, text) in outcome.log_lines("Additional security update check information:") {
        assert_eq!(*level, 1, "{name}: {text}");
        assert!(
            text.starts_with("Additional security update check information:"),
            "{name}: {text}"
        );
    }
}

/// What the schedule must make of a fault (docs/protocol.md, When the next check is due), in seconds, jitter included.
fn expected_wait(fault: &Fault, code: i32, outcome: &Outcome) -> std::ops::RangeInclusive<i64> {
    const INTERVAL: std::ops::RangeInclusive<i64> = 86_400..=95_040;
    match fault.name {
        "retry-after-seconds" | "retry-after-429" => 7_200..=7_920,
        // No server answered, whichever words libcurl has for it.
        "handshake-reset" | "handshake-close" => 600..=660,
        "retry-after-zero" => 600..=660,
        "retry-after-huge" | "retry-after-date" | "retry-after-year-9999" => A_WEEK..=A_WEEK,
        "backoff-60" => 81_000..=99_000,
        "backoff-minus-60" => 74_520..=91_080,
        "backoff-minus-1440"
        | "backoff-minus-1441"
        | "backoff-minus-2000"
        | "backoff-minus-2-31-plus-1"
        | "backoff-minus-2-63" => HALF_A_DAY..=47_520,
        "backoff-35791395" | "backoff-1e9" | "backoff-2-31-minus-1" | "backoff-2-31" => {
            544_320..=A_WEEK
        }
        _ => match code {
            // The default interval of a day and no backoff.
            PSC_OK | PSC_UPDATE_AVAILABLE => 77_760..=95_040,
            PSC_ERR_NETWORK if outcome.output.contains("timed out") => 600..=660,
            PSC_ERR_NETWORK if fault.expected == Expected::Handshake => 600..=660,
            _ => INTERVAL,
        },
    }
}

fn assert_schedule(fault: &Fault, code: i32, outcome: &Outcome) {
    let next = outcome
        .next_check
        .unwrap_or_else(|| panic!("{}: no next check", fault.name));
    let expected = expected_wait(fault, code, outcome);
    assert!(
        expected.contains(&next),
        "{}: next check in {next} s, expected {expected:?}\n{}",
        fault.name,
        outcome.output
    );
}

/// What an administrator is told about a fault, beyond the phrase of its kind.
///
/// A refusal for another reason than the fault's would prove nothing.
const HINTS: &[(&str, &str)] = &[
    ("tls-not-yet-valid", "is not valid yet ("),
    ("tls-not-yet-valid", "check the clock"),
    ("tls-expired", "has expired ("),
    ("tls-expired", "check the clock"),
    ("tls-unknown-ca", "not signed by a trusted authority"),
    ("tls-unknown-ca", "certificate_path"),
    ("tls-unknown-ca", "check the truststore"),
    ("tls-expired", "truststore"),
    ("tls-wrong-host", "truststore"),
    ("tls-sha1-chain", "the operator of that server must act"),
    ("tls-self-signed", "not signed by a trusted authority"),
    (
        "tls-missing-intermediate",
        "not signed by a trusted authority",
    ),
    ("tls-ca-false-issuer", "cannot be verified"),
    ("tls-name-constraint", "cannot be verified"),
    ("tls-eku-client-only", "cannot be verified"),
    ("tls-wrong-host", "not for the host name"),
    ("tls-cn-only", "not for the host name"),
    ("tls-mail-name-only", "not for the host name"),
    ("tls-weak-rsa", "too weak ("),
    ("tls-sha1-chain", "too weak ("),
    ("tls-11-only", "TLS 1.2 or newer is needed"),
    ("tls-demand-client-cert", "refused the client certificate"),
    ("tls-demand-client-cert", "try upgrading or reinstalling"),
    ("tls-ocsp-revoked", "has been revoked"),
    ("tls-ocsp-revoked-sha256", "has been revoked"),
    ("tls-must-staple", "lacks the proof"),
    ("tls-must-staple-forged", "lacks the proof"),
    ("tls-must-staple-outdated", "lacks the proof"),
    ("handshake-reset", "broke off in the TLS handshake"),
    ("handshake-close", "broke off in the TLS handshake"),
    ("reset-in-body", "broke off"),
    ("truncated", "broke off"),
    ("body-too-large", "larger than 262144 bytes"),
    ("huge-header", "larger than"),
    ("redirect", "a redirect, which is never followed"),
    ("status-400", "does not accept the request"),
    ("status-403", "check client_certificate_path"),
    ("status-400-certificate", "wants another client certificate"),
    ("status-400-certificate", "try upgrading or reinstalling"),
    ("status-404", "HTTP 404: not found"),
    ("status-404", "no check at this address"),
    ("status-407", "or a gateway before it, wants a proxy's"),
    ("status-429", "HTTP 429: a rate limit"),
    ("status-429", "try again later"),
    ("status-500", "HTTP 500: "),
    ("status-500", "has a problem"),
    ("status-503", "try again later"),
    ("status-511", "captive portal"),
    ("gzip", "the answer is compressed (gzip)"),
    ("gzip", "nobody asked for that"),
    ("gzip-unsaid", "the answer is compressed (gzip)"),
    ("brotli", "the answer is compressed (br)"),
    ("captive-portal", "login page"),
    ("version-equal", "not newer"),
    ("log-long", "(1960 more lines are not logged)"),
    ("version-lower", "not newer"),
    ("log-number", "log is not a string: ignored"),
    ("backoff-string", "backoff is not an integer: ignored"),
    // What is signed is shown also when it cannot be used, and nothing on the way is blamed for it.
    ("nonce-other", "received: signed by key SHA256:"),
    ("nonce-other", "received: nonce: "),
    ("request-sha256-wrong", "received: signed by key SHA256:"),
    ("request-sha256-wrong", "received: request_sha256: "),
    ("version-missing", "received: signed by key SHA256:"),
    ("version-missing", "received: update: 1"),
    ("version-missing", "none is known yet"),
    ("version-empty", "none is known yet"),
    ("version-newline", r"6.0.20\u{a}forged\u{20}record"),
    ("version-10kb", "[cut]"),
    ("version-number", "unusable: \"6\""),
    (
        "version-lower",
        "We strongly recommend upgrading to version 0.0.1",
    ),
    ("update-true", "has signed this: its operator must act"),
    ("base64-not", "has signed this: its operator must act"),
    // The words that administrators of Passenger know.
    ("data-missing", "missing response fields"),
    ("signature-number", "missing response fields"),
    ("update-missing", "missing data fields"),
    ("update-true", "missing data fields"),
    ("nonce-missing", "missing data fields"),
    ("base64-signature-newline", "corrupted signature"),
    ("forged", "untrusted or forged signature"),
    ("replay", "possible replay attack"),
    ("nonce-other", "possible replay attack"),
    ("request-sha256-wrong", "possible replay attack"),
];

fn assert_hints(name: &str, outcome: &Outcome) {
    for (_, hint) in HINTS.iter().filter(|(fault, _)| *fault == name) {
        assert!(
            outcome.output.contains(hint) || !outcome.log_lines(hint).is_empty(),
            "{name}: {hint} is missing\n{}",
            outcome.output
        );
    }
    let lines = outcome.log_lines("Additional security update check information:");
    assert!(lines.len() <= 41, "{name}: {} lines", lines.len());
    if name.starts_with("log-") && outcome.notice.is_some() {
        assert!(!lines.is_empty(), "{name}: the server's text is not logged");
    }
}

#[test]
fn every_hint_is_one_of_a_fault() {
    for (name, _) in HINTS {
        assert!(
            psc_refserver::FAULTS
                .iter()
                .any(|fault| fault.name == *name),
            "{name}"
        );
    }
}

/// check.c itself refuses control characters. The others that can deceive a reader are escaped too,
/// and lines are cut.
fn assert_harmless(name: &str, outcome: &Outcome) {
    let deceiving = |character: char| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    for (_, line) in &outcome.log {
        assert!(!line.chars().any(deceiving), "{name}: {line}");
        assert!(line.len() <= 1900, "{name}: a line of {} bytes", line.len());
    }
    assert!(!outcome.output.contains("PRIVATE KEY"), "{name}");
}

/// All faults with every way to run the program, spread over a few servers.
fn run_all(faults: Vec<&'static Fault>, ways: &[Check]) {
    let queue = Mutex::new(faults);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let site = Site::start();
                // For the faults that replay an earlier answer.
                ways[0].run(&config(&site, AMPLE));
                while let Some(fault) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
                    site.server.set_fault(fault.name);
                    let timeout = match fault.expected {
                        Expected::Timeout => TIMEOUT,
                        _ => AMPLE,
                    };
                    for way in ways {
                        let tried = std::panic::catch_unwind(|| {
                            assert_outcome(fault, &way.run(&config(&site, timeout)))
                        });
                        if tried.is_err() {
                            failures
                                .lock()
                                .expect("the list")
                                .push(format!("{} {way:?}", fault.name));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("the list");
    assert!(
        failures.is_empty(),
        "{} failed, see above:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn the_matrix_has_its_rows() {
    assert!(FAULTS.len() >= 100, "only {} faults", FAULTS.len());
    for kind in [
        Expected::Tls,
        Expected::Http,
        Expected::Response,
        Expected::Signature,
        Expected::Nonce,
        Expected::Update,
    ] {
        assert!(
            FAULTS.iter().any(|fault| fault.expected == kind),
            "no fault for {kind:?}"
        );
    }
}

#[test]
fn every_fault_gets_its_verdict() {
    let ways = [Check::new(Link::Shared), Check::new(Link::Static)];
    run_all(FAULTS.iter().collect(), &ways);
}

/// libcurl's codes and words are not those of the system's libcurl. All faults with `make check-long`.
#[test]
fn a_libcurl_of_psc_s_own_changes_no_verdict() {
    let chosen = FAULTS
        .iter()
        .filter(|fault| {
            let ends_in_libcurl = matches!(
                fault.expected,
                Expected::Tls | Expected::Handshake | Expected::Network | Expected::Transfer
            );
            long() || ends_in_libcurl || HINTS.iter().any(|(name, _)| *name == fault.name)
        })
        .collect();
    let library = library_with_feature("static-curl");
    let ways = [Check::new(Link::Shared).with_library(library)];
    run_all(chosen, &ways);
}

/// A sample, and all of them with `make check-long`: memcheck is slow.
#[test]
fn faults_are_clean_under_valgrind() {
    let sample = [
        "update",
        "no-update",
        "signature-other-key",
        "replay",
        "body-empty",
        "tls-expired",
        "status-503",
        "json-deep-arrays",
        "body-too-large",
        "update-array",
        "log-escape",
        "truncated",
        "reset-in-body",
    ];
    let chosen: Vec<&Fault> = FAULTS
        .iter()
        .filter(|fault| long() || sample.contains(&fault.name))
        .filter(|fault| fault.expected != Expected::Timeout)
        .collect();
    assert!(
        long() || chosen.len() == sample.len(),
        "the sample names unknown faults: {}",
        chosen.len()
    );
    run_all(chosen, &[Check::new(Link::Shared).valgrind()]);
}
