//! What is remembered: an update that is known is repeated, also offline, and believed only with its signature.

use crate::clock::{Clock, DAY};
use crate::host::{Host, with_state};
use crate::support::{assert_one_request, up_to_date};
use psc::ffi::codes::PSC_ERR_HTTP;
use psc_testkit::{Site, private_dir, write_private};
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use tempfile::TempDir;

const UPDATE: &str = "security update is available";

/// Nobody listens there.
fn offline() -> Value {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    json!({ "url": format!("https://127.0.0.1:{port}/") })
}

/// A host that learned of an update, and left.
fn informed(site: &Site, clock: &Clock) -> (TempDir, Value) {
    let state = private_dir();
    let config = with_state(&site.config(json!({})), state.path());
    let mut host = Host::with(clock.command(), &config);
    host.start();
    assert_eq!(host.expect_log(UPDATE).0, 1);
    host.wait_for_rest();
    // What was said just now needs no reminder.
    let records = host.quit();
    let said = records.iter().filter(|(_, text)| text.contains(UPDATE));
    assert_eq!(said.count(), 1, "{records:#?}");
    assert_one_request(site);
    (state, config)
}

fn restarted(config: &Value, clock: &Clock) -> Host {
    let mut host = Host::with(clock.command(), config);
    host.configure(&offline());
    host.start();
    host
}

#[test]
fn a_known_update_is_repeated_at_start_and_once_a_day_also_offline() {
    let site = Site::start();
    let mut clock = Clock::new();
    let (_state, config) = informed(&site, &clock);
    let mut host = restarted(&config, &clock);
    let record = host.expect_log(UPDATE);
    assert_eq!(record.0, 1);
    for part in ["6.0.10", "6.0.20", "Phusion Passenger(R)", "(known for "] {
        assert!(record.1.contains(part), "{}", record.1);
    }
    host.expect_log("Additional security update check information:");
    for day in 2..=4 {
        clock.pass(DAY + 60);
        host.expect_log_times(UPDATE, day);
        host.wait_for_rest();
        assert_eq!(host.log_lines(UPDATE).len(), day, "once a day");
    }
    assert_eq!(host.status()["verdict"], "update");
    assert_one_request(&site);
}

/// As results, too, with for how long it has been known; whichever thread the schedule runs in.
#[test]
fn a_known_update_is_handed_over_each_time() {
    let site = Site::start();
    for by_run in [false, true] {
        let mut clock = Clock::new();
        let state = private_dir();
        let config = with_state(&site.config(json!({})), state.path());
        let command = |clock: &Clock| {
            let mut command = clock.command();
            command.envs(by_run.then_some(("PSC_TEST_RUN", "1")));
            command
        };
        let mut host = Host::with(command(&clock), &config);
        host.start();
        let first = host.expect_updates(1);
        assert_eq!((&first["code"], &first["age"]), (&json!(1), &json!(0)));
        assert_eq!(first["http_status"], 200);
        host.quit();

        clock.pass(3600);
        let mut host = Host::with(command(&clock), &config);
        host.configure(&offline());
        host.start();
        for (number, least) in [(1, 3600), (2, DAY + 3600)] {
            let repeated = host.expect_updates(number);
            let age = repeated["age"].as_i64().unwrap();
            assert!((least..least + 600).contains(&age), "{repeated}");
            for name in ["recommended_version", "notice", "key_fingerprint"] {
                assert_eq!(repeated[name], first[name], "{name}");
            }
            assert_eq!(
                (&repeated["http_status"], &repeated["nonce"]),
                (&json!(0), &Value::Null)
            );
            let message = repeated["message"].as_str().unwrap();
            assert!(message.contains("(known for "), "{message}");
            assert_eq!(host.log_lines(message).len(), 1);
            clock.pass(DAY + 60);
        }
    }
}

/// A new generation of workers has the old one's records in the same log.
#[test]
fn a_known_update_is_not_repeated_by_who_follows_the_owner() {
    let site = Site::start();
    let mut clock = Clock::new();
    let (_state, config) = informed(&site, &clock);
    let mut first = restarted(&config, &clock);
    first.expect_log(UPDATE);
    let mut second = restarted(&config, &clock);
    // It looks, and finds the owner.
    second.wait_for_rest();
    first.quit();
    clock.pass(100);
    second.wait_for_status("ownership", |status| status["owner"] == true);
    assert_eq!(second.log_lines(UPDATE).len(), 0);
    clock.pass(DAY + 60);
    second.expect_log(UPDATE);
    assert_eq!(second.log_lines(UPDATE).len(), 1);
}

#[test]
fn a_known_update_is_forgotten_when_another_version_runs() {
    let site = Site::start();
    let clock = Clock::new();
    let (_state, mut config) = informed(&site, &clock);
    config["passenger_version"] = json!("6.0.20");
    let mut host = restarted(&config, &clock);
    host.wait_for_status("ownership", |status| status["owner"] == true);
    host.wait_for_rest();
    assert_eq!(host.status()["verdict"], "never_checked");
    assert_eq!(host.log_lines(UPDATE).len(), 0);
}

fn rewrite(state: &Path, change: impl FnOnce(&mut Value)) {
    let path = state.join("state.json");
    let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    fs::write(&path, record.to_string()).unwrap();
}

/// A machine without a clock of its own starts in the past, where it cannot ask either.
#[test]
fn a_known_update_survives_a_boot_with_a_wrong_clock() {
    const YEARS: i64 = 3 * 365 * DAY;
    let site = Site::start();
    let mut clock = Clock::new();
    let (state, config) = informed(&site, &clock);
    let boot = |id: &str| rewrite(state.path(), |record| record["boot_id"] = json!(id));

    boot("with a wrong clock");
    clock.set_calendar(-YEARS);
    let mut host = restarted(&config, &clock);
    host.expect_log(UPDATE);
    host.expect_log("Security update check failed:");
    assert_eq!(host.status()["verdict"], "update");
    let warnings = host.log_lines("the state in ");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let expected = "is dated in the future; it is replaced";
    assert!(warnings[0].1.ends_with(expected), "{warnings:?}");
    host.quit();

    boot("with the right one");
    clock.set_calendar(YEARS + DAY);
    let mut host = restarted(&config, &clock);
    host.expect_log(UPDATE);
    let status = host.status();
    assert_eq!(status["verdict"], "update");
    let age = status["age"].as_i64();
    assert!(
        age.is_some_and(|age| (DAY..2 * DAY).contains(&age)),
        "{status}"
    );
    assert_eq!(host.log_lines("the state in ").len(), 0);
    assert_one_request(&site);
}

/// That all is well is not believed of a time that is to come.
#[test]
fn no_update_that_is_dated_in_the_future_is_forgotten() {
    let site = Site::start();
    let mut clock = Clock::new();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = Host::with(clock.command(), &config);
    assert_eq!(host.run(), 0);
    host.quit();
    rewrite(state.path(), |record| record["boot_id"] = json!("another"));
    clock.set_calendar(-365 * DAY);
    let mut host = restarted(&config, &clock);
    host.expect_log("Security update check failed:");
    assert_eq!(host.status()["verdict"], "never_checked");
}

fn flip_first_letter(text: &mut Value) {
    let flipped = text.as_str().unwrap();
    let first = if flipped.starts_with('e') { 'f' } else { 'e' };
    *text = json!(format!("{first}{}", &flipped[1..]));
}

#[test]
fn a_stored_answer_that_was_tampered_with_is_not_believed() {
    let changes: [fn(&mut Value); 4] = [
        |record| flip_first_letter(&mut record["authentic"]["data"]),
        |record| flip_first_letter(&mut record["authentic"]["signature"]),
        |record| record["authentic"]["nonce"] = json!("1 of another request"),
        |record| record["authentic"]["signature"] = json!(""),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let site = Site::start();
        let clock = Clock::new();
        let (state, config) = informed(&site, &clock);
        rewrite(state.path(), change);
        let mut host = restarted(&config, &clock);
        host.wait_for_status("ownership", |status| status["owner"] == true);
        host.wait_for_rest();
        assert_eq!(host.status()["verdict"], "never_checked", "change {index}");
        assert_eq!(host.log_lines(UPDATE).len(), 0, "change {index}");
        assert_one_request(&site);
    }
}

/// The time of its making is signed.
#[test]
fn an_old_answer_is_not_shown_as_a_new_one() {
    let site = Site::start();
    let mut clock = Clock::new();
    let state = private_dir();
    let config = with_state(&up_to_date(&site, json!({})), state.path());
    let mut host = Host::with(clock.command(), &config);
    assert_eq!(host.run(), 0);
    clock.pass(30 * DAY);
    let status = host.status();
    let now = |status: &Value| status["since"].as_i64().unwrap() + status["age"].as_i64().unwrap();
    let wall = now(&status);
    rewrite(state.path(), |record| {
        for moment in ["since", "authentic"] {
            let at = if moment == "since" {
                &mut record["since"]
            } else {
                &mut record["authentic"]["at"]
            };
            let boot = at["boot"].as_i64().unwrap() + 30 * DAY;
            *at = json!({ "boot": boot, "wall": wall });
        }
    });
    let status = Host::with(clock.command(), &config).status();
    assert_eq!(status["verdict"], "stale", "{status}");
    assert!(status["age"].as_i64().unwrap() >= 30 * DAY, "{status}");
}

/// The answer is genuine, bound to its request, and about another version. Nothing in the file says what was asked but what
/// is rebuilt from the configuration.
#[test]
fn an_answer_to_another_request_is_not_believed() {
    let site = Site::start();
    let clock = Clock::new();
    let (new, old) = (private_dir(), private_dir());
    let bound = json!({ "require_request_binding": true, "passenger_version": "99.0.0" });
    let mut host = Host::with(
        clock.command(),
        &with_state(&site.config(bound), new.path()),
    );
    assert_eq!(host.run(), 0);
    let file = fs::read(new.path().join("state.json")).unwrap();
    let answer: Value = serde_json::from_slice(&file).unwrap();
    let vulnerable = site.config(json!({ "require_request_binding": true }));
    let vulnerable = with_state(&vulnerable, old.path());
    let mut host = Host::with(clock.command(), &vulnerable);
    assert_eq!(host.run(), 1);
    rewrite(old.path(), |record| {
        record["authentic"] = answer["authentic"].clone();
        record["authentic"]["running_version"] = json!("6.0.10");
    });
    let status = Host::with(clock.command(), &vulnerable).status();
    assert_eq!(status["verdict"], "never_checked", "{status}");
}

/// What does not belong to the question may change: the request is made again as it was.
#[test]
fn a_bound_answer_outlives_another_web_server_and_a_restart_with_a_license() {
    let site = Site::start();
    let clock = Clock::new();
    let (plain, licensed) = (private_dir(), private_dir());
    let file = plain.path().join("license.txt");
    write_private(&file, b"a license");
    let license = json!({
        "license_path": file,
        "license_public_key_path": site.path("license_pubkey.pem"),
    });
    for (state, more) in [(plain.path(), json!({})), (licensed.path(), license)] {
        let mut config = with_state(&up_to_date(&site, more), state);
        config["require_request_binding"] = json!(true);
        config["web_server_version"] = json!("1.22.1");
        let mut host = Host::with(clock.command(), &config);
        assert_eq!(host.run(), 0);
        config["web_server_version"] = json!("1.30.0");
        let status = Host::with(clock.command(), &config).status();
        assert_eq!(status["verdict"], "ok", "{status}");
    }
}

#[test]
fn a_long_silence_is_one_warning() {
    let site = Site::start();
    let mut clock = Clock::new();
    let mut config = up_to_date(&site, offline());
    config["log_level"] = json!(4);
    let mut host = Host::with(clock.command(), &config);
    host.start();
    host.expect_log("Security update check failed:");
    for _ in 0..7 {
        clock.pass(DAY + 60);
        let mut passed = 0;
        host.wait_for_status("a check of that day", |status| {
            passed = status["next_check"].as_i64().unwrap_or(0);
            passed > 0
        });
    }
    let warning = host.expect_log("no authentic answer");
    assert_eq!(warning.0, 1);
    for _ in 0..8 {
        clock.pass(DAY + 60);
        host.next_check();
    }
    assert_eq!(host.log_lines("no authentic answer").len(), 1);
    assert_eq!(host.status()["verdict"], "stale");

    // The next silence is another one.
    host.configure(&json!({ "url": site.server.url() }));
    assert_eq!(host.run(), 0);
    assert_eq!(host.status()["verdict"], "ok");
    host.configure(&offline());
    for _ in 0..9 {
        clock.pass(DAY + 60);
        host.next_check();
    }
    host.expect_log_times("no authentic answer", 2);
}

/// psc_status says so until an authentic answer comes; what goes wrong otherwise does not take it back.
#[test]
fn answers_that_cannot_be_trusted_are_told() {
    let site = Site::start();
    let mut host = Host::new(&up_to_date(&site, json!({})));
    assert_eq!(host.run(), 0);
    for (fault, code) in [("forged", -12), ("replay", -13)] {
        site.server.set_fault(fault);
        assert_eq!(host.run(), code);
        let since = host.status()["untrusted_since"].clone();
        assert!(since.is_i64(), "{since}");
        site.server.set_fault("status-500");
        assert_eq!(host.run(), PSC_ERR_HTTP);
        let status = host.status();
        assert_eq!(status["verdict"], "untrusted", "{status}");
        assert_eq!(
            (&status["since"], &status["untrusted_since"]),
            (&since, &since)
        );
        site.server.set_fault("");
        assert_eq!(host.run(), 0);
        let status = host.status();
        assert_eq!(status["verdict"], "ok", "{status}");
        assert_eq!(status["untrusted_since"], Value::Null);
    }
    // An update that is known is worth more.
    host.configure(&json!({ "passenger_version": "6.0.10" }));
    assert_eq!(host.run(), 1);
    site.server.set_fault("forged");
    assert_eq!(host.run(), -12);
    let status = host.status();
    assert_eq!(status["verdict"], "update", "{status}");
    assert!(status["untrusted_since"].is_i64(), "{status}");
}
