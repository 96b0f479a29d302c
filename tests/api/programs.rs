//! The C programs of c-tests, each linked with the shared and with the static library and run under
//! valgrind, against a check server.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use psc_testkit::{
    Check, LINKS, Link, Site, compile_against, compile_preload, library_with_feature, private_dir,
    run, valgrind,
};
use serde_json::{Value, json};

/// Under valgrind, and without it, where timing is that of a real host.
fn run_everywhere(source: &str, configs: &[Value]) {
    let texts: Vec<String> = configs.iter().map(Value::to_string).collect();
    let arguments: Vec<&str> = texts.iter().map(String::as_str).collect();
    for link in LINKS {
        Check::new(link).run_program(source, &arguments);
        Check::new(link).valgrind().run_program(source, &arguments);
    }
}

/// A newer libcurl opens other descriptors, and marks them itself.
fn with_newer_libcurl() -> impl Iterator<Item = Check> {
    let newer = Check::new(Link::Shared).with_library(library_with_feature("static-curl"));
    LINKS.map(Check::new).into_iter().chain([newer])
}

#[test]
fn codes() {
    run_everywhere("c-tests/api/codes.c", &[]);
}

#[test]
fn results() {
    let site = Site::start();
    run_everywhere("c-tests/api/results.c", &[site.config(json!({}))]);
}

#[test]
fn callback() {
    let site = Site::start();
    run_everywhere("c-tests/api/callback.c", &[site.config(json!({}))]);
}

#[test]
fn threads() {
    let site = Site::start();
    run_everywhere("c-tests/api/threads.c", &[site.config(json!({}))]);
}

/// The certificate authorities of the site are a file that vanishes.
#[test]
fn prepare() {
    let site = Site::start();
    let dir = private_dir();
    let (authorities, copy) = (site.path("ca.pem"), dir.path().join("ca.pem"));
    let config = site.config(json!({ "start_delay": 3600 })).to_string();
    let arguments = [
        config.as_str(),
        authorities.to_str().expect("a path"),
        copy.to_str().expect("a path"),
        "forks",
    ];
    for link in LINKS {
        Check::new(link).run_program("c-tests/api/prepare.c", &arguments);
        Check::new(link)
            .valgrind()
            .run_program("c-tests/api/prepare.c", &arguments[..3]);
    }
}

#[test]
fn host_untouched() {
    let site = Site::start();
    let configs = [
        site.config(json!({ "log_level": 7 })),
        site.config(json!({ "passenger_version": "99.0.0" })),
        site.config(json!({ "url": "https://127.0.0.1:1/" })),
        site.config(json!({ "url": "https://name.invalid/", "timeout": 5 })),
        site.config(json!({ "client_certificate_path": "/missing" })),
        site.config(json!({ "certificate_path": site.path("server.pem") })),
        site.config(json!({ "disabled": true })),
        json!({ "interval": 1 }),
    ];
    let texts: Vec<String> = configs.iter().map(Value::to_string).collect();
    let arguments: Vec<&str> = texts.iter().map(String::as_str).collect();
    for link in LINKS {
        Check::new(link).run_program("c-tests/api/host-untouched.c", &arguments);
    }
    // OpenSSL has something to say about each of these.
    for fault in [
        "forged",
        "tls-11-only",
        "tls-weak-rsa",
        "tls-must-staple",
        "tls-demand-client-cert",
        "handshake-plain-http",
    ] {
        site.server.set_fault(fault);
        Check::new(Link::Shared).run_program("c-tests/api/host-untouched.c", &arguments[..1]);
    }
}

#[test]
fn signals() {
    let site = Site::start();
    let config = site
        .config(json!({ "url": "https://check.invalid/", "timeout": 2 }))
        .to_string();
    for check in with_newer_libcurl() {
        check
            .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
            .env("RESOLVER_HANG", "check.invalid")
            .run_program("c-tests/api/signals.c", &[&config]);
    }
}

#[test]
fn system() {
    let site = Site::start();
    let url = format!("https://127.0.0.1:{}/v1/check.json", site.server.port());
    let found = site.config(json!({ "url": url })).to_string();
    let unresolved = site
        .config(json!({ "url": "https://check.invalid/" }))
        .to_string();
    for check in with_newer_libcurl() {
        check.run_program("c-tests/api/system.c", &["1", &found]);
        check
            .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
            .env("RESOLVER_NONE", "check.invalid")
            .run_program("c-tests/api/system.c", &["-8", &unresolved]);
    }
}

/// `RLIMIT_FSIZE` makes a write a signal that ends the process, unless it is blocked.
#[test]
fn file_size() {
    let site = Site::start();
    let dir = private_dir();
    let config = site.config(json!({ "state_dir": dir.path() })).to_string();
    for link in LINKS {
        Check::new(link).run_program("c-tests/api/file-size.c", &[&config]);
    }
}

#[test]
fn many_descriptors() {
    let site = Site::start();
    let found = site.config(json!({}));
    let refused = site.config(json!({ "url": "https://127.0.0.1:1/" }));
    for check in with_newer_libcurl() {
        for (code, config) in [("1", &found), ("-8", &refused)] {
            check.run_program(
                "c-tests/api/many-descriptors.c",
                &[code, &config.to_string()],
            );
        }
    }
}

#[test]
fn descriptors() {
    // Accepts by its backlog, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    let site = Site::start();
    let connected = site.config(json!({ "url": url, "timeout": 1 })).to_string();
    let looking_up = site
        .config(json!({ "url": "https://check.invalid/", "timeout": 1 }))
        .to_string();
    for check in with_newer_libcurl() {
        check.run_program("c-tests/api/descriptors.c", &[&connected, "1"]);
        check
            .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
            .env("RESOLVER_HANG", "check.invalid")
            .run_program("c-tests/api/descriptors.c", &[&looking_up, "2"]);
    }
}

#[test]
fn panic() {
    let site = Site::start();
    let library = library_with_feature("test-panic");
    for link in LINKS {
        let program = compile_against(&library, "c-tests/api/panic.c", link, &[]);
        for mut command in [Command::new(&program), valgrind(&program)] {
            let done = run(
                command.arg(site.config(json!({})).to_string()),
                Duration::from_secs(120),
            );
            assert_eq!(done.code, Some(0), "{link:?}: {}", done.stderr);
        }
    }
}
