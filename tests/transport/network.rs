//! Between psc and the server: names, connections, time, certificates.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::{assert_failed, assert_update, check};
use openssl::x509::X509;
use psc::ffi::codes::{PSC_ERR_FILE, PSC_ERR_NETWORK, PSC_ERR_SYSTEM, PSC_ERR_TLS};
use psc_refserver::ClientCertificate;
use psc_testkit::{
    Check, Link, Site, compile_preload, library, library_with_feature, require, run,
};
use serde_json::{Value, json};

fn with_resolver(variable: &str, name: &str) -> Check {
    Check::new(Link::Shared)
        .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
        .env(variable, name)
}

#[test]
fn a_name_that_does_not_exist() {
    let site = Site::start();
    let config = site.config(json!({ "url": "https://check.invalid/" }));
    for variable in ["RESOLVER_NONE", "RESOLVER_AGAIN"] {
        let outcome = with_resolver(variable, "check.invalid").run(&config);
        assert_failed(&outcome, PSC_ERR_NETWORK, &["check.invalid", "resolve"]);
        outcome.assert_first_retry();
        assert_eq!(outcome.http_status, Some(0));
    }
}

#[test]
fn a_resolver_that_never_answers() {
    let site = Site::start();
    let config = site.config(json!({ "url": "https://check.invalid/", "timeout": 2 }));
    let outcome = with_resolver("RESOLVER_HANG", "check.invalid")
        .limit(Duration::from_secs(20))
        .run(&config);
    assert_failed(&outcome, PSC_ERR_NETWORK, &["timed out"]);
    outcome.assert_took_less_than(5);
}

#[test]
fn a_port_where_nobody_listens() {
    let site = Site::start();
    let outcome = check(&site.config(json!({ "url": "https://127.0.0.1:1/" })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["127.0.0.1", "connect"]);
    outcome.assert_first_retry();
}

/// A listener whose backlog is full: the kernel drops every further SYN.
struct FullBacklog {
    address: SocketAddr,
    _listener: socket::Listener,
    _clients: Vec<TcpStream>,
}

mod socket {
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::AsRawFd;

    pub struct Listener(TcpListener);

    impl Listener {
        /// std's listeners have a backlog of 128; listening again changes it.
        pub fn with_smallest_backlog(address: SocketAddr) -> Listener {
            let listener = TcpListener::bind(address).expect("a listener");
            // SAFETY: a descriptor that the listener owns.
            assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
            Listener(listener)
        }

        pub fn address(&self) -> SocketAddr {
            self.0.local_addr().expect("an address")
        }
    }
}

impl FullBacklog {
    fn new(address: SocketAddr) -> FullBacklog {
        let listener = socket::Listener::with_smallest_backlog(address);
        let address = listener.address();
        let mut clients = Vec::new();
        while let Ok(client) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            clients.push(client);
            assert!(clients.len() < 64, "the backlog never fills");
        }
        FullBacklog {
            address,
            _listener: listener,
            _clients: clients,
        }
    }
}

#[test]
fn a_network_that_drops_everything() {
    let site = Site::start();
    let full = FullBacklog::new("127.0.0.1:0".parse().expect("an address"));
    let outcome =
        check(&site.config(json!({ "url": format!("https://{}/", full.address), "timeout": 2 })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["timed out"]);
    outcome.assert_took_less_than(5);
    outcome.assert_first_retry();
}

/// libcurl 7.88 sets no timer when it goes on to the last address of a name: psc's own wait is bounded.
#[test]
fn addresses_that_refuse_are_passed_over_at_once() {
    let site = Site::start();
    // The server's certificate is not for this name: reaching it is what counts here.
    let url = format!("https://many.invalid:{}/", site.server.port());
    let addresses = "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.1";
    for library in [library(), library_with_feature("static-curl")] {
        let outcome = with_resolver("RESOLVER_ADDRESSES", &format!("many.invalid={addresses}"))
            .with_library(library)
            .run(&site.config(json!({ "url": url, "timeout": 20 })));
        assert_failed(&outcome, PSC_ERR_TLS, &["host name"]);
        outcome.assert_took_less_than(5);
    }
}

/// Of the two families one is configured and leads nowhere, as IPv6 does in many networks.
#[test]
fn an_address_that_drops_everything_is_no_end_while_another_answers() {
    let mut elapsed = Duration::ZERO;
    for (answers, drops) in [("127.0.0.1", "::1"), ("::1", "127.0.0.1")] {
        let address = |ip: &str| ip.parse::<IpAddr>().expect("an address");
        let site = Site::start_with(|options| options.listen = (address(answers), 0).into());
        let port = site.server.port();
        let _full = FullBacklog::new((address(drops), port).into());
        let url = format!("https://localhost:{port}/v1/check.json");
        let outcome = check(&site.config(json!({ "url": url, "timeout": 20 })));
        assert_update(&outcome);
        outcome.assert_took_less_than(10);
        elapsed += outcome.elapsed;
    }
    // One of them came first, and was waited for.
    assert!(elapsed > Duration::from_millis(200), "{elapsed:?}");
}

#[test]
fn a_server_that_accepts_and_says_nothing() {
    let site = Site::start();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let url = format!("https://{}/", silent.local_addr().expect("an address"));
    let outcome = check(&site.config(json!({ "url": url, "timeout": 2 })));
    assert_failed(&outcome, PSC_ERR_NETWORK, &["timed out"]);
    outcome.assert_took_less_than(5);
}

#[test]
fn addresses_work_like_names() {
    let site = Site::start();
    let v4 = format!("https://127.0.0.1:{}/v1/check.json", site.server.port());
    assert_update(&check(&site.config(json!({ "url": v4 }))));
    let site = Site::start_with(|options| options.listen = "[::1]:0".parse().expect("an address"));
    let v6 = format!("https://[::1]:{}/v1/check.json", site.server.port());
    assert_update(&check(&site.config(json!({ "url": v6 }))));
}

/// A nonce that could be guessed would let old answers through.
#[test]
fn without_random_numbers_nothing_is_sent() {
    let site = Site::start();
    let with_fault = |fault: &str| {
        Check::new(Link::Shared)
            .env("LD_PRELOAD", compile_preload("c-tests/preload/random.c"))
            .env("RANDOM_FAULT", fault)
            .run(&site.config(json!({})))
    };
    for fault in ["fails", "nothing"] {
        let outcome = with_fault(fault);
        assert_failed(&outcome, PSC_ERR_SYSTEM, &["no random numbers"]);
    }
    assert_eq!(site.server.connections(), 0);
    let outcome = with_fault("short");
    assert_update(&outcome);
}

#[test]
fn the_client_certificate_is_shown() {
    let site = Site::start_with(|options| options.client_certificate = ClientCertificate::Required);
    assert_update(&check(&site.config(json!({}))));
    assert!(
        site.server
            .requests()
            .iter()
            .all(|request| request.client_certificate)
    );
    assert_eq!(site.server.requests().len(), 1);

    let without = check(&site.config(json!({ "client_certificate_path": "" })));
    assert_failed(&without, PSC_ERR_TLS, &["client certificate"]);
    assert_eq!(site.server.requests().len(), 1);

    let other = Site::start();
    let path = other.path("update_check_client_cert.pem");
    let refused = check(&site.config(json!({ "client_certificate_path": path })));
    assert_failed(
        &refused,
        PSC_ERR_TLS,
        &["client certificate", &path.to_string_lossy()],
    );
}

#[test]
fn without_a_client_certificate_none_is_shown() {
    let site = Site::start();
    assert_update(&check(
        &site.config(json!({ "client_certificate_path": "" })),
    ));
    assert!(!site.server.requests()[0].client_certificate);
}

#[test]
fn a_server_of_another_authority_gets_no_request() {
    let (trusted, other) = (Site::start(), Site::start());
    let outcome = check(&trusted.config(json!({ "url": other.server.url() })));
    assert_failed(&outcome, PSC_ERR_TLS, &["certificate"]);
    assert!(other.server.requests().is_empty());
    assert!(other.server.connections() > 0);
}

#[test]
fn the_systems_authorities_do_not_vouch_for_a_private_one() {
    let site = Site::start();
    let outcome = check(&site.config(json!({ "certificate_path": null })));
    assert_failed(&outcome, PSC_ERR_TLS, &["certificate"]);
    assert!(site.server.requests().is_empty());
}

/// A system whose /etc/ssl/certs is a directory with that site's authority, and no bundle.
fn with_system_store(site: &Site) -> Check {
    let pem = std::fs::read(site.path("ca.pem")).expect("a certificate");
    let certificate = X509::from_pem(&pem).expect("a certificate");
    // As `openssl rehash` names it.
    let name = format!("{:08x}.0", certificate.subject_name_hash());
    std::fs::create_dir(site.path("store")).expect("a directory");
    std::fs::write(site.path(&format!("store/{name}")), pem).expect("write");
    Check::new(Link::Shared)
        .env("LD_PRELOAD", compile_preload("c-tests/preload/no-trust.c"))
        .env("TRUST_STORE", site.path("store"))
}

#[test]
fn a_directory_of_the_system_is_trusted_when_nothing_is_configured() {
    let site = Site::start();
    let outcome = with_system_store(&site).run(&site.config(json!({ "certificate_path": null })));
    assert_update(&outcome);
}

#[test]
fn configured_authorities_are_trusted_instead_of_the_systems() {
    let (configured, of_system) = (Site::start(), Site::start());
    // Not ca.pem: OpenSSL does not ask a directory for a name that it already has, and all sites' authorities have the same.
    let only = configured.path("server.pem");
    let config =
        configured.config(json!({ "url": of_system.server.url(), "certificate_path": only }));
    let outcome = with_system_store(&of_system).run(&config);
    assert_failed(
        &outcome,
        PSC_ERR_TLS,
        &["not signed by a trusted authority"],
    );
    assert!(of_system.server.requests().is_empty());
}

/// OpenSSL's own configuration, as a distribution or an administrator sets it.
fn with_security_level(site: &Site, level: u32) -> Check {
    let path = site.path(&format!("openssl-{level}.cnf"));
    let lines = format!(
        "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\nCipherString = DEFAULT@SECLEVEL={level}\n"
    );
    std::fs::write(&path, lines).expect("write");
    Check::new(Link::Shared).env("OPENSSL_CONF", path)
}

#[test]
fn a_lax_system_does_not_make_weak_certificates_good() {
    let site = Site::start();
    let check = with_security_level(&site, 0);
    assert_update(&check.run(&site.config(json!({}))));
    for fault in ["tls-weak-rsa", "tls-sha1-chain"] {
        site.server.set_fault(fault);
        let outcome = check.run(&site.config(json!({})));
        assert_failed(&outcome, PSC_ERR_TLS, &["too weak"]);
    }
    assert_eq!(site.server.requests().len(), 1);
}

#[test]
fn a_stricter_system_is_obeyed() {
    let site = Site::start();
    // 192 bits: more than the server's P-256 key has.
    let config = site.config(json!({ "client_certificate_path": "" }));
    let outcome = with_security_level(&site, 4).run(&config);
    assert_failed(&outcome, PSC_ERR_TLS, &[]);
    assert!(site.server.requests().is_empty());
}

/// docs/log-messages.md, for `log_level` 7.
#[test]
fn every_field_sent_and_received_is_told_at_level_7() {
    let site = Site::start();
    let outcome = check(&site.config(json!({ "log_level": 7, "web_server_version": "1.22.1" })));
    let body = site.server.requests().remove(0).body;
    let sent: Value = serde_json::from_str(&body).expect("JSON");
    let sent = sent.as_object().expect("an object");
    assert_eq!(sent.len(), 5, "{body}");
    for (name, value) in sent {
        let line = (7, format!("sending: {name}: {value}"));
        assert!(outcome.log.contains(&line), "{line:?}: {}", outcome.output);
    }
    for name in ["nonce", "update", "version", "log", "request_sha256"] {
        let lines = outcome.log_lines(&format!("received: {name}: "));
        assert_eq!(lines.len(), 1, "{name}: {}", outcome.output);
        assert_eq!(lines[0].0, 7, "{name}");
    }
    assert_eq!(outcome.log_lines("received: update: 1").len(), 1);
    assert_eq!(outcome.log_lines("unverified: {").len(), 1);
}

#[test]
fn a_server_without_tls_gets_no_word_of_the_request() {
    let site = Site::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_millis(500)))
            .expect("a time limit");
        let mut bytes = [0; 8192];
        let length = stream.read(&mut bytes).expect("what the client says first");
        bytes[..length].to_vec()
    });
    let outcome = check(&site.config(json!({ "url": format!("https://{address}/") })));
    let said = server.join().expect("the server");
    assert!(
        matches!(outcome.code, Some(PSC_ERR_TLS | PSC_ERR_NETWORK)),
        "{}",
        outcome.output
    );
    assert_eq!(said[..2], [0x16, 0x03], "a TLS handshake record");
    let text = String::from_utf8_lossy(&said);
    assert!(
        !text.contains("passenger") && !text.contains("POST"),
        "{text}"
    );
}

#[test]
fn without_any_trust_store_nothing_is_sent() {
    let site = Site::start();
    let outcome = Check::new(Link::Shared)
        .env("LD_PRELOAD", compile_preload("c-tests/preload/no-trust.c"))
        .run(&site.config(json!({ "certificate_path": null })));
    assert_eq!(outcome.code, Some(PSC_ERR_FILE), "{}", outcome.output);
    for place in [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
    ] {
        assert!(outcome.error.contains(place), "{}", outcome.output);
    }
    assert_eq!(site.server.connections(), 0);
}

#[test]
fn a_disabled_check_opens_nothing() {
    let site = Site::start();
    let outcome = Check::new(Link::Shared)
        .env("LD_PRELOAD", compile_preload("c-tests/preload/resolver.c"))
        .env("RESOLVER_LOG", site.path("names"))
        .run(&site.config(json!({ "disabled": true, "log_level": 7 })));
    assert_eq!(outcome.code, Some(2));
    assert_eq!(outcome.log_lines("disabled").len(), 1, "{}", outcome.output);
    assert_eq!(outcome.log_lines("disabled")[0].0, 4);
    assert_eq!(site.server.connections(), 0);
    assert!(!std::path::Path::new(&site.path("names")).exists());
}

/// A link-local address is one only together with its interface, which both libcurls have to look up.
#[test]
fn an_ipv6_address_may_have_a_zone() {
    const INSIDE: &str = "PSC_TEST_IN_A_NETWORK_OF_ITS_OWN";
    if std::env::var_os(INSIDE).is_some() {
        return zones_are_looked_up();
    }
    let set_up =
        "ip link set lo up && ip address add fe80::1/64 dev lo nodad && exec \"$0\" \"$@\"";
    let done = run(
        Command::new(require("unshare"))
            .args(["--map-root-user", "--net", "sh", "-c", set_up])
            .arg(std::env::current_exe().expect("this program"))
            .args(["--exact", "network::an_ipv6_address_may_have_a_zone"])
            .env(INSIDE, "1"),
        Duration::from_secs(300),
    );
    assert!(
        done.code == Some(0) && done.stdout.contains("1 passed"),
        "{}{}",
        done.stdout,
        done.stderr
    );
}

fn zones_are_looked_up() {
    let site = Site::start_with(|options| {
        options.listen = "[fe80::1%1]:0".parse().expect("an address");
    });
    let url = |zone: &str| format!("https://[fe80::1%25{zone}]:{}/", site.server.port());
    for library in [library(), library_with_feature("static-curl")] {
        let check = Check::new(Link::Shared).with_library(library);
        // Reached; its certificate is for other addresses.
        let outcome = check.run(&site.config(json!({ "url": url("lo") })));
        assert_failed(&outcome, PSC_ERR_TLS, &["host name"]);
        let outcome = check.run(&site.config(json!({ "url": url("nosuch") })));
        assert_failed(
            &outcome,
            PSC_ERR_NETWORK,
            &["cannot connect", "fe80::1%25nosuch"],
        );
    }
}

/// libcurl writes the secrets of each connection to the file that `SSLKEYLOGFILE` names; those of a check are nobody's.
#[test]
fn no_secret_of_a_connection_is_written_down() {
    let site = Site::start();
    let file = site.path("keylog");
    for library in [library(), library_with_feature("static-curl")] {
        let outcome = Check::new(Link::Shared)
            .with_library(library)
            .env("SSLKEYLOGFILE", &file)
            .run(&site.config(json!({})));
        assert_update(&outcome);
        // libcurl may make the file.
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(written, "");
    }
}
