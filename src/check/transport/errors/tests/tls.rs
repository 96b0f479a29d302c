//! Handshakes, certificates and policies.

use super::super::classify;
use super::*;
use crate::error::Retry;

#[test]
fn certificates_that_are_not_verified() {
    const STORE: &str = "truststore";
    for (verdict, message, part, retry) in [
        (
            9,
            "certificate is not yet valid",
            "check the clock",
            Retry::Clock,
        ),
        (
            10,
            "certificate has expired",
            "check the clock",
            Retry::Clock,
        ),
        (
            18,
            "self-signed certificate",
            "not signed by a trusted authority",
            Retry::Interval,
        ),
        (
            20,
            "unable to get local issuer certificate",
            "not signed by a trusted authority",
            Retry::Interval,
        ),
        (
            62,
            "hostname mismatch",
            "not for the host name",
            Retry::Interval,
        ),
        (
            66,
            "EE certificate key too weak",
            "the operator of that server must act",
            Retry::Interval,
        ),
        (
            68,
            "CA signature digest algorithm too weak",
            "the operator of that server must act",
            Retry::Interval,
        ),
        (
            26,
            "unsuitable certificate purpose",
            "cannot be verified",
            Retry::Interval,
        ),
    ] {
        for message in [
            format!("SSL certificate problem: {message}"),
            format!("SSL certificate verify result: {message} ({verdict})"),
            format!("SSL certificate OpenSSL verify result: {message} ({verdict})"),
        ] {
            let of_server = Transfer {
                server_verify_result: verdict,
                ..transfer(PEER, &message)
            };
            let error = classify(&of_server, &direct());
            assert_error(&error, Code::Tls, &[part, STORE, "the server's"], &message);
            assert_eq!(error.retry, retry, "{message}");
            let of_proxy = Transfer {
                proxy_verify_result: verdict,
                ..transfer(PEER, &message)
            };
            let error = classify(&of_proxy, &by_proxy());
            assert_error(&error, Code::Tls, &[part, STORE, "the proxy's"], &message);
        }
    }
    for message in [
        "SSL: no alternative certificate subject name matches target host name 'check.example'",
        "SSL: no alternative certificate subject name matches target hostname 'check.example'",
        "SSL: certificate subject name 'x' does not match target host name 'check.example'",
    ] {
        let transfer = Transfer {
            server_verify_result: 0,
            ..transfer(PEER, message)
        };
        let error = classify(&transfer, &direct());
        assert_error(
            &error,
            Code::Tls,
            &["not for the host name", STORE],
            message,
        );
    }
    let message = "SSL: couldn't get peer certificate!";
    let error = classify(&transfer(PEER, message), &direct());
    assert_error(&error, Code::Tls, &["cannot be verified"], message);
    assert!(
        !error.to_string().contains("host name"),
        "{}",
        error.to_string()
    );
}

#[test]
fn the_policy_of_this_machine_is_named() {
    const POLICY: &str = "openssl.cnf";
    let strict = Policy {
        security_level: 3,
        ..Policy::default()
    };
    for verdict in [66, 67, 68] {
        let transfer = Transfer {
            server_verify_result: verdict,
            policy: strict,
            ..transfer(PEER, "SSL certificate problem: EE certificate key too weak")
        };
        let parts = ["security level 3 of this machine", POLICY, "truststore"];
        assert_error(
            &classify(&transfer, &direct()),
            Code::Tls,
            &parts,
            "verdict",
        );
    }
    for message in [
        "error:0A0000B5:SSL routines::no ciphers available",
        "TLS connect error: error:0A0000BF:SSL routines::no protocols available",
        "error:141E70BF:SSL routines:tls_construct_client_hello:no protocols available",
    ] {
        let error = classify(&transfer(HANDSHAKE, message), &direct());
        assert_error(
            &error,
            Code::Tls,
            &["policy of this machine leaves nothing", POLICY],
            message,
        );
    }
    let message = "failed setting cipher list: X";
    let error = classify(&transfer(CIPHER, message), &direct());
    assert_error(
        &error,
        Code::Tls,
        &["policy of this machine", POLICY],
        message,
    );
    for message in [
        "error:0A00018A:SSL routines::dh key too small",
        "error:141A318A:SSL routines:tls_process_ske_dhe:dh key too small",
        "error:0A000152:SSL routines::unsafe legacy renegotiation disabled",
        "TLS connect error: error:0A000102:SSL routines::unsupported protocol",
        "error:0A000172:SSL routines::wrong signature type",
        "error:0A00014D:SSL routines::legacy sigalg disallowed or unsupported",
        "error:03000098:digital envelope routines::invalid digest",
        "error:0A000410:SSL routines::sslv3 alert handshake failure",
        "TLS connect error: error:0A000410:SSL routines::ssl/tls alert handshake failure",
        "error:0A00042E:SSL routines::tlsv1 alert protocol version",
        "error:0A00042F:SSL routines::tlsv1 alert insufficient security",
    ] {
        let error = classify(&transfer(HANDSHAKE, message), &direct());
        assert_error(&error, Code::Tls, &[POLICY, "check.example"], message);
        assert!(
            !error.to_string().contains("client certificate"),
            "{message}"
        );
        let policy = Policy {
            forbids_tls_1_2: true,
            ..Policy::default()
        };
        let transfer = Transfer {
            policy,
            ..transfer(HANDSHAKE, message)
        };
        let parts = ["policy of this machine (it forbids TLS 1.2)", POLICY];
        assert_error(&classify(&transfer, &direct()), Code::Tls, &parts, message);
    }
    for message in ["ee key too small", "ca md too weak"] {
        let message = format!(
            "could not load PEM client certificate, OpenSSL error error:0A00018F:SSL routines::{message}, (no key found, wrong pass phrase, or wrong file format?)"
        );
        let error = classify(&transfer(CERTPROBLEM, &message), &direct());
        let parts = [
            "client certificate",
            "too weak",
            POLICY,
            "try upgrading or reinstalling",
        ];
        assert_error(&error, Code::File, &parts, &message);
    }
}

#[test]
fn client_certificates() {
    const AGAIN: &str = "try upgrading or reinstalling";
    let shown = || Context {
        client_certificate: Some("/client.pem".to_owned()),
        ..direct()
    };
    let asked_for = |code, message: &str| Transfer {
        client_certificate_requested: true,
        ..transfer(code, message)
    };
    for (code, message) in [
        (
            HANDSHAKE,
            "error:0A000410:SSL routines::sslv3 alert handshake failure",
        ),
        (
            HANDSHAKE,
            "TLS connect error: error:0A000410:SSL routines::ssl/tls alert handshake failure",
        ),
        (
            HANDSHAKE,
            "error:0A000412:SSL routines::sslv3 alert bad certificate",
        ),
        (
            HANDSHAKE,
            "error:0A000418:SSL routines::tlsv1 alert unknown ca",
        ),
        (
            RECV,
            "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0",
        ),
        (
            SEND,
            "SSL_write() error: error:0A00045C:SSL routines::tlsv13 alert certificate required",
        ),
        (
            CLIENTCERT,
            "TLS cert problem: error:0A00045C:SSL routines::tlsv13 alert certificate required",
        ),
        (CLIENTCERT, ""),
    ] {
        let error = classify(&asked_for(code, message), &direct());
        assert_error(
            &error,
            Code::Tls,
            &["wants a client certificate, and none is configured", AGAIN],
            message,
        );
        let error = classify(&asked_for(code, message), &shown());
        assert_error(
            &error,
            Code::Tls,
            &["refused the client certificate (/client.pem)", AGAIN],
            message,
        );
    }
    // The server's alert that ours has expired, which libcurl takes for a fault of the server's certificate.
    let message = "SSL certificate verification failed";
    for server_verify_result in [0, 1] {
        let transfer = Transfer {
            server_verify_result,
            ..asked_for(PEER, message)
        };
        let error = classify(&transfer, &shown());
        assert_error(
            &error,
            Code::Tls,
            &["refused the client certificate (/client.pem)"],
            message,
        );
    }
    for (code, message) in [
        (
            HANDSHAKE,
            "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to check.example:443 ",
        ),
        (SEND, "Send failure: Connection reset by peer"),
        (RECV, "Recv failure: Connection reset by peer"),
        (
            RECV,
            "getpeername() failed with errno 107: Transport endpoint is not connected",
        ),
        (GOT_NOTHING, "Empty reply from server"),
    ] {
        let parts = ["broke off", "asked for a client certificate and got none"];
        let error = classify(&asked_for(code, message), &direct());
        assert_error(&error, Code::Network, &parts, message);
        let error = classify(&asked_for(code, message), &shown());
        assert!(
            !error.to_string().contains("client certificate"),
            "{message}"
        );
    }
    for message in [
        "unable to set private key file: '(memory blob)' type PEM",
        "Private key does not match the certificate public key",
    ] {
        let error = classify(&transfer(CERTPROBLEM, message), &shown());
        assert_error(&error, Code::File, &["/client.pem", AGAIN], message);
    }
}
