//! examples-c/agent.cpp as a daemon: what it logs, how it takes signals, how it leaves.

use crate::support::{Agent, LIMIT, agent_config, versions, write_config};
use psc_testkit::{Finished, Link, Site, compile, compile_preload, require, run, wait_until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What SIGTERM may take, with a check that hangs.
const LEAVING: Duration = Duration::from_secs(1);

#[test]
fn it_logs_an_update_and_leaves_in_order() {
    let site = Site::start();
    write_config(&site, &agent_config(&site, json!({})));
    let agent = Agent::start(&site);
    agent.wait_for_log("security update is available");
    agent.wait_for_log("Additional security update check information:");
    let (code, _, log) = agent.end(libc::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    let line = log
        .lines()
        .find(|line| line.contains("security update is available"))
        .expect("the line");
    assert!(
        line.contains(" error: ") && line.contains("6.0.10"),
        "{line}"
    );
    // A stamp, the process, a level: every line is one record.
    for line in log.lines() {
        assert!(
            line.len() > 21 && &line[10..11] == "T" && line[19..].starts_with("Z agent["),
            "{line}"
        );
    }
    assert!(log.ends_with("notice: stopped\n"), "{log}");
}

#[test]
fn it_logs_no_update_and_a_forged_answer() {
    let site = Site::start();
    write_config(
        &site,
        &agent_config(&site, json!({"passenger_version": "99.0"})),
    );
    let agent = Agent::start(&site);
    agent.wait_for_log("notice: ");
    agent.wait_for_log("no update found");
    assert_eq!(agent.end(libc::SIGINT).0, Some(0));

    site.server.set_fault("forged");
    let agent = Agent::start(&site);
    agent.wait_for_log("forged signature");
    assert_eq!(agent.end(libc::SIGTERM).0, Some(0));
}

/// All or nothing: after five bad files the agent still is what it was.
#[test]
fn a_bad_configuration_changes_nothing_and_a_good_one_counts_at_once() {
    let site = Site::start();
    write_config(
        &site,
        &agent_config(
            &site,
            json!({"disabled": true, "web_server_version": "1.22.1", "program_name": "A 19\" server, or two"}),
        ),
    );
    let agent = Agent::start(&site);

    let bad = json!({"passenger_version": "6.0.66", "disabled": false});
    let refused = |text: &str, reason: &str| {
        let before = agent.log().matches("refused, nothing was changed").count();
        fs::write(site.path("agent.json"), text).expect("write the configuration");
        agent.signal(libc::SIGHUP);
        wait_until(&format!("the refusal of {text}"), LIMIT, || {
            agent.log().matches("refused, nothing was changed").count() > before
        });
        let log = agent.log();
        let line = log
            .lines()
            .rfind(|line| line.contains("refused, nothing was changed"))
            .expect("the line");
        assert!(
            line.contains(" error: ") && line.contains(reason),
            "{line:?} lacks {reason:?}"
        );
    };
    let with = |more: Value| {
        let mut config = agent_config(&site, bad.clone());
        config
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        config
    };
    refused(&with(json!({"interval": 5})).to_string(), "interval");
    refused(
        &with(json!({"server_public_key_path": "/missing.pem"})).to_string(),
        "/missing.pem",
    );
    refused(&with(json!({"colour": "red"})).to_string(), "colour");
    refused("{", "JSON");
    let mut incomplete = with(json!({}));
    incomplete
        .as_object_mut()
        .expect("an object")
        .remove("server_identifier");
    refused(&incomplete.to_string(), "refused");
    fs::remove_file(site.path("agent.json")).expect("remove the configuration");
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("cannot read it: No such file");

    // web_server_version is gone from this one, so it is back at its default.
    write_config(
        &site,
        &agent_config(&site, json!({"passenger_version": "6.0.11"})),
    );
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("is in force");
    agent.wait_for_log("security update is available");
    assert_eq!(
        versions(&site),
        [("6.0.11".to_owned(), Value::Null)],
        "the one check is the good configuration's"
    );

    // And off again.
    write_config(
        &site,
        &agent_config(&site, json!({"disabled": true, "log_level": 4})),
    );
    agent.signal(libc::SIGHUP);
    wait_until("the second configuration", LIMIT, || {
        agent.log().matches("is in force").count() == 2
    });
    assert_eq!(agent.end(libc::SIGTERM).0, Some(0));
    assert_eq!(site.server.requests().len(), 1);
}

fn make_fifo(path: &Path) {
    let done = run(Command::new(require("mkfifo")).arg(path), LIMIT);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

/// What takes the configuration's place is refused like a bad one, and SIGTERM is still heard.
#[test]
fn a_configuration_that_is_no_file_changes_nothing() {
    type Replace = fn(&Path);
    let site = Site::start();
    let config = site.path("agent.json");
    let cases: [(&str, Replace); 4] = [
        ("not a regular file", |path| {
            fs::create_dir(path).expect("a directory");
        }),
        ("not a regular file", make_fifo),
        ("not a regular file", |path| {
            std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
        }),
        ("larger than", |path| {
            let file = fs::File::create(path).expect("a file");
            file.set_len(1 << 40).expect("a large file");
        }),
    ];
    for (reason, replace) in cases {
        write_config(&site, &agent_config(&site, json!({"disabled": true})));
        let running = Agent::start(&site);
        fs::remove_file(&config).expect("remove the configuration");
        replace(&config);

        let tried = agent(&[Path::new("--test"), &config]);
        assert_eq!(tried.code, Some(1), "{tried:?}");
        assert!(tried.stderr.contains(reason), "{}", tried.stderr);

        running.signal(libc::SIGHUP);
        running.wait_for_log(&format!("nothing was changed: cannot read it: {reason}"));
        let (code, elapsed, log) = running.end(libc::SIGTERM);
        assert_eq!(code, Some(0), "{log}");
        assert!(elapsed < LEAVING, "it took {elapsed:?}");
        if config.is_dir() {
            fs::remove_dir(&config).expect("remove the directory");
        } else {
            fs::remove_file(&config).expect("remove the file");
        }
    }
}

fn leaves_at_once_while(site: &Site, fault: &str, signal: i32, check_hangs: impl Fn() -> bool) {
    site.server.set_fault(fault);
    write_config(
        site,
        &agent_config(site, json!({"timeout": 180, "log_level": 4})),
    );
    let agent = Agent::start(site);
    wait_until("a check that hangs", LIMIT, check_hangs);
    let (code, elapsed, log) = agent.end(signal);
    assert_eq!(code, Some(0), "{log}");
    assert!(elapsed < LEAVING, "{fault}: it took {elapsed:?}");
    // The thread's last record, made when the event loop is over.
    assert!(log.contains("Security update check cancelled"), "{log}");
    assert!(log.ends_with("notice: stopped\n"), "{log}");
}

#[test]
fn it_leaves_at_once_while_the_answer_does_not_come() {
    let site = Site::start();
    leaves_at_once_while(&site, "hang", libc::SIGTERM, || {
        site.server.requests().len() == 1
    });
    leaves_at_once_while(&site, "hang", libc::SIGINT, || {
        site.server.requests().len() == 2
    });
}

#[test]
fn it_leaves_at_once_while_the_handshake_stalls() {
    let site = Site::start();
    leaves_at_once_while(&site, "handshake-stall", libc::SIGTERM, || {
        site.server.connections() > 0
    });
}

#[test]
fn it_leaves_at_once_while_the_name_look_up_hangs() {
    let site = Site::start();
    let looked_up = site.path("looked-up");
    write_config(
        &site,
        &agent_config(
            &site,
            json!({"url": "https://hangs.example/", "timeout": 180}),
        ),
    );
    let mut command = Command::new(compile("examples-c/agent.cpp", Link::Shared));
    command
        .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
        .env("RESOLVER_HANG", "hangs.example")
        .env("RESOLVER_LOG", &looked_up);
    let agent = Agent::start_by(command, &site);
    wait_until("a look-up that hangs", LIMIT, || {
        fs::read_to_string(&looked_up).is_ok_and(|names| names.contains("hangs.example"))
    });
    let (code, elapsed, log) = agent.end(libc::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(elapsed < LEAVING, "it took {elapsed:?}");
}

/// The event loop serves signals while psc's thread waits for the server.
#[test]
fn a_check_that_hangs_holds_up_nothing() {
    let site = Site::start();
    site.server.set_fault("hang");
    write_config(&site, &agent_config(&site, json!({"timeout": 180})));
    let agent = Agent::start(&site);
    wait_until("a check that hangs", LIMIT, || {
        !site.server.requests().is_empty()
    });
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("is in force");
    // Off: the check that hangs is cancelled.
    write_config(&site, &agent_config(&site, json!({"disabled": true})));
    agent.signal(libc::SIGHUP);
    wait_until("the second configuration", LIMIT, || {
        agent.log().matches("is in force").count() == 2
    });
    let (code, elapsed, log) = agent.end(libc::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(elapsed < LEAVING, "it took {elapsed:?}");
}

#[test]
fn a_rotated_log_is_opened_again() {
    let site = Site::start();
    write_config(
        &site,
        &agent_config(&site, json!({"disabled": true, "log_level": 4})),
    );
    let agent = Agent::start(&site);
    let (log, rotated) = (site.path("agent.log"), site.path("agent.log.1"));
    // By then psc's thread has opened what it has.
    agent.wait_for_log("is disabled");
    let descriptors = agent.descriptors();
    fs::rename(&log, &rotated).expect("rotate");
    agent.signal(libc::SIGUSR1);
    wait_until("a new log file", LIMIT, || log.exists());
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("is in force");
    assert!(
        !fs::read_to_string(&rotated)
            .expect("the old log")
            .contains("is in force")
    );
    assert_eq!(agent.descriptors(), descriptors);
    let mode = fs::metadata(&log)
        .expect("the new log")
        .permissions()
        .mode();
    assert_eq!(mode & 0o007, 0, "{mode:o}: for everybody to read");

    // Where no file can be opened, it keeps the one it has.
    fs::rename(&log, site.path("agent.log.2")).expect("rotate");
    fs::create_dir(&log).expect("a directory in the way");
    agent.signal(libc::SIGUSR1);
    wait_until("the complaint", LIMIT, || {
        fs::read_to_string(site.path("agent.log.2"))
            .is_ok_and(|log| log.contains("cannot open the log file again: Is a directory"))
    });

    // Nor does it wait for somebody who reads the new one.
    fs::remove_dir(&log).expect("remove the directory");
    make_fifo(&log);
    agent.signal(libc::SIGUSR1);
    wait_until("the complaint", LIMIT, || {
        fs::read_to_string(site.path("agent.log.2"))
            .is_ok_and(|log| log.contains("cannot open the log file again: No such device"))
    });
    agent.signal(libc::SIGTERM);
    wait_until("the last line", LIMIT, || {
        fs::read_to_string(site.path("agent.log.2")).is_ok_and(|log| log.contains("stopped"))
    });
    // the test's own look at the log would wait for a writer
    fs::remove_file(&log).expect("remove the pipe");
    assert_eq!(agent.end(libc::SIGTERM).0, Some(0));
}

/// What the log goes to may be full, or gone.
#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let site = Site::start();
    write_config(&site, &agent_config(&site, json!({})));
    let program = compile("examples-c/agent.cpp", Link::Shared);

    let agent = Agent::spawn(Command::new(&program), &site, Path::new("/dev/full"));
    site.server.wait_for_requests(1, LIMIT);
    assert_eq!(agent.end(libc::SIGTERM).0, Some(0));

    let pipe = site.path("pipe");
    let made = run(Command::new(require("mkfifo")).arg(&pipe), LIMIT);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let agent = Agent::spawn(Command::new(&program), &site, &pipe);
    drop(fs::File::open(&pipe).expect("a reader, for a moment"));
    site.server.wait_for_requests(2, LIMIT);
    agent.signal(libc::SIGHUP);
    assert_eq!(agent.end(libc::SIGTERM).0, Some(0));
}

fn agent(arguments: &[&Path]) -> Finished {
    run(
        Command::new(compile("examples-c/agent.cpp", Link::Static)).args(arguments),
        LIMIT,
    )
}

#[test]
fn it_does_not_start_with_what_is_wrong() {
    let site = Site::start();
    let (config, log) = (site.path("agent.json"), site.path("agent.log"));
    write_config(&site, &agent_config(&site, json!({"interval": 5})));
    let done = agent(&[&config, &log]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stderr.contains("interval") && done.stderr.contains("agent.json"),
        "{}",
        done.stderr
    );

    write_config(&site, &agent_config(&site, json!({})));
    let done = agent(&[&config, &site.path("missing/agent.log")]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("log file"), "{}", done.stderr);
    assert_eq!(agent(&[&config]).code, Some(2));
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_configuration_can_be_tried_without_contacting_anybody() {
    let site = Site::start();
    let config = site.path("agent.json");
    write_config(&site, &agent_config(&site, json!({})));
    let done = agent(&[Path::new("--test"), &config]);
    assert_eq!(done.code, Some(0), "{done:?}");
    write_config(
        &site,
        &agent_config(&site, json!({"certificate_path": "/missing.pem"})),
    );
    let done = agent(&[Path::new("--test"), &config]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("/missing.pem"), "{}", done.stderr);
    write_config(&site, &json!({"passenger_version": "1"}));
    assert_eq!(
        agent(&[Path::new("--test"), &config]).code,
        Some(1),
        "incomplete"
    );
    assert_eq!(site.server.connections(), 0);
}

/// A whole life under valgrind: no error, no leak, nothing lost with a check in flight.
#[test]
fn valgrind_finds_nothing() {
    let site = Site::start();
    write_config(&site, &agent_config(&site, json!({"disabled": true})));
    let agent = Agent::start_under_valgrind(&site);
    write_config(&site, &agent_config(&site, json!({"interval": 5})));
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("refused, nothing was changed");
    write_config(&site, &agent_config(&site, json!({})));
    agent.signal(libc::SIGHUP);
    agent.wait_for_log("security update is available");
    agent.signal(libc::SIGUSR1);
    write_config(&site, &agent_config(&site, json!({"disabled": true})));
    agent.signal(libc::SIGHUP);
    wait_until("the second configuration", LIMIT, || {
        agent.log().matches("is in force").count() == 2
    });
    let (code, _, log) = agent.end(libc::SIGTERM);
    assert_eq!(code, Some(0), "{log}");

    site.server.set_fault("hang");
    let before = site.server.requests().len();
    write_config(&site, &agent_config(&site, json!({"timeout": 180})));
    let agent = Agent::start_under_valgrind(&site);
    // Not before: a handshake under valgrind takes longer than psc_stop waits.
    wait_until("a check that hangs", LIMIT, || {
        site.server.requests().len() > before
    });
    let (code, _, log) = agent.end(libc::SIGTERM);
    assert_eq!(code, Some(0), "{log}");
}
