//! Proxies: real ones (tinyproxy, microsocks), and scripted ones for what real ones do not do on demand.

use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{assert_failed, assert_update, both_libcurls, check};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use psc::ffi::codes::{PSC_ERR_NETWORK, PSC_ERR_RESPONSE, PSC_ERR_TLS};
use psc_testkit::proxies::Proxy;
use psc_testkit::{Check, Link, Outcome, Site, compile_preload, free_port, require, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Through that proxy, everything logged that can be.
fn through(site: &Site, proxy: &str) -> Outcome {
    with_through(&Check::new(Link::Shared), site, proxy)
}

fn with_through(check: &Check, site: &Site, proxy: &str) -> Outcome {
    check.run(&site.config(json!({ "proxy_url": proxy, "log_level": 7, "timeout": 20 })))
}

/// The same with the server's address: which of the addresses of `localhost` a SOCKS proxy is asked for
/// depends on the system.
fn through_by_address(site: &Site, proxy: &str) -> Outcome {
    let url = format!("https://127.0.0.1:{}/v1/check.json", site.server.port());
    check(&site.config(json!({ "proxy_url": proxy, "url": url, "log_level": 7, "timeout": 20 })))
}

/// With jitter: when a check that failed is repeated. Who was not answered asks again soon.
const TEN_MINUTES: RangeInclusive<i64> = 600..=660;
const A_DAY: RangeInclusive<i64> = 86_400..=95_040;

fn assert_next(outcome: &Outcome, expected: RangeInclusive<i64>) {
    let next = outcome.next_check.expect("a next check");
    assert!(expected.contains(&next), "{next}: {}", outcome.output);
}

/// A real proxy: a program that is stopped when dropped.
struct RealProxy {
    port: u16,
    child: Child,
    _dir: TempDir,
}

impl RealProxy {
    /// `arguments` gets the port, and a directory of the proxy's own.
    fn start(program: &str, arguments: impl Fn(u16, &Path) -> Vec<String>) -> RealProxy {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let child = Command::new(require(program))
            .args(arguments(port, dir.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a proxy");
        let proxy = RealProxy {
            port,
            child,
            _dir: dir,
        };
        wait_until(program, Duration::from_secs(20), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        proxy
    }

    fn tinyproxy(login: &str) -> RealProxy {
        RealProxy::start("tinyproxy", |port, dir| {
            let file = dir.join("tinyproxy.conf");
            let lines = format!(
                "Port {port}\nListen 127.0.0.1\nTimeout 30\nAllow 127.0.0.1\nMaxClients 10\n{login}\n"
            );
            std::fs::write(&file, lines).expect("write");
            vec![
                "-d".to_string(),
                "-c".to_string(),
                file.to_string_lossy().into_owned(),
            ]
        })
    }

    fn microsocks(login: &[&str]) -> RealProxy {
        RealProxy::start("microsocks", |port, _| {
            let port = port.to_string();
            ["-i", "127.0.0.1", "-p", &port]
                .iter()
                .chain(login)
                .map(ToString::to_string)
                .collect()
        })
    }
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: a child of this process that nobody has waited for. TERM, so that it ends its own children.
        unsafe { libc::kill(id, libc::SIGTERM) };
        let _ = self.child.wait();
    }
}

// ---- real proxies ---------------------------------------------------------------------------------

#[test]
fn tinyproxy_without_login() {
    let site = Site::start();
    let proxy = RealProxy::tinyproxy("");
    for url in [
        "http://127.0.0.1:PORT",
        "HTTP://localhost:PORT",
        "http://127.0.0.1:PORT?tunnel",
        "http://127.0.0.1:PORT/",
    ] {
        assert_update(&through(
            &site,
            &url.replace("PORT", &proxy.port.to_string()),
        ));
    }
}

#[test]
fn tinyproxy_with_login() {
    let site = Site::start();
    let proxy = RealProxy::tinyproxy("BasicAuth alice s3cr.et");
    let port = proxy.port;
    assert_update(&through(
        &site,
        &format!("http://alice:s3cr.et@127.0.0.1:{port}"),
    ));
    assert_update(&through(
        &site,
        &format!("http://%61lice:s3cr%2eet@127.0.0.1:{port}"),
    ));
    for login in ["alice:wrong-secret@", ""] {
        let outcome = through(&site, &format!("http://{login}127.0.0.1:{port}"));
        assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy", "authentication"]);
        outcome.assert_hides(&["alice", "wrong-secret"]);
    }
    assert_eq!(site.server.connections(), 2);
}

#[test]
fn microsocks_without_login() {
    let site = Site::start();
    let proxy = RealProxy::microsocks(&[]);
    for scheme in ["socks5", "socks5h"] {
        assert_update(&through_by_address(
            &site,
            &format!("{scheme}://127.0.0.1:{}", proxy.port),
        ));
    }
}

#[test]
fn microsocks_with_login() {
    let site = Site::start();
    let proxy = RealProxy::microsocks(&["-u", USER, "-P", PASSWORD]);
    let port = proxy.port;
    for scheme in ["socks5", "socks5h"] {
        let outcome = through_by_address(&site, &format!("{scheme}://{ENCODED}@127.0.0.1:{port}"));
        assert_update(&outcome);
        assert_no_secret(&outcome);
    }
    for login in ["alice:wrong-secret@", ""] {
        let outcome = through_by_address(&site, &format!("socks5h://{login}127.0.0.1:{port}"));
        assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy"]);
        outcome.assert_hides(&["alice", "wrong-secret"]);
    }
    assert_eq!(site.server.connections(), 2);
}

#[test]
fn every_kind_of_socks() {
    let site = Site::start();
    let proxy = Proxy::socks(site.server.port(), None);
    for scheme in ["socks4", "socks4a", "socks5", "socks5h"] {
        assert_update(&through(
            &site,
            &format!("{scheme}://127.0.0.1:{}", proxy.port),
        ));
    }
    assert_eq!(proxy.asked().len(), 4);
}

// ---- credentials ----------------------------------------------------------------------------------

const USER: &str = "al ice";
const PASSWORD: &str = "p@s:s/w?o#r%d";
const ENCODED: &str = "al%20ice:p%40s%3As%2Fw%3Fo%23r%25d";

/// Neither as given nor decoded nor as it travels.
fn assert_no_secret(outcome: &Outcome) {
    let header = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    outcome.assert_hides(&[USER, PASSWORD, ENCODED, "p%40s", "al%20ice", &header]);
}

#[test]
fn credentials_are_percent_decoded_for_an_http_proxy() {
    let site = Site::start();
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let proxy = Proxy::tunnel(site.server.port(), Some(basic));
    let outcome = through(&site, &format!("http://{ENCODED}@127.0.0.1:{}", proxy.port));
    assert_update(&outcome);
    assert_no_secret(&outcome);
}

#[test]
fn credentials_are_percent_decoded_for_a_socks_proxy() {
    let site = Site::start();
    let proxy = Proxy::socks(site.server.port(), Some((USER, PASSWORD)));
    for scheme in ["socks5", "socks5h"] {
        let outcome = through(
            &site,
            &format!("{scheme}://{ENCODED}@127.0.0.1:{}", proxy.port),
        );
        assert_update(&outcome);
        assert_no_secret(&outcome);
    }
}

#[test]
fn a_socks_proxy_that_refuses_the_login() {
    let site = Site::start();
    let proxy = Proxy::socks(site.server.port(), Some((USER, "another")));
    for login in [format!("{ENCODED}@"), String::new()] {
        let outcome = through(&site, &format!("socks5h://{login}127.0.0.1:{}", proxy.port));
        assert_failed(
            &outcome,
            PSC_ERR_NETWORK,
            &["refused the user or password, or wants them"],
        );
        assert_no_secret(&outcome);
    }
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn every_socks_reply_has_its_reason() {
    let site = Site::start();
    for (reply, reason, next) in [
        (1, "has a general failure", TEN_MINUTES),
        (2, "does not allow the connection", A_DAY),
        (3, "cannot reach the check server's network", TEN_MINUTES),
        (4, "cannot reach the check server's host", TEN_MINUTES),
        (
            5,
            "found the connection to the check server refused",
            TEN_MINUTES,
        ),
        (6, "TTL expired", TEN_MINUTES),
        (7, "does not support connections", A_DAY),
        (8, "does not support this type of address", A_DAY),
    ] {
        let proxy = Proxy::socks_replying(reply);
        let outcome = through(&site, &format!("socks5h://127.0.0.1:{}", proxy.port));
        assert_failed(&outcome, PSC_ERR_NETWORK, &[reason, "socks5h://127.0.0.1:"]);
        assert_next(&outcome, next);
    }
}

#[test]
fn a_proxy_that_cannot_be_resolved_is_named() {
    let site = Site::start();
    for scheme in ["http", "socks4a", "socks5", "socks5h"] {
        let outcome = through(&site, &format!("{scheme}://user:secret@proxy.invalid:1080"));
        let named =
            format!("the name of the proxy {scheme}://***@proxy.invalid:1080 cannot be resolved");
        assert_failed(&outcome, PSC_ERR_NETWORK, &[&named]);
    }
}

#[test]
fn no_empty_credentials_are_sent() {
    let site = Site::start();
    let proxy = Proxy::tunnel(site.server.port(), None);
    assert_update(&through(&site, &format!("http://127.0.0.1:{}", proxy.port)));
    let head = proxy.asked().remove(0);
    assert!(head.starts_with("CONNECT "), "{head}");
    assert!(
        !head.to_lowercase().contains("proxy-authorization"),
        "{head}"
    );
}

#[test]
fn credentials_stay_out_of_every_failure() {
    let site = Site::start();
    let answers: [&'static [u8]; 5] = [
        b"HTTP/1.1 407 No\r\n\r\n",
        b"HTTP/1.1 403 No\r\n\r\n",
        b"HTTP/1.1 502 No\r\n\r\n",
        b"garbage\r\n\r\n",
        b"",
    ];
    for answer in answers {
        let proxy = Proxy::answering(answer);
        let outcome = through(&site, &format!("http://{ENCODED}@127.0.0.1:{}", proxy.port));
        assert_eq!(outcome.code, Some(PSC_ERR_NETWORK), "{}", outcome.output);
        assert_no_secret(&outcome);
    }
    for url in [
        "http://PAIR@127.0.0.1:1",
        "http://PAIR@proxy.invalid",
        "socks5://PAIR@127.0.0.1:1",
        "socks5h://PAIR@proxy.invalid:1080",
    ] {
        let outcome = through(&site, &url.replace("PAIR", ENCODED));
        assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy"]);
        assert_no_secret(&outcome);
    }
}

/// A login that is part of libcurl's words, or of what they are about, changes neither code nor time nor diagnosis.
#[test]
fn a_login_changes_nothing_but_itself() {
    let site = Site::start();
    let proxy = Proxy::hanging_up();
    for check in both_libcurls() {
        let reason = |login: &str| {
            let url = format!("http://{login}127.0.0.1:{}", proxy.port);
            let outcome = with_through(&check, &site, &url);
            let phrase = "the connection to localhost broke off in the TLS handshake (";
            assert_failed(&outcome, PSC_ERR_NETWORK, &[phrase]);
            outcome.assert_first_retry();
            let record = outcome.log_lines("Security update check failed:")[0];
            let (reason, _when) = record.1.split_once("(next check").expect("a time");
            reason.to_string()
        };
        let without = reason("");
        for login in ["zzq9:zzq9@", "al:s3cr@", "SSL:error@", "host:localhost@"] {
            assert_eq!(reason(login), without, "{login}");
        }
    }
}

// ---- what proxies answer --------------------------------------------------------------------------

#[test]
fn refusals_are_told_apart() {
    let site = Site::start();
    let cases: [(&'static [u8], &str, RangeInclusive<i64>); 8] = [
        (
            b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n",
            "authentication",
            A_DAY,
        ),
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            "403",
            A_DAY,
        ),
        // Who cannot reach the server now may reach it soon.
        (
            b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "cannot reach localhost (status 502)",
            TEN_MINUTES,
        ),
        (
            b"HTTP/1.1 503 Busy\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n",
            "cannot reach localhost (status 503)",
            TEN_MINUTES,
        ),
        (
            b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n",
            "cannot reach localhost (status 504)",
            TEN_MINUTES,
        ),
        (b"HTTP/1.0 500 Oops\r\n\r\n", "500", A_DAY),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n",
            "captive portal",
            A_DAY,
        ),
        (
            b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "captive portal",
            A_DAY,
        ),
    ];
    for (answer, phrase, next) in cases {
        let proxy = Proxy::answering(answer);
        for check in both_libcurls() {
            let url = format!("http://127.0.0.1:{}", proxy.port);
            let outcome = with_through(&check, &site, &url);
            assert_failed(&outcome, PSC_ERR_NETWORK, &["the proxy", phrase]);
            assert_next(&outcome, next.clone());
        }
    }
}

/// Basic is the only authentication that psc offers: a proxy that wants another is told so, not the password blamed alone.
#[test]
fn a_proxy_that_wants_digest() {
    let site = Site::start();
    let proxy = Proxy::answering(
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\nContent-Length: 0\r\n\r\n",
    );
    let outcome = through(&site, &format!("http://{ENCODED}@127.0.0.1:{}", proxy.port));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["authentication", "Basic"]);
    assert_no_secret(&outcome);
}

#[test]
fn a_tunnel_that_leads_nowhere() {
    let site = Site::start();
    let established: [&'static [u8]; 2] = [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n",
    ];
    for answer in established {
        let proxy = Proxy::answering(answer);
        let outcome = through(&site, &format!("http://127.0.0.1:{}", proxy.port));
        assert!(
            matches!(outcome.code, Some(PSC_ERR_NETWORK | PSC_ERR_TLS)),
            "{}",
            outcome.output
        );
    }
    let proxy = Proxy::answering(b"");
    assert_failed(
        &through(&site, &format!("http://127.0.0.1:{}", proxy.port)),
        PSC_ERR_NETWORK,
        &[],
    );
    let proxy = Proxy::answering(b"not HTTP at all\r\n\r\n");
    assert_failed(
        &through(&site, &format!("http://127.0.0.1:{}", proxy.port)),
        PSC_ERR_NETWORK,
        &[],
    );
}

#[test]
fn a_header_without_end_is_bounded() {
    let site = Site::start();
    let proxy = Proxy::endless();
    let outcome = through(&site, &format!("http://127.0.0.1:{}", proxy.port));
    assert!(
        matches!(outcome.code, Some(PSC_ERR_NETWORK | PSC_ERR_RESPONSE)),
        "{}",
        outcome.output
    );
    outcome.assert_took_less_than(10);
}

#[test]
fn a_silent_proxy_is_bounded_by_the_timeout() {
    let site = Site::start();
    let proxy = Proxy::silent();
    let url = format!("http://127.0.0.1:{}", proxy.port);
    let outcome = check(&site.config(json!({ "proxy_url": url, "timeout": 2 })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["timed out"]);
    outcome.assert_took_less_than(5);
}

#[test]
fn a_proxy_that_is_not_there() {
    let site = Site::start();
    let outcome = through(&site, "http://127.0.0.1:1");
    assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy", "127.0.0.1"]);
    assert_next(&outcome, TEN_MINUTES);
    let outcome = Check::new(Link::Shared)
        .env("https_proxy", "http://127.0.0.1:1")
        .run(&site.config(json!({ "proxy_url": null })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy that https_proxy names"]);
    assert_next(&outcome, TEN_MINUTES);
    let outcome = Check::new(Link::Shared)
        .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
        .env("RESOLVER_NONE", "proxy.invalid")
        .run(&site.config(json!({ "proxy_url": "http://proxy.invalid:3128" })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy.invalid", "resolve"]);
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_proxy_behind_tls() {
    let site = Site::start();
    let proxy = Proxy::tls_tunnel(site.server.port(), &site.path("server.pem"));
    assert_update(&through(
        &site,
        &format!("https://localhost:{}", proxy.port),
    ));
    assert_eq!(proxy.asked().len(), 1);

    // By what the server's is verified with, wherever that comes from.
    let of_environment = json!({
        "certificate_path": null,
        "proxy_url": format!("https://localhost:{}", proxy.port),
    });
    let check = Check::new(Link::Shared).env("SSL_CERT_FILE", site.path("ca.pem"));
    assert_update(&check.run(&site.config(of_environment)));
    assert_eq!(proxy.asked().len(), 2);

    // Its certificate is verified: nothing is asked of one that is not trusted.
    let other = Site::start();
    let proxy = Proxy::tls_tunnel(site.server.port(), &other.path("server.pem"));
    assert_failed(
        &through(&site, &format!("https://localhost:{}", proxy.port)),
        PSC_ERR_TLS,
        &["the proxy's certificate"],
    );
    assert!(proxy.asked().is_empty());
}

// ---- which proxy, and who resolves names ----------------------------------------------------------

#[test]
fn the_environment_counts_only_when_nothing_is_configured() {
    let site = Site::start();
    let forbidding = Proxy::answering(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    let forbidden = format!("http://127.0.0.1:{}", forbidding.port);
    let tunnel = Proxy::tunnel(site.server.port(), None);
    let allowed = format!("http://127.0.0.1:{}", tunnel.port);
    for variable in ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let check = Check::new(Link::Shared).env(variable, &forbidden);
        assert_update(&check.run(&site.config(json!({ "proxy_url": "none" }))));
        assert_update(&check.run(&site.config(json!({ "proxy_url": allowed }))));
        let outcome = check.run(&site.config(json!({ "proxy_url": null })));
        assert_failed(&outcome, PSC_ERR_NETWORK, &["proxy", "403"]);
    }
    assert_eq!(forbidding.asked().len(), 3);
    assert_eq!(tunnel.asked().len(), 3);
}

#[test]
fn no_proxy_is_for_proxies_of_the_environment() {
    let site = Site::start();
    let forbidding = Proxy::answering(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    let url = format!("http://127.0.0.1:{}", forbidding.port);
    let check = Check::new(Link::Shared)
        .env("https_proxy", &url)
        .env("no_proxy", "localhost");
    assert_update(&check.run(&site.config(json!({ "proxy_url": null }))));
    assert_failed(
        &check.run(&site.config(json!({ "proxy_url": url }))),
        PSC_ERR_NETWORK,
        &["403"],
    );
}

/// What psc wants of the environment it reads when it is configured, whatever a check goes through.
#[test]
fn no_check_reads_the_environment() {
    let site = Site::start();
    let http = Proxy::tunnel(site.server.port(), None);
    let https = Proxy::tls_tunnel(site.server.port(), &site.path("server.pem"));
    let quick = |more: Value| {
        let mut config = site.config(json!({ "start_delay": 0, "start_jitter": 0, "timeout": 5 }));
        for (key, value) in more.as_object().expect("an object") {
            config[key] = value.clone();
        }
        config.to_string()
    };
    let of_environment = quick(json!({ "proxy_url": null }));
    let direct = quick(json!({ "proxy_url": "none" }));
    let configured = quick(json!({ "proxy_url": format!("https://localhost:{}", https.port) }));
    let refused = quick(json!({ "url": "https://127.0.0.1:1/" }));
    let unresolved = quick(json!({ "url": "https://check.invalid/" }));
    let through_http = format!("http://u:p@127.0.0.1:{}", http.port);
    let through_https = format!("https://localhost:{}", https.port);
    let environments: [(&[(&str, &str)], &str); 5] = [
        (&[], "1"),
        (&[("https_proxy", &through_http)], "1"),
        (
            &[
                ("ALL_PROXY", &through_https),
                ("no_proxy", "elsewhere.example"),
            ],
            "1",
        ),
        (
            &[("HTTPS_PROXY", "\"broken"), ("NO_PROXY", "localhost")],
            "1",
        ),
        (&[("https_proxy", "\"broken")], "-8"),
    ];
    for check in both_libcurls() {
        let check = check.env("LD_PRELOAD", compile_preload("c-tests/preload/getenv.c"));
        for (variables, code) in environments {
            let check = variables
                .iter()
                .fold(check.clone(), |check, (name, value)| check.env(name, value));
            let arguments = [
                of_environment.as_str(),
                code,
                &direct,
                "1",
                &configured,
                "1",
                &refused,
                "-8",
                &unresolved,
                "-8",
            ];
            check.run_program("c-tests/api/environment.c", &arguments);
        }
    }
}

/// Which of the two cannot be reached is said by what the environment names, not guessed from words.
#[test]
fn a_proxy_of_the_environment_is_blamed_only_when_there_is_one() {
    type Variables = &'static [(&'static str, &'static str)];
    let site = Site::start();
    let cases: [(&str, Variables, &str); 7] = [
        ("https://127.1:1/", &[], "cannot connect to 127.1 ("),
        (
            "https://[0:0:0:0:0:0:0:1]:1/",
            &[],
            "cannot connect to 0:0:0:0:0:0:0:1 (",
        ),
        (
            "https://localhost:2/",
            &[("https_proxy", "http://localhost:1")],
            "cannot connect to the proxy that https_proxy names (",
        ),
        (
            "https://localhost:2/",
            &[("ALL_PROXY", "socks5h://nosuch.invalid:1")],
            "the name of the proxy that ALL_PROXY names cannot be resolved",
        ),
        (
            "https://nosuch.invalid:2/",
            &[("NO_PROXY", "elsewhere.example")],
            "the name nosuch.invalid cannot be resolved",
        ),
        (
            "https://localhost:2/",
            &[
                ("https_proxy", "http://localhost:1"),
                ("NO_PROXY", "localhost"),
            ],
            "cannot connect to the proxy that https_proxy names, or to localhost if NO_PROXY names it (",
        ),
        (
            "https://localhost:2/",
            &[("https_proxy", "")],
            "cannot connect to localhost (",
        ),
    ];
    for (url, environment, phrase) in cases {
        for check in both_libcurls() {
            let check = environment.iter().fold(
                check
                    .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
                    .env("RESOLVER_NONE", "nosuch.invalid"),
                |check, (name, value)| check.env(name, value),
            );
            let outcome = check.run(&site.config(json!({ "proxy_url": null, "url": url })));
            assert_failed(&outcome, PSC_ERR_NETWORK, &[phrase]);
            outcome.assert_first_retry();
        }
    }
}

#[test]
fn names_are_resolved_by_the_proxy_where_it_can() {
    let site = Site::start();
    // The server's certificate is not for this name: reaching it is what counts here.
    let url = format!(
        "https://only-the-proxy-knows.invalid:{}/v1/check.json",
        site.server.port()
    );
    for (scheme, is_local) in [
        ("http", false),
        ("socks4a", false),
        ("socks5h", false),
        ("socks4", true),
        ("socks5", true),
    ] {
        let proxy = match scheme {
            "http" => Proxy::tunnel(site.server.port(), None),
            _ => Proxy::socks(site.server.port(), None),
        };
        let names = site.path(&format!("names-{scheme}"));
        let outcome = Check::new(Link::Shared)
            .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
            .env("RESOLVER_LOG", &names)
            .env("RESOLVER_NONE", "only-the-proxy-knows.invalid")
            .run(&site.config(
                json!({ "url": url, "proxy_url": format!("{scheme}://127.0.0.1:{}", proxy.port) }),
            ));
        let looked_up = if Path::new(&names).exists() {
            std::fs::read_to_string(&names).expect("names")
        } else {
            String::new()
        };
        assert_eq!(
            looked_up.contains("only-the-proxy-knows"),
            is_local,
            "{scheme}: {looked_up}"
        );
        assert_failed(
            &outcome,
            if is_local {
                PSC_ERR_NETWORK
            } else {
                PSC_ERR_TLS
            },
            &[],
        );
        assert_eq!(
            proxy
                .asked()
                .iter()
                .any(|asked| asked.contains("only-the-proxy-knows")),
            !is_local,
            "{scheme}"
        );
    }
}
