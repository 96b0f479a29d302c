//! Request binding: what a party beyond TLS cannot do.

use crate::relay::{Relay, Rewrite};
use crate::support::{Report, check, verbose_config};
use psc::ffi::codes::{PSC_ERR_NONCE, PSC_OK, PSC_UPDATE_AVAILABLE};
use psc_testkit::Site;
use serde_json::{Value, json};

/// The newest version, for which the server's honest answer is "no update".
const NEWEST: &str = "99.0.0";

fn pretend_to_run_the_newest(body: String) -> String {
    let mut request: Value = serde_json::from_str(&body).expect("a request");
    request["passenger_version"] = json!(NEWEST);
    request.to_string()
}

fn check_through(site: &Site, rewrite: Rewrite, more: Value) -> Report {
    let relay = Relay::start(site.server.port(), site.path("ca.pem"), rewrite);
    let mut config = verbose_config(
        site,
        json!({"url": relay.url(), "certificate_path": relay.authority()}),
    );
    if let (Some(config), Value::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    check(&config)
}

/// The attack: passenger_version is rewritten on the way out, the genuinely signed "no update" relayed.
#[test]
fn a_request_rewritten_on_the_way_is_caught() {
    let site = Site::start();
    let report = check_through(&site, Box::new(pretend_to_run_the_newest), json!({}));
    let requests = site.server.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].body.contains(NEWEST),
        "the attack took place: {}",
        requests[0].body
    );
    assert_eq!(report.code, PSC_ERR_NONCE, "{}", report.everything);
    assert!(report.logs_at(1, "replay"), "{:?}", report.log);
    assert_eq!(report.result["request_bound"], false);
}

/// The same party, doing nothing: it is the rewriting that is caught.
#[test]
fn a_request_that_arrives_as_sent_is_answered() {
    let site = Site::start();
    let report = check_through(
        &site,
        Box::new(|body| body),
        json!({"require_request_binding": true}),
    );
    assert_eq!(report.code, PSC_UPDATE_AVAILABLE, "{}", report.everything);
    assert_eq!(report.result["request_bound"], true);
}

/// Even a change that means nothing, such as a blank.
#[test]
fn every_byte_of_the_request_is_bound() {
    let site = Site::start();
    let report = check_through(
        &site,
        Box::new(|body| body.replacen('{', "{ ", 1)),
        json!({}),
    );
    assert_eq!(report.code, PSC_ERR_NONCE, "{}", report.everything);
}

#[test]
fn an_answer_without_binding_is_refused_when_it_is_required() {
    let site = Site::start_with(|options| options.request_binding = false);
    let report = check(&verbose_config(
        &site,
        json!({"require_request_binding": true}),
    ));
    assert_eq!(report.code, PSC_ERR_NONCE, "{}", report.everything);
    assert!(
        report.logs_at(1, "require_request_binding"),
        "{:?}",
        report.log
    );
}

/// What docs/protocol.md says about a server that does not bind: unnoticed by default, caught when it is required.
#[test]
fn without_binding_the_attack_works_unless_it_is_required() {
    let site = Site::start_with(|options| options.request_binding = false);
    let fooled = check_through(&site, Box::new(pretend_to_run_the_newest), json!({}));
    assert_eq!(fooled.code, PSC_OK, "{}", fooled.everything);
    assert_eq!(fooled.result["request_bound"], false);
    let careful = json!({"require_request_binding": true});
    let report = check_through(&site, Box::new(pretend_to_run_the_newest), careful);
    assert_eq!(report.code, PSC_ERR_NONCE, "{}", report.everything);
}
