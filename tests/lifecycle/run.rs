//! The schedule in a thread of the host's own, and its results (c-tests/lifecycle/run.c).

use crate::support::{checked, checked_but_for_leaks, program, succeed, up_to_date};
use psc_testkit::{LINKS, Link, Site, private_dir};
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn plays(scenario: &str) {
    plays_under(scenario, checked);
}

fn plays_under(scenario: &str, memcheck: fn(&Path) -> Command) {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for link in LINKS {
        let mut command = Command::new(program("run", link));
        succeed(command.arg(&config).arg(scenario));
    }
    let mut command = memcheck(&program("run", Link::Static));
    succeed(command.arg(&config).arg(scenario));
}

#[test]
fn each_function_has_its_codes() {
    plays_under("codes", checked_but_for_leaks);
}

#[test]
fn a_thread_of_the_hosts_is_ended_and_can_run_again() {
    plays("thread");
}

#[test]
fn a_stop_cannot_be_requested_too_early() {
    plays("early");
}

#[test]
fn the_hosts_signal_handlers_run_and_end_it() {
    plays("signal");
}

#[test]
fn results_wait_with_the_lines() {
    plays("drain");
}

#[test]
fn a_result_callback_may_free_the_handle() {
    plays("free");
}

#[test]
fn a_result_callback_that_does_not_return_is_given_up() {
    plays("late");
}

#[test]
fn a_child_that_is_forked_in_a_result_callback_leaves() {
    let site = Site::start();
    let config = up_to_date(&site, json!({})).to_string();
    for mut command in [
        Command::new(program("run", Link::Shared)),
        checked_but_for_leaks(&program("run", Link::Static)),
    ] {
        let state = private_dir();
        succeed(command.arg(&config).arg("fork").arg(state.path()));
    }
}
