//! What the running server tells of the check.

use psc_testkit::wait_until;

use crate::apache::{Apache, Mpm, SOON};

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").expect("a response").1
}

#[test]
fn the_status_handler_answers_json_from_every_child() {
    for mpm in Mpm::ALL {
        let mut site = Apache::new(mpm);
        site.processes = 3;
        site.start();
        site.wait_for_line("no update found");
        for _ in 0..10 {
            let response = site.get("/psc");
            assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
            assert!(
                response.contains("Content-Type: application/json"),
                "{response}"
            );
            assert!(response.contains("Cache-Control: no-store"), "{response}");
            let body = body(&response);
            assert!(body.starts_with('{') && body.ends_with("}\n"), "{body}");
            // of the process that checks, whichever child answers
            for part in ["\"verdict\":\"ok\"", "\"running\":true", "\"owner\":true"] {
                assert!(body.contains(part), "{mpm:?}: {body}");
            }
        }
        site.finish();
    }
}

#[test]
fn the_status_handler_only_reads() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    let head = site.ask("HEAD", "/psc");
    assert!(head.contains("200 OK") && body(&head).is_empty(), "{head}");
    let post = site.ask("POST", "/psc");
    assert!(
        post.contains("405 Method Not Allowed") && post.contains("Allow: "),
        "{post}"
    );
    site.finish();
}

#[test]
fn mod_status_has_a_line() {
    let mut site = Apache::new(Mpm::Event);
    site.start();
    wait_until("a result in mod_status", SOON, || {
        let response = site.get("/server-status?auto");
        let line = response
            .lines()
            .find(|line| line.starts_with("PscSecurityUpdateCheck: {"));
        line.is_some_and(|line| line.contains("\"verdict\":\"ok\""))
    });
    let page = site.get("/server-status");
    let line = page
        .lines()
        .find(|line| line.contains("Security update check:"));
    assert!(line.expect("a line").contains("&quot;verdict&quot;"));
    assert!(!line.expect("a line").contains("{\""), "escaped: {line:?}");
    site.finish();
}
