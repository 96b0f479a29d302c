//! Who is blamed for a failure, on the real thing: a kernel that refuses, an OpenSSL with a policy, name servers that block a
//! name, servers that want another client. libcurl's words of other versions are in a table in `src/check/transport/failure`.
//!
//! Each with the system's libcurl, and with a newer one that has other codes and words.

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::{assert_failed, both_libcurls};
use openssl::error::ErrorStack;
use openssl::ssl::{
    HandshakeError, SslAcceptor, SslFiletype, SslMethod, SslOptions, SslVerifyMode, SslVersion,
};
use openssl::x509::X509VerifyResult;
use psc::ffi::codes::{PSC_ERR_NETWORK, PSC_ERR_SYSTEM, PSC_ERR_TLS};
use psc_testkit::{Check, Link, Outcome, Site, compile_preload};
use serde_json::{Value, json};

const DNS: &str = "check your DNS";
const SECURITY: &str = "check your connection security";

/// One record that has all of `phrases` and none of `wrong`.
fn assert_blames(outcome: &Outcome, code: i32, phrases: &[&str], wrong: &[&str]) {
    assert_failed(outcome, code, phrases);
    let line = &outcome.log_lines("Security update check failed:")[0].1;
    for phrase in wrong {
        assert!(!line.contains(phrase), "{phrase} is blamed: {line}");
    }
}

/// docs/log-messages.md: program and host are in the line, whoever is at fault.
#[test]
fn a_failure_tells_whose_check_it_was_and_where() {
    let site = Site::start();
    let config = site.config(json!({ "url": "https://127.0.0.1:1/", "program_name": "Test Host" }));
    let outcome = Check::new(Link::Static).run(&config);
    let beginning = "Security update check failed: for Test Host at 127.0.0.1: cannot connect to";
    assert_blames(&outcome, PSC_ERR_NETWORK, &[beginning, SECURITY], &[]);
}

// ---- this machine ---------------------------------------------------------------------------------

fn forbidding(check: &Check, call: &str, errno: i32) -> Check {
    check
        .clone()
        .env("LD_PRELOAD", compile_preload("c-tests/preload/forbidden.c"))
        .env("FORBIDDEN_CALL", call)
        .env("FORBIDDEN_ERRNO", errno.to_string())
}

/// A limit on processes or threads, and an old seccomp profile.
#[test]
fn a_thread_that_cannot_be_made_for_a_look_up() {
    let site = Site::start();
    // Newer versions of libcurl try again until the time is up.
    let config = site.config(json!({ "url": "https://check.invalid/", "timeout": 3 }));
    for check in both_libcurls() {
        for (errno, words) in [
            (libc::EAGAIN, "Resource temporarily unavailable"),
            (libc::EPERM, "Operation not permitted"),
        ] {
            let outcome = forbidding(&check, "threads", errno).run(&config);
            let phrases = ["no thread can be made for it", words, "limits on threads"];
            let wrong = ["name server", DNS, "cannot be resolved", "firewall"];
            assert_blames(&outcome, PSC_ERR_SYSTEM, &phrases, &wrong);
        }
    }
}

/// SELinux, AppArmor, or a firewall's rule for what goes out.
#[test]
fn a_connection_that_this_machine_does_not_permit() {
    let site = Site::start();
    for check in both_libcurls() {
        for errno in [libc::EACCES, libc::EPERM] {
            let outcome = forbidding(&check, "connect", errno).run(&site.config(json!({})));
            let phrases = ["cannot connect", "rules of this machine", SECURITY];
            assert_blames(
                &outcome,
                PSC_ERR_NETWORK,
                &phrases,
                &["whether a proxy must be set"],
            );
            outcome.assert_first_retry();
        }
        let outcome = forbidding(&check, "connect", libc::ENETUNREACH).run(&site.config(json!({})));
        let phrases = ["cannot connect", "has no way there", SECURITY];
        assert_blames(&outcome, PSC_ERR_NETWORK, &phrases, &[]);
    }
    assert_eq!(site.server.connections(), 0);
}

/// OpenSSL's own configuration, as a distribution or an administrator sets it.
fn with_policy(check: &Check, site: &Site, policy: &str) -> Check {
    let path = site.path("openssl.cnf");
    let lines = format!(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n{policy}\n"
    );
    std::fs::write(&path, lines).expect("write");
    check.clone().env("OPENSSL_CONF", path)
}

#[test]
fn a_policy_of_this_machine_is_named() {
    const POLICY: &str = "openssl.cnf";
    let site = Site::start();
    let server = TlsServer::start(&site, SslVersion::TLS1_2, |_| {});
    let here = site.config(json!({ "client_certificate_path": "" }));
    let there = site.config(json!({ "client_certificate_path": "", "url": server.url() }));
    for check in both_libcurls() {
        for (policy, config, phrases) in [
            (
                "CipherString = DEFAULT@SECLEVEL=4",
                &here,
                ["policy of this machine (security level 4)", POLICY],
            ),
            (
                "Protocol = -ALL,TLSv1",
                &here,
                ["policy of this machine leaves nothing to offer", POLICY],
            ),
            (
                "Protocol = -TLSv1.2",
                &there,
                ["policy of this machine (it forbids TLS 1.2)", POLICY],
            ),
            (
                "SignatureAlgorithms = ed448",
                &there,
                ["no version or cipher of TLS in common", POLICY],
            ),
        ] {
            let outcome = with_policy(&check, &site, policy).run(config);
            let wrong = ["client certificate", "firewall", "name server"];
            assert_blames(&outcome, PSC_ERR_TLS, &phrases, &wrong);
        }
    }
    assert!(site.server.requests().is_empty());
}

// ---- names ----------------------------------------------------------------------------------------

#[test]
fn a_name_that_is_not_resolved() {
    let site = Site::start();
    let resolver = compile_preload("c-tests/preload/resolver.c");
    for check in both_libcurls() {
        let check = check.env("LD_PRELOAD", &resolver);
        let config = site.config(json!({ "url": "https://check.invalid/", "timeout": 2 }));
        let outcome = check
            .clone()
            .env("RESOLVER_NONE", "check.invalid")
            .run(&config);
        let phrases = ["the name check.invalid cannot be resolved", DNS];
        assert_blames(&outcome, PSC_ERR_NETWORK, &phrases, &["firewall"]);

        let outcome = check
            .env("RESOLVER_HANG", "check.invalid")
            .limit(Duration::from_secs(30))
            .run(&config);
        let phrases = ["the name servers did not answer for check.invalid", DNS];
        assert_blames(&outcome, PSC_ERR_NETWORK, &phrases, &["firewall"]);
        outcome.assert_first_retry();
    }
}

/// Name servers that block a name answer with an address of nobody, or of this machine, whose own web server may answer.
#[test]
fn a_name_that_is_blocked() {
    let site = Site::start();
    let open = site.server.port();
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    for check in both_libcurls() {
        let check = check
            .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
            .env("RESOLVER_NOWHERE", "updates.example");
        for (address, port, code) in [
            ("0.0.0.0", closed, PSC_ERR_NETWORK),
            ("::", closed, PSC_ERR_NETWORK),
            ("127.0.0.1", closed, PSC_ERR_NETWORK),
            ("0.0.0.0", open, PSC_ERR_TLS),
        ] {
            let url = format!("https://updates.example:{port}/");
            let outcome = check
                .clone()
                .env("RESOLVER_ADDRESS", address)
                .run(&site.config(json!({ "url": url })));
            let phrase = format!("the name servers answer {address} for updates.example");
            assert_blames(
                &outcome,
                code,
                &[&phrase, DNS],
                &["check the network, the firewall"],
            );
        }
    }
    assert!(site.server.requests().is_empty());
}

// ---- time -----------------------------------------------------------------------------------------

#[test]
fn a_server_that_accepts_and_says_nothing_is_told_from_one_that_is_not_reached() {
    let site = Site::start();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    for check in both_libcurls() {
        let outcome = check.run(&site.config(json!({ "url": url, "timeout": 2 })));
        let phrases = ["timed out: 127.0.0.1 accepts the connection", SECURITY];
        assert_blames(&outcome, PSC_ERR_NETWORK, &phrases, &["name server"]);

        site.server.set_fault("hang");
        let outcome = check.run(&site.config(json!({ "timeout": 2 })));
        let phrase = "timed out: no complete answer from localhost in time";
        assert_blames(&outcome, PSC_ERR_NETWORK, &[phrase], &["name server"]);
    }
}

// ---- client certificates --------------------------------------------------------------------------

/// A TLS server that does nothing after the handshake.
struct TlsServer {
    port: u16,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl TlsServer {
    fn start(
        site: &Site,
        version: SslVersion,
        change: impl FnOnce(&mut openssl::ssl::SslAcceptorBuilder),
    ) -> TlsServer {
        let acceptor = TlsServer::acceptor(site, version, change).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let stopped = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stopped);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a connection");
                let limit = Some(Duration::from_secs(10));
                stream.set_read_timeout(limit).expect("a time limit");
                match acceptor.accept(stream) {
                    Ok(stream) => linger(stream.get_ref()),
                    Err(HandshakeError::Failure(handshake)) => linger(handshake.get_ref()),
                    Err(_) => {}
                }
            }
        });
        TlsServer {
            port,
            stopped,
            acceptor: Some(acceptor),
        }
    }

    fn acceptor(
        site: &Site,
        version: SslVersion,
        change: impl FnOnce(&mut openssl::ssl::SslAcceptorBuilder),
    ) -> Result<SslAcceptor, ErrorStack> {
        let pem = site.path("server.pem");
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_certificate_chain_file(&pem)?;
        builder.set_private_key_file(&pem, SslFiletype::PEM)?;
        builder.clear_options(SslOptions::NO_TLSV1_3);
        builder.set_min_proto_version(Some(version))?;
        builder.set_max_proto_version(Some(version))?;
        change(&mut builder);
        Ok(builder.build())
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Ends the wait for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Were it closed before the client has read an alert, the connection would be reset, and the alert lost.
fn linger(mut stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn required() -> SslVerifyMode {
    SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT
}

/// In TLS 1.2 the server says no more than "handshake failure".
#[test]
fn a_client_certificate_that_is_wanted_and_not_configured() {
    let site = Site::start();
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let server = TlsServer::start(&site, version, |builder| builder.set_verify(required()));
        let config = site.config(json!({ "client_certificate_path": "", "url": server.url() }));
        for check in both_libcurls() {
            let outcome = check.run(&config);
            let phrases = [
                "localhost wants a client certificate, and none is configured",
                "client_certificate_path",
                "try upgrading or reinstalling",
            ];
            assert_blames(
                &outcome,
                PSC_ERR_TLS,
                &phrases,
                &["firewall", "TLS 1.2", "openssl.cnf"],
            );
        }
    }
}

/// By the alert for each reason.
#[test]
fn a_client_certificate_that_is_refused() {
    let site = Site::start();
    let path = site.path("update_check_client_cert.pem");
    let reasons = [
        X509VerifyResult::APPLICATION_VERIFICATION,
        verify_result(openssl_sys::X509_V_ERR_CERT_HAS_EXPIRED),
        verify_result(openssl_sys::X509_V_ERR_CERT_REVOKED),
        verify_result(openssl_sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
    ];
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        for reason in reasons {
            let server = TlsServer::start(&site, version, |builder| {
                builder.set_verify_callback(required(), move |_, store| {
                    store.set_error(reason);
                    false
                });
            });
            let config = site.config(json!({ "url": server.url() }));
            for check in both_libcurls() {
                let outcome = check.run(&config);
                let phrases = [
                    "localhost refused the client certificate (",
                    &path.to_string_lossy(),
                    "try upgrading or reinstalling",
                ];
                assert_blames(
                    &outcome,
                    PSC_ERR_TLS,
                    &phrases,
                    &["the server's certificate", "firewall"],
                );
            }
        }
    }
}

/// X509_V_ERR_… of OpenSSL's x509_vfy.h.
fn verify_result(number: i32) -> X509VerifyResult {
    // SAFETY: any number is one, known or not.
    unsafe { X509VerifyResult::from_raw(number) }
}

// ---- urls -----------------------------------------------------------------------------------------

#[test]
fn a_host_beyond_ascii_is_refused_with_its_cure() {
    let site = Site::start();
    for (key, value) in [
        ("url", "https://bücher.example/v1/check.json"),
        ("proxy_url", "http://bücher.example:3128"),
    ] {
        let config: Value = site.config(json!({ key: value }));
        let outcome = Check::new(Link::Static).run(&config);
        assert_eq!(outcome.configured, -2, "{}", outcome.output);
        assert!(outcome.error.contains(key), "{}", outcome.output);
        assert!(outcome.error.contains("xn--"), "{}", outcome.output);
    }
}
