//! Row 15: answers that are hostile or broken.

use crate::checks;
use crate::process;
use crate::server::Nginx;
use psc_refserver::{Expected, FAULTS};
use psc_testkit::{Site, long};

const SOME: [&str; 6] = [
    "forged",
    "replay",
    "huge-body",
    "json-deep-open",
    "redirect",
    "tls-wrong-host",
];

/// A kilobyte of growth is no news, a megabyte of answer kept would be.
const GROWTH_KB: i64 = 2048;

#[test]
fn hostile_answers_do_no_harm() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::started(&checks::config(&site));
    nginx.wait_for_line("no update found");
    let usual = process::memory_kb(nginx.only_worker(), "VmHWM");

    for fault in faults() {
        site.server.set_fault(&fault);
        let state = nginx.path(&format!("state-{fault}"));
        nginx
            .config
            .set_path("state_path", &state)
            .set("timeout", 5);
        let before = nginx.log_lines("Security update check failed:").len();
        nginx.reload();
        psc_testkit::wait_until(
            &format!("a failure with {fault}"),
            crate::server::SOON,
            || nginx.log_lines("Security update check failed:").len() > before,
        );
        let lines = nginx.log_lines("Security update check failed:");
        assert_eq!(lines.len(), before + 1, "{fault}: {lines:?}");
        assert!(lines[before].contains(" [error] "), "{lines:?}");
        let peak = process::memory_kb(nginx.only_worker(), "VmHWM");
        assert!(
            peak - usual < GROWTH_KB,
            "{fault}: {usual} kB became {peak} kB"
        );
        nginx.assert_no_bad_signs();
    }
    nginx.end_clean();
}

/// All of them, in the long form; those that would take their whole time limit are in `shutdown`.
fn faults() -> Vec<String> {
    if !long() {
        return SOME.iter().map(|fault| fault.to_string()).collect();
    }
    let refused = FAULTS.iter().filter(|fault| {
        !matches!(
            fault.expected,
            Expected::NoUpdate | Expected::Update | Expected::Timeout
        )
    });
    refused.map(|fault| fault.name.to_string()).collect()
}

#[test]
fn phrases_that_monitoring_greps_for() {
    let site = Site::start_with_shared_keys();
    for (fault, phrase) in [("forged", "forged signature"), ("replay", "replay")] {
        site.server.set_fault(fault);
        let nginx = Nginx::started(&checks::config(&site));
        let line = nginx.wait_for_line("Security update check failed:");
        assert!(line.contains(phrase), "{line}");
        nginx.end_clean();
    }
}
