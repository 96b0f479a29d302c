//! Directives, `apache2 -t`, and configurations that change while the server runs.

use std::time::Duration;

use crate::apache::{Apache, Foreground, Mpm, SOON, bytes};
use crate::proc;
use psc_testkit::{is_root, run, wait_until};

/// The line of the configuration file that `directive` stands in.
fn line_of(site: &Apache, directive: &str) -> usize {
    let config = site.config();
    let mut lines: Vec<&str> = config.lines().collect();
    while lines
        .last()
        .is_some_and(|line| !line.trim_start().starts_with(directive))
    {
        lines.pop();
    }
    lines.len()
}

fn refused(extra: &str, directive: &str, reason: &str) {
    let mut site = Apache::new(Mpm::Event);
    site.extra = extra.replace("DIR", &site.path("").display().to_string());
    let done = site.test_config();
    assert_ne!(done.code, Some(0), "{extra} was accepted");
    let line = line_of(&site, directive);
    let place = format!("on line {line} of {}", site.config_file().display());
    assert!(
        done.stderr.contains(&place),
        "{extra}: no {place:?} in:\n{}",
        done.stderr
    );
    assert!(
        done.stderr.contains(reason),
        "{extra}: no {reason:?} in:\n{}",
        done.stderr
    );
    assert_eq!(site.check.connections(), 0);
    assert!(!site.state().exists());
}

#[test]
fn a_good_configuration_passes_and_contacts_nobody() {
    let site = Apache::new(Mpm::Event);
    let done = site.test_config();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.stderr.trim(), "Syntax OK");
    assert_eq!(site.check.connections(), 0);
    assert!(!site.state().exists());
    assert!(!site.path("run/psc").exists());
}

#[test]
fn bad_values_are_refused_with_file_and_line() {
    let long_version = format!("PscSecurityUpdateCheckVersion {}", "6".repeat(257));
    let cases = [
        ("PscSecurityUpdateCheckUrl http://localhost/", "https"),
        (
            "PscSecurityUpdateCheckUrl https://user:pass@localhost/",
            "url",
        ),
        ("PscSecurityUpdateCheckProxy ftp://localhost:1", "proxy_url"),
        ("PscSecurityUpdateCheckInterval 60", "interval"),
        ("PscSecurityUpdateCheckInterval 12h", "whole number"),
        ("PscSecurityUpdateCheckTimeout 0", "timeout"),
        ("PscSecurityUpdateCheckStartDelay -1", "whole number"),
        ("PscSecurityUpdateCheckStartDelay 0 90000", "start_jitter"),
        (long_version.as_str(), "passenger_version"),
        (
            "PscSecurityUpdateCheckVersion 6.0\u{7}",
            "passenger_version",
        ),
        ("PscDisableSecurityUpdateCheck Maybe", "On or Off"),
        ("PscSecurityUpdateCheckStatePath /state\u{7}", "state_dir"),
    ];
    for (line, reason) in cases {
        let directive = line.split(' ').next().expect("a directive");
        refused(&format!("{line}\n"), directive, reason);
    }
}

#[test]
fn bad_files_are_refused_with_file_and_line() {
    let missing = "PscSecurityUpdateCheckCertificatePath DIRnone.pem\n";
    refused(missing, "PscSecurityUpdateCheckCertificatePath", "none.pem");
    let not_a_certificate = "PscSecurityUpdateCheckCertificatePath DIRhttpd.conf\n";
    refused(
        not_a_certificate,
        "PscSecurityUpdateCheckCertificatePath",
        "httpd.conf",
    );
}

#[test]
fn only_the_main_server_takes_the_directives() {
    let directive = "PscSecurityUpdateCheckTimeout";
    for (section, reason) in [
        (
            "VirtualHost *:80",
            "cannot occur within <VirtualHost> section",
        ),
        ("Directory />", "not allowed in <Directory> context"),
    ] {
        let section = section.trim_end_matches('>');
        let name = section.split(' ').next().expect("a name");
        refused(
            &format!("<{section}>\n{directive} 5\n</{name}>\n"),
            directive,
            reason,
        );
    }
    for line in [
        "PscDisableSecurityUpdateCheck On",
        "PscSecurityUpdateCheckVersion 6",
        "PscSecurityUpdateCheckStartDelay 0",
        "PscSecurityUpdateCheckStatePath off",
    ] {
        let directive = line.split(' ').next().expect("a directive");
        refused(
            &format!("<VirtualHost *:80>\n{line}\n</VirtualHost>\n"),
            directive,
            "cannot occur within <VirtualHost> section",
        );
    }
}

#[test]
fn a_missing_version_is_refused_unless_checks_are_off() {
    let mut site = Apache::new(Mpm::Event);
    let without_version = |site: &Apache, file: &str, more: &str| {
        let config = site
            .config()
            .replace("PscSecurityUpdateCheckVersion 6.0.20\n", more);
        std::fs::write(site.path(file), config).expect("a configuration");
        let mut command = site.command();
        run(command.arg("-f").arg(site.path(file)).arg("-t"), SOON)
    };
    let done = without_version(&site, "missing.conf", "");
    assert_ne!(done.code, Some(0));
    assert!(
        done.stderr
            .contains("PscSecurityUpdateCheckVersion is missing"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains(" of "), "{}", done.stderr);
    // off needs neither a version nor keys
    site.extra = format!(
        "PscSecurityUpdateCheckResourcesDir {}\n",
        site.path("run").display()
    );
    let done = without_version(&site, "off.conf", "PscDisableSecurityUpdateCheck On\n");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}

#[test]
fn relative_paths_are_below_the_server_root() {
    let mut site = Apache::new(Mpm::Event);
    site.extra = "PscSecurityUpdateCheckCertificatePath keys/ca.pem\n\
                  PscSecurityUpdateCheckResourcesDir keys\n\
                  PscSecurityUpdateCheckStatePath memory\n"
        .into();
    site.start();
    site.wait_for_line("no update found");
    assert!(site.path("memory/state.json").is_file());
    site.finish();
}

/// A package may load the module before anybody has configured it.
#[test]
fn the_module_alone_does_nothing() {
    let mut site = Apache::new(Mpm::Event);
    let loaded = |site: &Apache| {
        let config = site.config();
        let line = config.lines().find(|line| line.contains("psc_module"));
        format!("{}\nLogLevel warn psc:info\n", line.expect("LoadModule"))
    };
    let load = loaded(&site);
    site.with_module = false;
    site.extra.clone_from(&load);
    let done = site.test_config();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    site.start();
    site.wait_for_line("no directive of mod_psc is used");
    assert_eq!(site.psc_lines().len(), 1, "{}", site.log());
    for pid in site.children() {
        assert!(proc::blocked_signals(pid, "psc").is_empty());
    }
    assert_eq!(site.check.connections(), 0);
    site.finish();

    for directive in [
        "PscDisableSecurityUpdateCheck Off",
        "PscSecurityUpdateCheckStatePath off",
        "PscSecurityUpdateCheckTimeout 5",
    ] {
        let mut site = Apache::new(Mpm::Event);
        site.with_module = false;
        site.extra = format!("{load}{directive}\n");
        let done = site.test_config();
        assert_ne!(done.code, Some(0), "{directive}");
        let place = format!("on line {} of", site.config().lines().count());
        let reason = "PscSecurityUpdateCheckVersion is missing";
        assert!(done.stderr.contains(&place), "{}", done.stderr);
        assert!(done.stderr.contains(reason), "{}", done.stderr);
    }
}

#[test]
fn a_graceful_with_a_bad_configuration_changes_nothing() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_requests(1);
    let children = site.children();
    site.extra = "PscSecurityUpdateCheckUrl http://localhost/\n".into();
    let done = site.apache2(&["-k", "graceful"]);
    assert_ne!(done.code, Some(0));
    assert!(
        done.stderr.contains("PscSecurityUpdateCheckUrl"),
        "{}",
        done.stderr
    );
    assert_eq!(site.children(), children);
    assert!(site.get("/psc").contains("200 OK"));
    assert_eq!(site.check.connections(), 1);
    site.extra.clear();
    site.finish();
}

#[test]
fn a_graceful_loads_and_unloads_the_module() {
    let mut site = Apache::new(Mpm::Event);
    site.with_module = false;
    site.start();
    site.with_module = true;
    site.again("graceful");
    site.wait_for_requests(1);
    site.wait_for_line("no update found");

    site.with_module = false;
    site.again("graceful");
    wait_until("the end of the old children", SOON, || {
        site.children().len() == site.processes
    });
    assert!(site.get("/psc").contains("404"));
    for pid in site.children() {
        assert!(proc::blocked_signals(pid, "psc").is_empty());
    }

    // the same library, still mapped, from its first pass on
    site.forget();
    site.with_module = true;
    site.again("graceful");
    site.wait_for_requests(2);
    assert_eq!(proc::threads(site.parent()), 1);
    site.finish();
}

#[test]
fn off_means_no_thread_and_no_request() {
    let mut site = Apache::new(Mpm::Event);
    // nor must the files be there that it would need
    site.extra = format!(
        "PscDisableSecurityUpdateCheck On\nPscSecurityUpdateCheckResourcesDir {}\n",
        site.path("run").display()
    );
    site.start();
    site.wait_for_line("disabled");
    assert!(site.get("/psc").contains("200 OK"));
    for pid in site.children() {
        assert!(proc::blocked_signals(pid, "psc").is_empty());
    }
    assert_eq!(site.check.connections(), 0);
    assert!(!site.state().exists());

    site.extra = "PscDisableSecurityUpdateCheck Off\n".into();
    site.again("graceful");
    site.wait_for_requests(1);
    site.finish();
}

#[test]
fn one_process_in_the_foreground() {
    for mpm in Mpm::ALL {
        let site = Apache::new(mpm);
        let apache = Foreground::start(&mut site.command());
        site.wait_for_requests(1);
        site.wait_for_line("no update found");
        assert_eq!(apache.stop(), Some(0), "{mpm:?}\n{}", site.log());
        assert_eq!(site.check.connections(), 1);
    }
}

#[test]
fn the_environment_counts_only_without_a_directive() {
    let dead_proxy = "http://127.0.0.1:9";
    let mut site = Apache::new(Mpm::Event);
    site.environment
        .push(("https_proxy".into(), dead_proxy.into()));
    site.start();
    site.wait_for_line("no update found"); // "none" is in the configuration
    site.finish();

    let mut site = Apache::new(Mpm::Event);
    site.environment
        .push(("https_proxy".into(), dead_proxy.into()));
    site.extra = format!("PscSecurityUpdateCheckProxy {dead_proxy}\n");
    site.start();
    site.wait_for_line("Security update check failed");
    assert_eq!(site.check.connections(), 0);
    site.finish();
}

#[test]
fn a_proxy_password_appears_nowhere() {
    let mut site = Apache::new(Mpm::Event);
    site.extra =
        "LogLevel psc:trace8\nPscSecurityUpdateCheckProxy http://bob:s3cretword@127.0.0.1:9\n"
            .into();
    site.start();
    site.wait_for_line("Security update check failed");
    let status = site.get("/psc") + &site.get("/server-status");
    assert!(!status.contains("s3cretword"), "{status}");
    assert!(!site.log().contains("s3cretword"), "{}", site.log());
    let state = bytes(&site.state().join("state.json"));
    assert!(!String::from_utf8_lossy(&state).contains("s3cretword"));
    for pid in site.children() {
        let arguments = bytes(format!("/proc/{pid}/cmdline").as_ref());
        assert!(!String::from_utf8_lossy(&arguments).contains("s3cretword"));
    }
    site.finish();

    // nor when it stands in a value that is refused
    let mut site = Apache::new(Mpm::Event);
    site.extra = "PscSecurityUpdateCheckProxy ftp://bob:s3cretword@127.0.0.1:9\n".into();
    let done = site.test_config();
    assert_ne!(done.code, Some(0));
    assert!(!done.stderr.contains("s3cretword"), "{}", done.stderr);
}

#[test]
fn keys_outside_of_the_chroot_were_read_before() {
    if !is_root() {
        return psc_testkit::skip(
            "keys_outside_of_the_chroot_were_read_before",
            "ChrootDir needs root",
        );
    }
    let mut site = Apache::new(Mpm::Event);
    let root = site.path("root");
    // what a chroot needs anyway: the state directory's parent, the logs' and a resolver's files
    std::fs::create_dir_all(root.join("etc")).expect("a directory");
    for file in ["hosts", "nsswitch.conf", "resolv.conf"] {
        std::fs::copy(format!("/etc/{file}"), root.join("etc").join(file)).ok();
    }
    site.extra = format!(
        "ChrootDir {}\nPscSecurityUpdateCheckStatePath /state\nPscSecurityUpdateCheckUrl {}\n",
        root.display(),
        site.check.url().replace("localhost", "127.0.0.1"),
    );
    site.start();
    site.wait_for_line("no update found");
    assert!(root.join("state/state.json").exists(), "{}", site.log());
    site.finish();
}

#[test]
fn after_logrotate_lines_go_to_the_new_file() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    site.wait_for_line("no update found");
    std::fs::rename(site.path("error.log"), site.path("error.log.1")).expect("a rotated log");
    site.forget();
    site.signal_apache("graceful");
    site.wait_for_line("no update found");
    let old = String::from_utf8_lossy(&bytes(&site.path("error.log.1"))).into_owned();
    assert_eq!(old.matches("no update found").count(), 1, "{old}");
    site.finish();
}

#[test]
fn lines_of_the_default_log_level() {
    let quiet = "LogLevel warn psc:warn\n";
    let mut site = Apache::new(Mpm::Event);
    site.extra = quiet.into();
    site.start();
    site.wait_for_requests(1);
    wait_until("the result in the status", SOON, || {
        site.get("/psc").contains("\"verdict\":\"ok\"")
    });
    assert!(
        site.psc_lines().is_empty(),
        "no update is no news:\n{}",
        site.log()
    );

    site.version = "6.0.10".into();
    site.forget();
    site.again("graceful");
    let line = site.wait_for_line("security update is available");
    assert!(line.contains("[psc:error]"), "{line}");
    site.finish();
}

#[test]
fn psc_debug_shows_what_travels() {
    let mut site = Apache::new(Mpm::Event);
    site.extra = "LogLevel psc:debug\n".into();
    site.start();
    site.wait_for_line("no update found");
    assert!(site.wait_for_line("sending:").contains("[psc:debug]"));
    site.wait_for_line("received:");
    site.finish();
}

#[test]
fn the_request_names_the_running_server() {
    let mut site = Apache::new(Mpm::Event);
    // what ServerTokens hides from clients is still known here
    site.extra = "ServerTokens Prod\n\
                  PscSecurityUpdateCheckVersion \"6.0.20 \\\"b\\\\c\\\"\"\n"
        .into();
    site.start();
    let request = site
        .check
        .wait_for_requests(1, SOON)
        .pop()
        .expect("a request");
    let version = run(site.command().arg("-v"), Duration::from_secs(10)).stdout;
    let version = version.split_once("Apache/").expect("a version").1;
    let version = version.split(' ').next().expect("a version");
    for part in [
        "\"server_integration\":\"apache\"".to_owned(),
        format!("\"server_version\":\"{version}\""),
        // what means something in JSON is part of a value as well
        r#""passenger_version":"6.0.20 \"b\\c\"""#.to_owned(),
    ] {
        assert!(
            request.body.replace(": ", ":").contains(&part),
            "{part} in {}",
            request.body
        );
    }
    site.finish();
}
