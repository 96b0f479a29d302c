//! What libcurl says of a failure: as it is, to judge by; as it may be shown, in brackets.

use crate::libcurl;
use crate::text;
use std::fmt;

pub struct CurlMessage {
    raw: String,
    shown: String,
}

impl CurlMessage {
    pub fn of(error: &libcurl::Error) -> CurlMessage {
        let general = error.description();
        let raw = error.extra_description().unwrap_or(general).trim();
        // A login that was configured is never in libcurl's words: it does not get it as part of a URL. Words about what
        // somebody else wrote into a URL are cut by libcurl, perhaps in the middle of a login.
        let shown = if quotes_a_url(raw) { general } else { raw };
        CurlMessage {
            raw: raw.to_owned(),
            shown: text::quoted(shown),
        }
    }

    pub fn contains(&self, part: &str) -> bool {
        self.raw.contains(part)
    }

    pub fn contains_any(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.contains(part))
    }

    pub fn starts_with(&self, beginning: &str) -> bool {
        self.raw.starts_with(beginning)
    }

    /// What follows the first `: `, to the next blank: the name in "Could not resolve host: name".
    pub fn name(&self) -> Option<&str> {
        let (_, rest) = self.raw.split_once(": ")?;
        rest.split_ascii_whitespace().next()
    }

    /// The number in the last brackets: the reply in "Can't complete SOCKS5 connection to host. (5)".
    pub fn number(&self) -> Option<i64> {
        let (_, rest) = self.raw.rsplit_once(" (")?;
        rest.split_once(')')?.0.parse().ok()
    }
}

fn quotes_a_url(message: &str) -> bool {
    let about_a_proxy = [
        "Unsupported proxy",
        "Unsupported pre-proxy",
        "pre-proxy and proxy",
    ];
    message.contains(['@'])
        || message.contains("://")
        || about_a_proxy.iter().any(|part| message.contains(part))
}

impl fmt::Display for CurlMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, " ({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(code: curl_sys::CURLcode, text: &str) -> CurlMessage {
        let mut error = libcurl::Error::new(code);
        error.set_extra(text.to_owned());
        CurlMessage::of(&error)
    }

    #[test]
    fn words_are_judged_as_they_are_and_shown_without_a_login() {
        let general = libcurl::Error::new(curl_sys::CURLE_COULDNT_CONNECT);
        for text in [
            "Unsupported proxy scheme for 'ftp://user:alert@host'",
            "Unsupported proxy scheme for 'ftp://user:alert",
            "Unsupported proxy syntax in 'user:alert",
            "Unsupported pre-proxy type for 'alert'",
        ] {
            let message = message(general.code(), text);
            assert!(message.contains("alert"), "{text}");
            assert_eq!(message.to_string(), format!(" ({})", general.description()));
        }
        let plain = message(
            general.code(),
            "Failed to connect to proxy.example port 1 after 0 ms: Couldn't connect to server",
        );
        assert!(plain.to_string().contains("proxy.example"));
    }

    #[test]
    fn parts_of_words() {
        let code = curl_sys::CURLE_COULDNT_CONNECT;
        let host = message(code, "Could not resolve host: a.example (No such name)");
        assert_eq!(host.name(), Some("a.example"));
        let reply = "Can't complete SOCKS5 connection to a.example. (5)";
        assert_eq!(message(code, reply).number(), Some(5));
        let reply =
            "Can't complete SOCKS4 connection to 1.2.3.4:443. (91), request rejected or failed.";
        assert_eq!(message(code, reply).number(), Some(91));
        assert_eq!(message(code, "User was rejected").number(), None);
    }
}
