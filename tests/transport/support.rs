//! What these tests share: checks, and what becomes of them.

use psc::ffi::codes::PSC_UPDATE_AVAILABLE;
use psc_testkit::{Check, Link, Outcome, library_with_feature};
use serde_json::Value;

pub fn check(config: &Value) -> Outcome {
    // The matrix of faults runs with both ways to link; most of these need one.
    Check::new(Link::Static).run(config)
}

/// With the system's libcurl, and with a newer one that has other codes and words.
pub fn both_libcurls() -> [Check; 2] {
    let newer = library_with_feature("static-curl");
    let check = Check::new(Link::Shared);
    [check.clone(), check.with_library(newer)]
}

pub fn assert_update(outcome: &Outcome) {
    assert_eq!(
        outcome.code,
        Some(PSC_UPDATE_AVAILABLE),
        "{}",
        outcome.output
    );
}

/// A failure that says so once, completely, with an advice and a time.
pub fn assert_failed(outcome: &Outcome, code: i32, phrases: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.output);
    let lines = outcome.log_lines("Security update check failed:");
    assert_eq!(lines.len(), 1, "{}", outcome.output);
    assert_eq!(lines[0].0, 1, "{}", outcome.output);
    assert!(lines[0].1.contains("next check in"), "{}", outcome.output);
    assert!(
        outcome.next_check.is_some_and(|seconds| seconds > 0),
        "{}",
        outcome.output
    );
    for phrase in phrases {
        assert!(
            lines[0].1.contains(phrase),
            "{phrase} is missing: {}",
            outcome.output
        );
    }
}
