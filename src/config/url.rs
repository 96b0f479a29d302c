//! `host[:port]` of a URL (RFC 3986, section 3.2) and the https URL of the check server.

use std::net::Ipv6Addr;

const BEYOND_ASCII: &str = "the host contains letters beyond ASCII: write it in its ASCII form, which begins with xn-- (Punycode; the command idn2 prints it)";

/// Host and port as they stand in a URL: `example.org`, `192.0.2.1:8080`, `[2001:db8::1]:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Without the brackets of an IPv6 literal.
    pub host: String,
    pub port: Option<u16>,
}

impl HostPort {
    pub fn parse(text: &str) -> Result<HostPort, &'static str> {
        let (host, port) = split_port(text)?;
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                match digits.parse::<u16>() {
                    Ok(port) if port > 0 => Some(port),
                    _ => return Err("the port must be a number from 1 to 65535"),
                }
            }
            Some(_) => return Err("the port must be a number from 1 to 65535"),
        };
        Ok(HostPort { host, port })
    }

    /// `host[:port]` with the brackets that an IPv6 literal needs.
    pub fn to_text(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

fn split_port(text: &str) -> Result<(String, Option<&str>), &'static str> {
    if let Some(rest) = text.strip_prefix('[') {
        let (literal, after) = rest.split_once(']').ok_or("the host's ] is missing")?;
        let host = ipv6_host(literal)?;
        return match (after, after.strip_prefix(':')) {
            ("", _) => Ok((host, None)),
            (_, Some(port)) => Ok((host, Some(port))),
            _ => Err("what follows ] is not a port"),
        };
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if host.is_empty() {
        return Err("the host is missing");
    }
    if !host.is_ascii() {
        return Err(BEYOND_ASCII);
    }
    if !host.bytes().all(is_host_byte) {
        return Err("the host contains characters that no host name has");
    }
    Ok((host.to_owned(), port))
}

/// An address, and perhaps the zone that it is of: `fe80::1%25eth0` (RFC 6874), or `%eth0`, as libcurl takes it too.
fn ipv6_host(literal: &str) -> Result<String, &'static str> {
    const MAX_ZONE: usize = 15; // the name of an interface (IFNAMSIZ)
    let (address, zone) = match literal.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (literal, None),
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return Err("what stands in [] is not an IPv6 address");
    }
    let Some(zone) = zone else {
        return Ok(address.to_owned());
    };
    let zone = zone
        .strip_prefix("25")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(zone);
    if !(1..=MAX_ZONE).contains(&zone.len()) || !zone.bytes().all(is_host_byte) {
        return Err(
            "the zone of an IPv6 address is an interface's name after %25, as in [fe80::1%25eth0]",
        );
    }
    Ok(format!("{address}%25{zone}"))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// The check server's URL: https only, without credentials and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpsUrl {
    text: String,
    host_port: HostPort,
}

impl HttpsUrl {
    pub fn parse(text: &str) -> Result<HttpsUrl, &'static str> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
            _ => return Err("must be an https:// URL"),
        };
        if text.contains('#') {
            return Err("must not have a fragment");
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host_port, _) = rest.split_at_checked(end).ok_or("the host is missing")?;
        if !host_port.is_ascii() {
            return Err(BEYOND_ASCII);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("contains characters that must be percent-encoded");
        }
        if host_port.contains('@') {
            return Err("must not contain credentials");
        }
        Ok(HttpsUrl {
            text: text.to_owned(),
            host_port: HostPort::parse(host_port)?,
        })
    }

    /// Stands for a URL that was refused while the other problems are collected.
    pub fn placeholder() -> HttpsUrl {
        HttpsUrl {
            text: String::new(),
            host_port: HostPort {
                host: String::new(),
                port: None,
            },
        }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// For messages: where a check goes.
    pub fn host(&self) -> &str {
        &self.host_port.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_https_are_accepted() {
        for (text, host) in [
            ("https://a.example/v1/check.json", "a.example"),
            ("HTTPS://a:8443", "a"),
            ("https://[::1]:1/x?y=z@w", "::1"),
            ("https://127.0.0.1?q", "127.0.0.1"),
            ("https://[fe80::1%25eth0.1]:1/", "fe80::1%25eth0.1"),
            ("https://[fe80::1%eth0]", "fe80::1%25eth0"),
            ("https://[fe80::1%25]", "fe80::1%2525"),
        ] {
            assert_eq!(HttpsUrl::parse(text).unwrap().host(), host, "{text}");
        }
    }

    #[test]
    fn a_host_beyond_ascii_is_told_its_cure() {
        for url in [
            "https://bücher.example/",
            "https://bücher.example:8443?x",
            "https://例え.テスト",
        ] {
            let problem = HttpsUrl::parse(url).unwrap_err();
            assert!(problem.contains("xn--"), "{url}: {problem}");
        }
        assert!(
            HostPort::parse("bücher.example:1")
                .unwrap_err()
                .contains("xn--")
        );
        let path = HttpsUrl::parse("https://a.example/bücher").unwrap_err();
        assert!(path.contains("percent-encoded"), "{path}");
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "http://a/",
            "file:///etc/passwd",
            "gopher://a",
            "https://",
            "https:///x",
            "https://u:p@a/",
            "https://a b/",
            "https://a/\r\nX: y",
            "https://a:0/",
            "https://a:65536/",
            "https://a:x/",
            "https://[::1",
            "https://[zz]/",
            "https://[::1]x/",
            "https://a/#f",
            "https://é/",
            "https://a%2f/",
            "https://a\\b/",
            "https://[fe80::1%]/",
            "https://[fe80::1%25a%2fb]/",
            "https://[fe80::1%251234567890123456]/",
            "https://[127.0.0.1%25eth0]/",
            "https://127.0.0.1%25eth0/",
            "a",
            "",
            "https://a:+1/",
        ] {
            assert!(HttpsUrl::parse(text).is_err(), "accepted: {text}");
        }
    }
}
