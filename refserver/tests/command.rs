//! The program.

use psc_refserver::FAULTS;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_psc-refserver"))
}

#[test]
fn keygen_serve_stop() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        program()
            .arg("keygen")
            .arg(dir.path())
            .status()
            .unwrap()
            .success()
    );
    let mut server = program()
        .arg("serve")
        .arg(dir.path())
        .args([
            "--listen",
            "127.0.0.1:0",
            "--client-certificate",
            "off",
            "--fault",
            "update",
        ])
        .args(["--license-alert", "true", "--no-request-binding"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line
        .trim_end()
        .strip_prefix("listening on https://localhost:")
        .and_then(|rest| rest.strip_suffix("/v1/check.json"))
        .map(|port| port.parse::<u16>().unwrap());
    let connected = port.map(|port| std::net::TcpStream::connect(("127.0.0.1", port)));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(matches!(connected, Some(Ok(_))), "{line:?}");
}

#[test]
fn faults_lists_them() {
    let output = program().arg("faults").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        names,
        FAULTS.iter().map(|fault| fault.name).collect::<Vec<_>>()
    );
}

#[test]
fn mistakes_on_the_command_line() {
    for (arguments, part) in [
        (vec![], "usage"),
        (vec!["start"], "usage"),
        (vec!["keygen"], "usage"),
        (vec!["serve", "/nonexistent"], "/nonexistent"),
        (
            vec!["serve", ".", "--listen"],
            "--listen: a value is missing",
        ),
        (vec!["serve", ".", "--listen", "here"], "ADDRESS:PORT"),
        (
            vec!["serve", ".", "--client-certificate", "maybe"],
            "off, optional or required",
        ),
        (vec!["serve", ".", "--port", "1"], "unknown option --port"),
    ] {
        let output = program().args(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}
