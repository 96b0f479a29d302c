//! Start and stop a thousand times.

use crate::support::{checked, program, succeed, up_to_date};
use psc_testkit::{Link, Site, long};
use serde_json::json;
use std::process::Command;

#[test]
fn memory_descriptors_and_threads_stay_flat() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let cycles = if long() { "1000" } else { "100" };
    for link in [Link::Shared, Link::Static] {
        succeed(
            Command::new(program("cycles", link))
                .arg(&config)
                .arg(cycles),
        );
    }
}

#[test]
fn cycles_leak_nothing() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    let cycles = if long() { "60" } else { "6" };
    let mut command = checked(&program("cycles", Link::Static));
    succeed(command.arg(&config).arg(cycles));
}
