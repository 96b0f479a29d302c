//! Rows 1 and 2: how the module is linked, and what `nginx -t` says.

use crate::checks;
use crate::config::Config;
use crate::module::{module, module_with_shared_library, module_with_static_curl};
use crate::server::Nginx;
use psc_testkit::{Finished, Site, library_dir, require, run};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn output_of(program: &str, arguments: &[&str], file: &Path) -> String {
    let done = run(
        Command::new(require(program)).args(arguments).arg(file),
        Duration::from_secs(20),
    );
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout
}

#[test]
fn the_module_stays_mapped_and_keeps_psc_to_itself() {
    let dynamic = output_of("readelf", &["-d", "-W"], &module());
    let flags = dynamic.lines().find(|line| line.contains("(FLAGS_1)"));
    assert!(
        flags.is_some_and(|line| line.contains("NODELETE")),
        "{dynamic}"
    );
    assert!(!dynamic.contains("libpsc"), "{dynamic}");

    let symbols = output_of("nm", &["-D", "--defined-only"], &module());
    for symbol in symbols.lines().filter_map(|line| line.split(' ').nth(2)) {
        assert!(symbol.starts_with("ngx_"), "{symbol} is visible to others");
    }
}

#[test]
fn the_module_works_with_the_shared_library() {
    let site = Site::start_with_shared_keys();
    let module = module_with_shared_library();
    assert!(output_of("readelf", &["-d", "-W"], &module).contains("[libpsc.so"));
    let mut config = checks::config(&site);
    config.load_module = false;
    let mut nginx = Nginx::new(&config);
    nginx.config.main = format!("load_module {};", module.display());
    nginx.set_environment("LD_LIBRARY_PATH", &library_dir().display().to_string());
    nginx.start();
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}

#[test]
fn the_module_works_with_a_libcurl_of_its_own() {
    let site = Site::start_with_shared_keys();
    let module = module_with_static_curl();
    assert!(!output_of("readelf", &["-d", "-W"], &module).contains("[libcurl"));
    let mut config = checks::config(&site);
    config.load_module = false;
    let mut nginx = Nginx::new(&config);
    nginx.config.main = format!("load_module {};", module.display());
    nginx.start();
    assert_eq!(checks::requests_after(&site, 1), 1);
    nginx.end_clean();
}

fn assert_accepted(nginx: &Nginx) {
    let done = nginx.test();
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(
        done.stderr.contains("test is successful"),
        "{}",
        done.stderr
    );
}

/// `directive` has to be named together with its line, and between the two a reason with `words`.
fn assert_refused(nginx: &Nginx, directive: &str, words: &str) -> Finished {
    let done = nginx.test();
    let place = format!(
        " in {}:{}",
        nginx.conf_file().display(),
        nginx.config.line_of(directive)
    );
    let line = done.stderr.lines().find(|line| line.contains(&place));
    let line = line.unwrap_or_else(|| panic!("nobody says \"{place}\":\n{}", done.stderr));
    // The directive's own name has most of the words, too.
    let name = format!("\"{directive}\" directive");
    let reason = line
        .split_once(&name)
        .and_then(|(_, rest)| rest.split_once(&place));
    assert!(
        done.code == Some(1)
            && line.contains("[emerg]")
            && reason.is_some_and(|(reason, _)| reason.contains(words)),
        "exit code {:?}\n{}",
        done.code,
        done.stderr
    );
    done
}

#[test]
fn configuration_test_contacts_nobody_and_makes_nothing() {
    let site = Site::start_with_shared_keys();
    let nginx = Nginx::new(&checks::config(&site));
    assert_accepted(&nginx);

    assert!(!nginx.path("state").exists());
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_bad_value_is_named_with_its_line() {
    let site = Site::start_with_shared_keys();
    for (name, value, words) in [
        ("version", "\"\"", "must not be empty"),
        ("state_path", "\"\"", "must not be empty"),
        ("version", "\"6.0\u{7}\"", "version"),
        ("url", "http://localhost/", "https"),
        ("url", "https://bob:s3cret@localhost/", "url"),
        ("url", "nonsense", "url"),
        ("proxy", "gopher://localhost:1", "proxy_url"),
        ("interval", "11h", "interval"),
        ("interval", "8d", "interval"),
        ("interval", "soon", "is not a time"),
        ("timeout", "0", "timeout"),
        ("timeout", "181", "timeout"),
        ("start_delay", "2h", "start_delay"),
        ("start_jitter", "25h", "start_jitter"),
    ] {
        let mut nginx = Nginx::new(&checks::config(&site));
        nginx.config.set(name, value);
        let done = assert_refused(&nginx, &format!("psc_security_update_check_{name}"), words);
        assert!(!done.stderr.contains("s3cret"), "{}", done.stderr);
    }
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.disable("maybe");
    assert_refused(
        &nginx,
        "psc_disable_security_update_check",
        "\"on\" or \"off\"",
    );
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_bad_file_is_named_with_its_line() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.set("certificate_path", "missing.pem");
    assert_refused(
        &nginx,
        "psc_security_update_check_certificate_path",
        "missing.pem",
    );

    let garbage = nginx.path("garbage.pem");
    fs::write(&garbage, "no certificate").expect("a file");
    nginx.config.set("certificate_path", "garbage.pem");
    assert_refused(
        &nginx,
        "psc_security_update_check_certificate_path",
        "garbage.pem",
    );
}

/// What psc finds by itself, and nobody named, may come and go: a warning now, and a failure at each check.
#[test]
fn a_bad_default_file_is_a_warning() {
    let warned = |nginx: &Nginx, file: &str| {
        let done = nginx.test();
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let warning = done.stderr.lines().find(|line| line.contains("[warn]"));
        assert!(
            warning.is_some_and(|line| line.contains(file)),
            "{}",
            done.stderr
        );
    };
    for name in [
        "update_check_client_cert.pem",
        "update_check_server_pubkey.pem",
    ] {
        let site = Site::start_with_shared_keys();
        let mut nginx = Nginx::new(&checks::config(&site));
        fs::write(site.path(name), "no key").expect("a file");
        warned(&nginx, name);
        nginx
            .config
            .set_path("resources_dir", &nginx.path("nowhere"));
        warned(&nginx, &format!("nowhere/{name}"));
    }
}

#[test]
fn a_directive_twice_or_without_a_version_is_refused() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.http =
        "psc_security_update_check_timeout 5;\npsc_security_update_check_timeout 5;".to_string();
    let done = nginx.test();
    assert!(
        done.stderr.contains("directive is duplicate in"),
        "{}",
        done.stderr
    );

    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.unset("version").unset("url");
    assert_refused(
        &nginx,
        "psc_security_update_check_proxy",
        "needs \"psc_security_update_check_version\"",
    );
    // Without any directive there is nothing to check, and with checks switched off no version is needed.
    nginx.config.disable("on");
    assert_accepted(&nginx);
    // Nor the files of the resources directory.
    let nowhere = nginx.path("nowhere");
    nginx
        .config
        .set("version", 6)
        .set_path("resources_dir", &nowhere);
    assert_accepted(&nginx);
    let mut bare = Nginx::new(&Config::bare());
    bare.config.unset("state_path");
    assert_accepted(&bare);
}

#[test]
fn relative_paths_are_those_of_nginx() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    let conf = nginx.path("conf");
    fs::create_dir(&conf).expect("a directory");
    for file in [
        "ca.pem",
        "update_check_client_cert.pem",
        "update_check_server_pubkey.pem",
    ] {
        fs::copy(site.path(file), conf.join(file)).expect("a copy");
    }
    // Files are beside nginx.conf, whose directory is not the prefix; the state is below the prefix.
    nginx
        .config
        .set("certificate_path", "ca.pem")
        .set("resources_dir", ".")
        .set("state_path", "memory/");
    nginx.write_config();
    fs::rename(nginx.conf_file(), conf.join("nginx.conf")).expect("rename");
    let mut command = nginx.command();
    nginx.start_command(command.arg("-c").arg(conf.join("nginx.conf")));
    nginx.wait_for_line("no update found");
    assert!(nginx.path("memory/state.json").is_file() && !conf.join("memory").exists());
    nginx.end_clean();
}

#[test]
fn only_the_http_block_takes_the_directives() {
    let site = Site::start_with_shared_keys();
    let mut nginx = Nginx::new(&checks::config(&site));
    nginx.config.unset("timeout");
    nginx.config.http = "server { psc_security_update_check_timeout 5; }".to_string();
    let done = nginx.test();
    assert!(
        done.code == Some(1) && done.stderr.contains("directive is not allowed here"),
        "{}",
        done.stderr
    );
}
