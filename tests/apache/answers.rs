//! Answers from outside, in httpd's error log.

use psc_testkit::{demo, long, wait_until};

use crate::apache::{Apache, Mpm, SOON, bytes};
use crate::proc;

const TEXT: &str = "Additional security update check information:";

/// Restarts so that the fault is met, and returns the lines of the check.
fn lines_of_check(site: &mut Apache) -> Vec<String> {
    site.assert_clean_log();
    std::fs::write(site.path("error.log"), "").expect("an empty log");
    site.forget();
    site.again("graceful");
    // The text of the check before may still be on its way.
    wait_until("the verdict", SOON, || {
        let mut lines = site.psc_lines().into_iter();
        lines.any(|line| line.contains("ecurity update") && !line.contains(TEXT))
    });
    site.psc_lines()
}

#[test]
fn the_demo_shows_every_verdict() {
    demo(
        "examples-c/apache/demo.sh",
        &[
            "[psc:info]",
            "no update found",
            "security update is available",
            "forged signature",
            "\"verdict\":\"ok\"",
            "PscSecurityUpdateCheck: {",
            "saw: 3",
        ],
    );
}

#[test]
fn an_update_is_an_error_line_with_the_text() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.version = "6.0.10".into();
        site.start();
        let line = site.wait_for_line("security update is available");
        for part in ["[psc:error]", "6.0.10", "6.0.20", "Phusion Passenger(R)"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        let text = site.wait_for_line(TEXT);
        assert!(text.contains("[psc:error]"), "{text}");
        site.finish();
    }
}

#[test]
fn hostile_text_stays_inside_its_lines() {
    let mut site = Apache::new(Mpm::Event);
    site.version = "6.0.10".into();
    let text = "first\\nsecond\\r\\n[Mon Jan 01 00:00:00 2026] [core:error] forged line\\u001b[31m\\u0000\\u0007";
    let long_text = "y".repeat(100_000);
    let advisory = |text: &str| {
        format!(
            r#"{{"latest":"6.0.20","advisories":[{{"affected":"<6.0.18","fixed_in":"6.0.18",
                "identifiers":["CVE-2025-1234"],"text":"{text}","severity":"high","url":"https://example.org/"}}]}}"#
        )
    };
    site.check.set_advisories(&advisory(text));
    site.start();
    site.wait_for_lines(TEXT, 3);
    let log = bytes(&site.path("error.log"));
    let control = log
        .iter()
        .filter(|&&byte| byte != b'\n' && (byte < 0x20 || byte == 0x7f))
        .count();
    assert_eq!(control, 0, "{}", site.log());
    for line in site.log().lines() {
        assert!(!line.starts_with("[Mon Jan 01"), "{line}");
    }
    assert!(site.wait_for_line("forged line").contains(TEXT));

    site.check.set_advisories(&advisory(&long_text));
    lines_of_check(&mut site);
    site.wait_for_line("yyyy");
    let size: usize = site.psc_lines().iter().map(String::len).sum();
    assert!(size < 120_000, "{size} bytes for one answer");
    site.finish();
}

#[test]
fn whatever_answers_one_line_and_no_harm() {
    let quick = [
        "huge-body",
        "json-deep-open",
        "garbage",
        "redirect",
        "tls-wrong-host",
    ];
    let faults: Vec<&str> = if long() {
        let named = psc_refserver::FAULTS.iter().map(|fault| fault.name);
        named.collect()
    } else {
        quick.to_vec()
    };
    let mut site = Apache::new(Mpm::Event);
    site.extra = "PscSecurityUpdateCheckTimeout 5\n".into();
    site.start();
    site.wait_for_line("no update found");
    let harmless = proc::resident(site.owner());
    for fault in faults {
        site.check.set_fault(fault);
        let lines = lines_of_check(&mut site);
        let children = site.children();
        // A child that becomes the owner while the others leave repeats what is known, as at any start.
        let verdicts = lines
            .iter()
            .filter(|line| !line.contains(TEXT) && !line.contains("known for"))
            .count();
        assert_eq!(verdicts, 1, "{fault}: {lines:?}");
        let owner = site.owner();
        let grown = proc::resident(owner).saturating_sub(harmless);
        assert!(
            grown < 2048,
            "{fault}: {grown} KiB more than after a good answer"
        );
        assert_eq!(site.children(), children, "{fault}: nobody died");
    }
    site.finish();
}

#[test]
fn forged_and_replayed_answers_are_named() {
    let mut site = Apache::new(Mpm::Event);
    site.version = "6.0.10".into();
    site.check.set_fault("forged");
    site.start();
    let line = site.wait_for_line("Security update check failed:");
    assert!(
        line.contains("forged signature") && line.contains("[psc:error]"),
        "{line}"
    );
    site.check.set_fault("replay");
    let lines = lines_of_check(&mut site);
    assert!(
        lines.iter().any(|line| line.contains("replay")),
        "{lines:?}"
    );
    site.finish();
}
