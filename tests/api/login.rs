//! Logins of proxies and servers, in every form that people write them in: no piece of one ever leaves psc.

use psc_testkit::printed::{objects, readable};
use psc_testkit::{Link, Site, compile, long, private_dir, require};
use serde_json::{Value, json};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

/// So many bytes of a login in a row are a leak; chance brings none of them about.
const PIECE: usize = 8;

/// SplitMix64: a failure names its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("small")
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn word(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..length)
            .map(|_| char::from(LETTERS[self.below(LETTERS.len())]))
            .collect()
    }

    /// Words with what breaks a URL between them.
    fn part(&mut self) -> String {
        const BREAKS: [&str; 24] = [
            " ", "\"", "'", "@", "@@", ":", "/", "//", "://", "?", "#", "%", "%zz", "%40", "%3a",
            "%0a", "%00", "\\", "[", "]", "\t", "é", "\u{3164}", "$&;",
        ];
        let mut part = String::new();
        for _ in 0..=self.below(3) {
            let length = match self.below(12) {
                0 => 250 + self.below(20),
                1 => 1 + self.below(5000),
                _ => PIECE + self.below(12),
            };
            part += &self.word(length);
            if self.below(2) == 0 {
                part += self.one_of(&BREAKS);
                part += &self.word(PIECE);
            }
        }
        part
    }

    fn login(&mut self) -> String {
        let user = self.part();
        match self.below(4) {
            0 => user,
            _ => user + ":" + &self.part(),
        }
    }
}

/// A login and a URL that it is part of.
struct Case {
    login: String,
    url: String,
}

impl Case {
    fn random(random: &mut Random, port: u16) -> Case {
        let port = port.to_string();
        let login = random.login();
        let before = random.one_of(&["", "", "", "", " ", "\"", "'"]);
        let scheme = random.one_of(&[
            "http://",
            "http://",
            "https://",
            "socks5h://",
            "socks4://",
            "HTTP:/",
            "http:///",
            "http:",
            "//",
            "ftp://",
            "htp://",
            "h ttp://",
            "://",
            "",
        ]);
        let at = random.one_of(&["@", "@", "@", "@", "@@", "@ ", "%40"]);
        let host = random.one_of(&[
            "127.0.0.1",
            "127.0.0.1",
            "[::1]",
            "no host",
            "[::1",
            "%41",
            "bücher",
            "",
        ]);
        let end = random.one_of(&[
            ":PORT",
            ":PORT",
            ":PORT/",
            ":PORT/path",
            ":1",
            ":99999",
            ":x",
            "?tunnel",
            "?x",
            "#y",
            "\n",
        ]);
        let after = random.one_of(&["", "", "", " ", "\"", "'"]);
        let url = format!(
            "{before}{scheme}{login}{at}{host}{}{after}",
            end.replace("PORT", &port)
        );
        Case { login, url }
    }

    /// The line for login.c.
    fn line(&self, random: &mut Random) -> String {
        let variable = random.one_of(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        let configured = |key: &str| json!({key: self.url}).to_string();
        // With one of these the host of a URL ends: what stands there is the host then, to everybody.
        let is_server = !self.login.contains(['/', '?', '#', '\\']);
        let (kind, name, text) = match random.below(8) {
            0 if is_server => ("json", "url", configured("url")),
            1..4 => ("json", "proxy_url", configured("proxy_url")),
            4 => {
                // Not JSON: what is said about it may quote it.
                let mut text = configured("proxy_url");
                let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
                text.truncate(ends[random.below(ends.len())]);
                ("json", "cut", text)
            }
            5 => ("json", "misspelt", configured("proxy_ulr")),
            _ => ("env", variable, self.url.clone()),
        };
        format!("{kind} {name} {}\n", hex::encode(text))
    }

    /// As it was written, and as it is sent.
    fn forms(&self) -> [Vec<u8>; 2] {
        let written = self.login.as_bytes();
        let mut decoded = Vec::new();
        let mut at = 0;
        while let Some(byte) = written.get(at) {
            let escaped = (*byte == b'%')
                .then(|| self.login.get(at + 1..at + 3))
                .flatten();
            match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                Some(byte) => {
                    decoded.push(byte);
                    at += 3;
                }
                None => {
                    decoded.push(*byte);
                    at += 1;
                }
            }
        }
        [written.to_vec(), decoded]
    }

    fn leaks_into(&self, said: &[u8]) -> Option<String> {
        let said: std::collections::HashSet<&[u8]> = said.windows(PIECE).collect();
        self.forms().iter().find_map(|form| {
            let piece = form.windows(PIECE).find(|piece| said.contains(piece))?;
            Some(String::from_utf8_lossy(piece).into_owned())
        })
    }
}

/// A proxy that lets nobody through. It ends with the tests.
fn refusing_proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 16384]);
            let _ = stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
        }
    });
    port
}

/// What psc said about each of them.
fn told(lines: &[String], base: &Value, state_file: &std::path::Path) -> Vec<String> {
    let mut child = Command::new(require("timeout"))
        .arg("600")
        .arg(compile("c-tests/api/login.c", Link::Shared))
        .arg(base.to_string())
        .arg(state_file)
        // Cargo's own, which leads to another build of libpsc.so.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a program");
    let mut stdin = child.stdin.take().expect("its input");
    let input = lines.concat();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let done = child.wait_with_output().expect("its end");
    writer.join().expect("a writer").expect("all is read");
    assert!(done.status.success(), "{:?}", done.status);
    let mut all = vec![String::new()];
    for object in objects(&String::from_utf8(done.stdout).expect("UTF-8")) {
        match object.contains_key("end") {
            true => all.push(String::new()),
            false => *all.last_mut().expect("a text") += &readable(&object),
        }
    }
    assert_eq!(all.pop().as_deref(), Some(""), "each is ended");
    all
}

#[test]
fn no_piece_of_a_login_leaves_psc() {
    let site = Site::start();
    let state = private_dir();
    let base = site.config(json!({
        "proxy_url": null, "log_level": 7, "timeout": 5, "state_dir": state.path(),
    }));
    let seed = RandomState::new().hash_one(());
    let mut random = Random(seed);
    let port = refusing_proxy();
    let count = if long() { 20_000 } else { 1000 };
    let cases: Vec<Case> = (0..count)
        .map(|_| Case::random(&mut random, port))
        .collect();
    let lines: Vec<String> = cases.iter().map(|case| case.line(&mut random)).collect();
    let told = told(&lines, &base, &state.path().join("state.json"));
    assert_eq!(told.len(), count, "seed {seed}");
    for (case, said) in cases.iter().zip(&told) {
        if let Some(piece) = case.leaks_into(said.as_bytes()) {
            panic!("seed {seed}: {piece:?} of {:?}\n{said}", case.url);
        }
    }
    // Every way was taken: refused, masked, sent, and kept.
    for part in [
        "configured -2",
        "cannot be used",
        "***@",
        "407",
        "state {",
        "\"proxy\":",
    ] {
        assert!(
            told.iter().any(|said| said.contains(part)),
            "seed {seed}: {part} is missing"
        );
    }
}
