//! `proxy_url` (docs/configuration.md, Proxy): `none`, or `scheme://[user[:password]@]host[:port][?tunnel]`.

use super::url::HostPort;
use std::ffi::{CStr, CString};

#[derive(Clone, Debug)]
pub enum Proxy {
    /// Not configured: libcurl's environment variables count, as `environment` has captured them.
    Environment,
    /// `none`: no proxy, whatever the environment says.
    Direct,
    Server(ProxyServer),
}

#[derive(Clone, Debug)]
pub struct ProxyServer {
    pub scheme: &'static str,
    pub host_port: HostPort,
    pub credentials: Option<Credentials>,
    /// `?tunnel` was given. The check is always tunnelled, since it is always https.
    pub tunnel: bool,
    /// Of a SOCKS proxy at a Unix socket, which only an environment variable can name; else empty.
    socket: String,
}

/// Percent-decoded; never to be shown.
#[derive(Clone)]
pub struct Credentials {
    user: CString,
    password: CString,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("Credentials(***)")
    }
}

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
const SCHEME_PROBLEM: &str = "must be `none` or start with http://, https://, socks4://, socks4a://, socks5:// or socks5h://";

impl Proxy {
    pub fn parse(text: &str) -> Result<Proxy, &'static str> {
        if text == "none" {
            return Ok(Proxy::Direct);
        }
        let (scheme, rest) = text.split_once("://").ok_or(SCHEME_PROBLEM)?;
        let scheme = SCHEMES
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(scheme))
            .ok_or(SCHEME_PROBLEM)?;
        // The credentials end at the last @, so a password may contain any character.
        let (credentials, rest) = match rest.rsplit_once('@') {
            Some((userinfo, rest)) => (Some(Credentials::configured(userinfo, scheme)?), rest),
            None => (None, rest),
        };
        let (rest, tunnel) = match rest.split_once('?') {
            None => (rest, false),
            Some((rest, "tunnel")) => (rest, true),
            Some(_) => return Err("the only thing that may follow ? is `tunnel`"),
        };
        if tunnel && !scheme.starts_with("http") {
            return Err("?tunnel is for http and https proxies");
        }
        let host_port = HostPort::parse(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok(Proxy::Server(ProxyServer {
            scheme,
            host_port,
            credentials,
            tunnel,
            socket: String::new(),
        }))
    }

    /// What may be shown: the credentials are masked.
    pub fn masked(&self) -> Option<String> {
        match self {
            Proxy::Environment => None,
            Proxy::Direct => Some("none".to_owned()),
            Proxy::Server(server) => Some(server.masked()),
        }
    }
}

impl ProxyServer {
    /// The value of an environment variable, which may have whatever form libcurl takes: no scheme, which means http; a path,
    /// that means nothing but for SOCKS; an empty user, or a `%` that starts no escape. It is read here and not by
    /// libcurl, whose messages would show the login of one that it cannot read.
    pub fn of_variable(value: &[u8]) -> Result<ProxyServer, &'static str> {
        if value
            .iter()
            .any(|byte| byte.is_ascii_control() || *byte == b' ')
        {
            return Err("it contains a blank or a control character");
        }
        if value.contains(&b'"') || value.starts_with(b"'") {
            return Err("it contains quotes");
        }
        let (scheme, rest) = split_scheme(value)?;
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
            .unwrap_or(rest.len());
        let (host_port, path) = rest.split_at_checked(end).unwrap_or((rest, b""));
        // What stands before it may be a part of the login that only looks like a host.
        if path.contains(&b'@') || path.windows(3).any(|bytes| bytes == b"%40") {
            return Err("a /, ? or # in user or password must be percent-encoded");
        }
        let (userinfo, host) = split_last(host_port, b'@');
        let host = std::str::from_utf8(host).map_err(|_| "its host is not ASCII")?;
        let host_port = HostPort::parse(host.strip_suffix(':').unwrap_or(host))?;
        let is_socket = scheme.starts_with("socks") && host_port.host == "localhost";
        let socket = match std::str::from_utf8(path) {
            Ok(path) if is_socket && path.starts_with('/') && path.len() > 1 => path,
            _ => "",
        };
        Ok(ProxyServer {
            scheme,
            host_port,
            credentials: userinfo
                .map(Credentials::of_variable)
                .transpose()?
                .flatten(),
            tunnel: false,
            socket: socket.to_owned(),
        })
    }

    /// Scheme, host and port, as libcurl wants them: credentials travel apart.
    pub fn url(&self) -> String {
        format!(
            "{}://{}{}",
            self.scheme,
            self.host_port.to_text(),
            self.socket
        )
    }

    /// What may be shown: the credentials are masked.
    pub fn masked(&self) -> String {
        let userinfo = if self.credentials.is_some() {
            "***@"
        } else {
            ""
        };
        let tunnel = if self.tunnel { "?tunnel" } else { "" };
        format!(
            "{}://{userinfo}{}{}{tunnel}",
            self.scheme,
            self.host_port.to_text(),
            self.socket
        )
    }
}

/// `scheme:` and one to three slashes, as libcurl takes them; without them http.
fn split_scheme(value: &[u8]) -> Result<(&'static str, &[u8]), &'static str> {
    const PROBLEM: &str = "its scheme is none of http, https, socks4, socks4a, socks5, socks5h";
    let is_scheme = |text: &[u8]| text.iter().all(u8::is_ascii_alphanumeric);
    let Some((scheme, rest)) = split_first(value, b':')
        .filter(|(scheme, rest)| !scheme.is_empty() && is_scheme(scheme) && rest.starts_with(b"/"))
    else {
        // A host does not begin with a slash, and what has one later may be a scheme that was misspelt.
        let is_misspelt = value.windows(3).any(|bytes| bytes == b"://");
        return if is_misspelt {
            Err(PROBLEM)
        } else {
            Ok(("http", value))
        };
    };
    let scheme = match SCHEMES
        .into_iter()
        .find(|known| known.as_bytes().eq_ignore_ascii_case(scheme))
    {
        Some(known) => known,
        None if scheme.eq_ignore_ascii_case(b"socks") => "socks4",
        None => return Err(PROBLEM),
    };
    let slashes = rest
        .iter()
        .take(3)
        .take_while(|byte| **byte == b'/')
        .count();
    Ok((scheme, rest.get(slashes..).unwrap_or_default()))
}

fn split_first(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((text.get(..at)?, text.get(at.saturating_add(1)..)?))
}

/// What stands before the last `separator`, and what stands behind it.
fn split_last(text: &[u8], separator: u8) -> (Option<&[u8]>, &[u8]) {
    match text.iter().rposition(|byte| *byte == separator) {
        Some(at) => (
            text.get(..at),
            text.get(at.saturating_add(1)..).unwrap_or_default(),
        ),
        None => (None, text),
    }
}

impl Credentials {
    pub fn user(&self) -> &CStr {
        &self.user
    }

    pub fn password(&self) -> &CStr {
        &self.password
    }

    /// Those of `proxy_url`: strict, since somebody can be told.
    fn configured(userinfo: &str, scheme: &str) -> Result<Credentials, &'static str> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let user = strictly_decoded(user)?;
        if user.is_empty() {
            return Err("the user name before @ is missing");
        }
        if user.contains(':') && scheme.starts_with("http") {
            return Err("the user name must not contain a colon (RFC 7617, section 2)");
        }
        Credentials::new(user.into_bytes(), strictly_decoded(password)?.into_bytes())
    }

    /// Those of an environment variable, as libcurl reads them; none when both are empty.
    fn of_variable(userinfo: &[u8]) -> Result<Option<Credentials>, &'static str> {
        let (user, password) = split_first(userinfo, b':').unwrap_or((userinfo, b""));
        let (user, password) = (percent_decoded(user).0, percent_decoded(password).0);
        if user.is_empty() && password.is_empty() {
            return Ok(None);
        }
        Credentials::new(user, password).map(Some)
    }

    fn new(user: Vec<u8>, password: Vec<u8>) -> Result<Credentials, &'static str> {
        const PROBLEM: &str = "user and password must not contain control characters";
        if user.iter().chain(&password).any(u8::is_ascii_control) {
            return Err(PROBLEM);
        }
        Ok(Credentials {
            user: CString::new(user).map_err(|_| PROBLEM)?,
            password: CString::new(password).map_err(|_| PROBLEM)?,
        })
    }
}

/// A `%` that starts no escape is an error, not a character.
fn strictly_decoded(text: &str) -> Result<String, &'static str> {
    let (bytes, is_clean) = percent_decoded(text.as_bytes());
    if !is_clean {
        return Err("a % in user or password must start a percent-encoded character");
    }
    let decoded = String::from_utf8(bytes).map_err(|_| "user and password must be UTF-8")?;
    if decoded.chars().any(char::is_control) {
        return Err("user and password must not contain control characters");
    }
    Ok(decoded)
}

/// RFC 3986, section 2.1. A `%` that starts no escape stands for itself; false when there was one.
fn percent_decoded(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut is_clean = true;
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (*byte, escape(after)) {
            (b'%', Some((decoded, after))) => {
                bytes.push(decoded);
                rest = after;
            }
            (byte, _) => {
                is_clean &= byte != b'%';
                bytes.push(byte);
            }
        }
    }
    (bytes, is_clean)
}

/// The byte of two hexadecimal digits, and what follows them.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk()?;
    Some((hex(*high)?.wrapping_shl(4) | hex(*low)?, rest))
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ProxyServer {
        match Proxy::parse(text) {
            Ok(Proxy::Server(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn parts_are_found() {
        let proxy = server("HTTP://bob:p%40s:/%3f%25w@Proxy.example:3128?tunnel");
        assert_eq!(proxy.url(), "http://Proxy.example:3128");
        let credentials = proxy.credentials.clone().unwrap();
        assert_eq!(credentials.user(), c"bob");
        assert_eq!(credentials.password(), c"p@s:/?%w");
        assert_eq!(proxy.masked(), "http://***@Proxy.example:3128?tunnel");
        assert!(!format!("{proxy:?}").contains("bob"));
    }

    #[test]
    fn every_scheme_and_form_is_accepted() {
        for scheme in SCHEMES {
            assert_eq!(
                server(&format!("{scheme}://h")).url(),
                format!("{scheme}://h")
            );
        }
        assert_eq!(
            server("socks5h://[::1]:1080/").url(),
            "socks5h://[::1]:1080"
        );
        assert_eq!(server("http://a@b@h").credentials.unwrap().user(), c"a@b");
        assert_eq!(server("http://user@h").credentials.unwrap().password(), c"");
        assert!(matches!(Proxy::parse("none"), Ok(Proxy::Direct)));
    }

    #[test]
    fn other_forms_are_refused() {
        for text in [
            "",
            "None",
            "host:1",
            "ftp://h",
            "http://",
            "http://u:p@",
            "http://h:0",
            "http://h:99999",
            "http://h?x",
            "socks5://h?tunnel",
            "http://u%zz@h",
            "http://u%0ap@h",
            "http://u%ff@h",
            "http://a%3ab:c@h",
            "http://h/path",
            "http://h h",
            "http://%41",
            "http://@h",
            "http://:@h",
            "http://:secret@h",
        ] {
            assert!(Proxy::parse(text).is_err(), "accepted: {text}");
        }
    }

    fn of_variable(value: &str) -> ProxyServer {
        ProxyServer::of_variable(value.as_bytes())
            .unwrap_or_else(|problem| panic!("{value}: {problem}"))
    }

    #[test]
    fn a_variable_may_have_the_forms_that_libcurl_takes() {
        for (value, url) in [
            ("h", "http://h"),
            ("h:3128", "http://h:3128"),
            ("u:p@h:3128", "http://h:3128"),
            ("127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://h:3128/path?query#fragment", "http://h:3128"),
            ("HTTP:/h", "http://h"),
            ("http:///h:", "http://h"),
            ("[::1]:3128", "http://[::1]:3128"),
            ("[fe80::1%eth0]:3128", "http://[fe80::1%25eth0]:3128"),
            ("socks://h", "socks4://h"),
            ("SOCKS5H://u@h:1", "socks5h://h:1"),
            (
                "socks5h://localhost/run/tor.sock",
                "socks5h://localhost/run/tor.sock",
            ),
            ("http:8080", "http://http:8080"),
        ] {
            assert_eq!(of_variable(value).url(), url, "{value}");
        }
        for (value, user, password) in [
            ("http://u:p%40s%zz%@h", c"u", c"p@s%zz%"),
            ("http://u:a:b@h", c"u", c"a:b"),
            ("http://u:p@ss@h", c"u", c"p@ss"),
            ("u%3av@h", c"u:v", c""),
            (":p@h", c"", c"p"),
        ] {
            let credentials = of_variable(value).credentials.unwrap();
            assert_eq!(
                (credentials.user(), credentials.password()),
                (user, password),
                "{value}"
            );
        }
        let latin = ProxyServer::of_variable(b"http://u:\xe9%e9@h").unwrap();
        assert_eq!(
            latin.credentials.unwrap().password().to_bytes(),
            b"\xe9\xe9"
        );
        for value in ["http://h", "http://@h", "http://:@h"] {
            assert!(of_variable(value).credentials.is_none(), "{value}");
        }
    }

    #[test]
    fn a_variable_that_no_proxy_can_be_read_from_is_refused() {
        for value in [
            " http://h",
            "http://h ",
            "http://u:p w@h",
            "u/p@h",
            "u/p%40h",
            "\"http://h\"",
            "'http://h'",
            "ftp://h",
            "h://u:p@h",
            "ht%tp://h",
            "://h",
            "http://",
            "http://u:p@",
            "http://h:99999",
            "http://h:x",
            "http://h:0",
            "u:p@h:x",
            "http://u:1234/5@h",
            "http://u:p@s/x@h",
            "http://u:p%0a@h",
            "http://h\n",
            "http://\u{e9}",
            "http://::1:3128",
            "http://[fe80::1",
        ] {
            assert!(
                ProxyServer::of_variable(value.as_bytes()).is_err(),
                "accepted: {value}"
            );
        }
    }
}
