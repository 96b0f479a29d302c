//! Proper exchanges, and requests that are refused.

mod client;

use client::{Answer, LIMIT, NONCE, Site, check, connect, exchange, raw_request, request};
use openssl::sha::sha256;
use psc_refserver::{ClientCertificate, Options, Server, keygen};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};

#[test]
fn an_old_version_gets_an_update() {
    let site = Site::start();
    let body = check("6.0.10").to_string();
    let data = site.verified(&site.post(&body));
    assert_eq!(
        data,
        json!({
            "nonce": NONCE,
            "update": 1,
            "version": "6.0.20",
            "log": "- [Fixed in 6.0.18] [CVE-2025-1234] Sample: a crafted request can crash the agent.",
            "severity": "high",
            "url": "https://example.com/advisories/CVE-2025-1234",
            "affected": "<6.0.18",
            "request_sha256": hex::encode(sha256(body.as_bytes())),
        })
    );
}

#[test]
fn the_latest_version_gets_none() {
    let site = Site::with(|options| options.request_binding = false);
    let data = site.verified(&site.check("6.0.20"));
    assert_eq!(data, json!({ "nonce": NONCE, "update": 0 }));
}

#[test]
fn requests_are_logged() {
    let site = Site::start();
    let body = check("6.0.10").to_string();
    let (authority, identity) = (
        site.path("ca.pem"),
        site.path("update_check_client_cert.pem"),
    );
    exchange(
        site.server.port(),
        &authority,
        Some(&identity),
        &request(&body),
    )
    .unwrap();
    site.server.set_fault("update");
    exchange(site.server.port(), &authority, None, &request(&body)).unwrap();
    let requests = site.server.wait_for_requests(2, LIMIT);
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, body);
    assert_eq!(requests[0].path, "/v1/check.json");
    assert!(
        requests[0]
            .headers
            .contains(&("Host".into(), "localhost".into()))
    );
    assert_eq!(
        (requests[0].client_certificate, requests[0].fault.as_str()),
        (true, "")
    );
    assert_eq!(
        (requests[1].client_certificate, requests[1].fault.as_str()),
        (false, "update")
    );
    assert_eq!(site.server.connections(), 2);

    let lines = fs::read_to_string(site.path("requests.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["body"], body);
    assert_eq!(lines[1]["fault"], "update");
}

#[test]
fn client_certificates() {
    let body = check("6.0.10").to_string();
    let other = tempfile::tempdir().unwrap();
    keygen(other.path()).unwrap();
    let stranger = other.path().join("update_check_client_cert.pem");

    let site = Site::with(|options| options.client_certificate = ClientCertificate::Required);
    let (port, authority) = (site.server.port(), site.path("ca.pem"));
    let identity = site.path("update_check_client_cert.pem");
    assert!(exchange(port, &authority, None, &request(&body)).is_err());
    assert!(exchange(port, &authority, Some(&stranger), &request(&body)).is_err());
    assert!(exchange(port, &authority, Some(&identity), &request(&body)).is_ok());

    let site = Site::start();
    let (port, authority) = (site.server.port(), site.path("ca.pem"));
    assert!(exchange(port, &authority, Some(&stranger), &request(&body)).is_err());

    let site = Site::with(|options| options.client_certificate = ClientCertificate::Off);
    let (port, authority) = (site.server.port(), site.path("ca.pem"));
    exchange(port, &authority, Some(&stranger), &request(&body)).unwrap();
    assert!(!site.server.requests()[0].client_certificate);
}

#[test]
fn requests_that_are_not_as_agreed_are_refused() {
    let site = Site::start();
    let post = |body: &str| raw_request("POST", "/v1/check.json", "application/json", body);
    let with = |key: &str, value: serde_json::Value| {
        let mut body = check("6.0.10");
        body[key] = value;
        post(&body.to_string())
    };
    let good = check("6.0.10").to_string();
    let without = |key: &str| {
        let mut body = check("6.0.10");
        body.as_object_mut().unwrap().remove(key);
        post(&body.to_string())
    };
    for (bytes, status, reason) in [
        (
            raw_request("GET", "/v1/check.json", "application/json", ""),
            405,
            "POST",
        ),
        (
            raw_request("POST", "/elsewhere", "application/json", &good),
            404,
            "/v1/check.json",
        ),
        (
            raw_request("POST", "/v1/check.json", "text/plain", &good),
            415,
            "application/json",
        ),
        (post(""), 400, "not JSON"),
        (post("[]"), 400, "not a JSON object"),
        (
            post(&good.replacen('{', "{\"nonce\":\"\",", 1)),
            400,
            "duplicate key",
        ),
        (without("passenger_version"), 400, "passenger_version"),
        (
            with("passenger_version", json!(6)),
            400,
            "passenger_version",
        ),
        (
            with("passenger_version", json!("6\n")),
            400,
            "passenger_version",
        ),
        (
            with("passenger_version", json!("6".repeat(257))),
            400,
            "passenger_version",
        ),
        (without("server_integration"), 400, "server_integration"),
        (with("server_version", json!(1)), 400, "server_version"),
        (without("curl_static"), 400, "curl_static"),
        (with("curl_static", json!("no")), 400, "curl_static"),
        (without("nonce"), 400, "nonce"),
        (
            with("nonce", json!("17AAECAwQFBgcICQoLDA0ODw=")),
            400,
            "nonce",
        ),
        (
            with("nonce", json!("x7AAECAwQFBgcICQoLDA0ODw==")),
            400,
            "nonce",
        ),
        (
            with("nonce", json!("AAECAwQFBgcICQoLDA0ODw==")),
            400,
            "nonce",
        ),
        (
            with("nonce", json!("ééééééééééééééééééééééééé")),
            400,
            "nonce",
        ),
        (with("license", json!("x")), 400, "license.key"),
        (b"garbage\r\n\r\n".to_vec(), 400, "not an HTTP request"),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n".to_vec(),
            413,
            "1 MiB",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
            400,
            "Content-Length",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
            413,
            "1 MiB",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx".to_vec(),
            400,
            "twice",
        ),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
            411,
            "Content-Length",
        ),
        (
            [
                b"POST / HTTP/1.1\r\nX: ".as_slice(),
                &[b'x'; 100_000],
                b"\r\n\r\n",
            ]
            .concat(),
            431,
            "64 KiB",
        ),
    ] {
        let answer = exchange(site.server.port(), &site.path("ca.pem"), None, &bytes).unwrap();
        let answer = Answer::parse(&answer);
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
        assert_eq!(answer.status, status, "{start}\n{}", answer.text());
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(reason), "{start}\n{error}");
    }
    assert!(
        site.server
            .requests()
            .iter()
            .all(|request| request.status >= 400)
    );
}

#[test]
fn optional_parts_of_a_request() {
    let site = Site::start();
    let mut body = check("6.0.10");
    body["server_version"] = json!("1.22.1");
    body["unknown"] = json!([1]);
    let bytes = raw_request(
        "POST",
        "/v1/check.json",
        "Application/JSON; charset=utf-8",
        &body.to_string(),
    );
    let answer = exchange(site.server.port(), &site.path("ca.pem"), None, &bytes).unwrap();
    site.verified(&Answer::parse(&answer));
    body.as_object_mut().unwrap().remove("server_version");
    site.verified(&site.post(&body.to_string()));
}

#[test]
fn a_client_that_waits_for_100_continue_is_let_go_on() {
    let site = Site::start();
    let body = check("6.0.10").to_string();
    let mut stream = connect(site.server.port(), &site.path("ca.pem"), None).unwrap();
    let head = format!(
        "POST /v1/check.json HTTP/1.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    site.verified(&Answer::parse(&bytes));
}

#[test]
fn advisories_change_while_the_server_runs() {
    let site = Site::start();
    let update = |version: &str| site.verified(&site.check(version))["update"].clone();
    assert_eq!(update("6.0.20"), 0);
    let list = r#"{"latest":"9.9","backoff":-60,"advisories":[{"affected":">=6.0.20,<9","fixed_in":"9","text":"x"}]}"#;
    fs::write(site.path("advisories.json"), list).unwrap();
    assert_eq!(update("6.0.20"), 1);
    assert_eq!(update("6.0.19"), 0);
    assert_eq!(site.verified(&site.check("6.0.19"))["backoff"], -60);
    // A broken file does not undo the list in force.
    fs::write(site.path("advisories.json"), "{").unwrap();
    assert_eq!(update("6.0.20"), 1);
    site.server
        .set_advisories(r#"{"latest":"9.9","advisories":[]}"#);
    assert_eq!(update("6.0.20"), 0);
    site.server.set_fault("update");
    assert_eq!(update("9.9"), 1);
    site.server.set_fault("");
    assert_eq!(update("9.9"), 0);
}

#[test]
fn the_fault_file_goes_first() {
    let site = Site::with(|options| options.fault = Some("status-503".into()));
    assert_eq!(site.check("6.0.10").status, 503);
    fs::write(site.path("fault"), "no-update\n").unwrap();
    assert_eq!(site.verified(&site.check("6.0.10"))["update"], 0);
    fs::write(site.path("fault"), "no such fault").unwrap();
    let answer = site.check("6.0.10");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("unknown fault"), "{}", answer.text());
    fs::write(site.path("fault"), "\n").unwrap();
    assert_eq!(site.check("6.0.10").status, 503);
}

#[test]
fn what_cannot_start_says_why() {
    let start = |options: Options| Server::start(options).err().unwrap().to_string();
    let empty = tempfile::tempdir().unwrap();
    assert!(start(Options::new(empty.path())).contains("advisories.json"));

    let site = Site::start();
    let options = || Options::new(site.dir.path());
    let fault = Options {
        fault: Some("nonsense".into()),
        ..options()
    };
    assert!(start(fault).contains("unknown fault"));
    let taken = Options {
        listen: ([127, 0, 0, 1], site.server.port()).into(),
        ..options()
    };
    assert!(start(taken).contains(&site.server.port().to_string()));
    let weak = openssl::rsa::Rsa::generate(1024)
        .unwrap()
        .private_key_to_pem()
        .unwrap();
    fs::write(site.path("sign_key.pem"), weak).unwrap();
    assert!(start(options()).contains("2048"));
    fs::write(site.path("server.pem"), "junk").unwrap();
    assert!(start(options()).contains("server.pem"));
}

#[test]
fn keygen_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("sign_key.pem"), "precious").unwrap();
    let error = keygen(dir.path()).unwrap_err().to_string();
    assert!(error.contains("sign_key.pem"), "{error}");
    assert_eq!(
        fs::read_to_string(dir.path().join("sign_key.pem")).unwrap(),
        "precious"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
