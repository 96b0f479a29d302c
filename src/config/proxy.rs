//! `proxy_url` (contract section 3): `none`, or `scheme://[user[:password]@]host[:port][?tunnel]`.

use super::authority::Authority;

#[derive(Clone, Debug)]
pub enum Proxy {
    /// Not configured: libcurl's environment variables count.
    Environment,
    /// `none`: no proxy, whatever the environment says.
    Direct,
    Server(ProxyServer),
}

#[derive(Clone, Debug)]
pub struct ProxyServer {
    pub scheme: &'static str,
    pub authority: Authority,
    pub credentials: Option<Credentials>,
    /// `?tunnel` was given. The check is always tunnelled, since it is always https.
    pub tunnel: bool,
}

/// Percent-decoded; never to be shown.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub password: String,
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
            Some((userinfo, rest)) => (Some(Credentials::parse(userinfo, scheme)?), rest),
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
        let authority = Authority::parse(rest.strip_suffix('/').unwrap_or(rest))?;
        Ok(Proxy::Server(ProxyServer {
            scheme,
            authority,
            credentials,
            tunnel,
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
    /// Scheme, host and port, as libcurl wants them: credentials travel apart.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority.to_text())
    }

    fn masked(&self) -> String {
        let userinfo = if self.credentials.is_some() {
            "***@"
        } else {
            ""
        };
        let tunnel = if self.tunnel { "?tunnel" } else { "" };
        format!(
            "{}://{userinfo}{}{tunnel}",
            self.scheme,
            self.authority.to_text()
        )
    }
}

impl Credentials {
    fn parse(userinfo: &str, scheme: &str) -> Result<Credentials, &'static str> {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let user = percent_decoded(user)?;
        if user.is_empty() {
            return Err("the user name before @ is missing");
        }
        if user.contains(':') && scheme.starts_with("http") {
            return Err("the user name must not contain a colon (RFC 7617, section 2)");
        }
        Ok(Credentials {
            user,
            password: percent_decoded(password)?,
        })
    }
}

/// RFC 3986, section 2.1. A `%` that starts no escape is an error, not a character.
fn percent_decoded(text: &str) -> Result<String, &'static str> {
    const PROBLEM: &str = "a % in user or password must start a percent-encoded character";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        match (rest.next().and_then(hex), rest.next().and_then(hex)) {
            (Some(high), Some(low)) => bytes.push(high.wrapping_shl(4) | low),
            _ => return Err(PROBLEM),
        }
    }
    let decoded = String::from_utf8(bytes).map_err(|_| "user and password must be UTF-8")?;
    if decoded.chars().any(char::is_control) {
        return Err("user and password must not contain control characters");
    }
    Ok(decoded)
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
        assert_eq!(credentials.user, "bob");
        assert_eq!(credentials.password, "p@s:/?%w");
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
        assert_eq!(server("http://a@b@h").credentials.unwrap().user, "a@b");
        assert_eq!(server("http://user@h").credentials.unwrap().password, "");
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
}
