//! What psc wants of the environment: read in the host's thread when it is configured, and never at a check, since a host
//! that changes its environment meanwhile would crash. Later changes count from the next configuration on.

use super::proxy::ProxyServer;
use crate::sys::user;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Where libcurl looks for the proxy of an https URL, in its order; an empty variable counts as none.
const PROXY: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub proxy: Option<ProxyVariable>,
    /// Hosts that need no proxy of the environment, as libcurl reads such a list; empty for none.
    pub no_proxy: CString,
    /// OpenSSL's variables for the certificate authorities of the system, as curl has them: a file, and a directory.
    pub ssl_cert_file: Option<PathBuf>,
    pub ssl_cert_dir: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct ProxyVariable {
    pub name: &'static str,
    /// Or what is wrong with it; its value is never shown.
    pub server: Result<ProxyServer, &'static str>,
}

impl Environment {
    /// The environment as it is now.
    pub fn capture() -> Environment {
        // As OpenSSL has it: who starts a set-user-ID program does not choose whom it trusts.
        let is_trusted = !user::is_elevated();
        Environment::read(|name| match name {
            "SSL_CERT_FILE" | "SSL_CERT_DIR" if !is_trusted => None,
            _ => std::env::var_os(name),
        })
    }

    fn read(value: impl Fn(&str) -> Option<OsString>) -> Environment {
        let set = |name: &str| value(name).filter(|value| !value.is_empty());
        let first = |names: &[&'static str]| {
            names
                .iter()
                .find_map(|name| set(name).map(|value| (*name, value)))
        };
        Environment {
            proxy: first(&PROXY).map(|(name, value)| ProxyVariable {
                name,
                server: ProxyServer::of_variable(value.as_bytes()),
            }),
            no_proxy: first(&NO_PROXY)
                .and_then(|(_, value)| CString::new(value.into_vec()).ok())
                .unwrap_or_default(),
            ssl_cert_file: set("SSL_CERT_FILE").map(PathBuf::from),
            ssl_cert_dir: set("SSL_CERT_DIR").map(PathBuf::from),
        }
    }

    /// For people: the proxy that counts where none is configured, its credentials masked.
    pub fn shown_proxy(&self) -> String {
        let exceptions = if self.no_proxy.is_empty() {
            ""
        } else {
            ", but for what NO_PROXY names"
        };
        match &self.proxy {
            None => "as the environment says: none".to_owned(),
            Some(ProxyVariable { name, server }) => match server {
                Ok(server) => format!(
                    "as the environment says: {} ({name}{exceptions})",
                    server.masked()
                ),
                Err(problem) => {
                    format!("as the environment says: {name} cannot be used, {problem}{exceptions}")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(set: &[(&str, &str)]) -> Environment {
        Environment::read(|name| {
            set.iter()
                .find(|(given, _)| *given == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn it_is_read_as_libcurl_does() {
        let proxy = |set: &[(&str, &str)]| environment(set).proxy.map(|proxy| proxy.name);
        assert_eq!(proxy(&[("no_proxy", "*"), ("http_proxy", "h")]), None);
        assert_eq!(proxy(&[("https_proxy", "")]), None);
        for name in PROXY {
            assert_eq!(proxy(&[(name, "h")]), Some(name));
        }
        let both = [
            ("ALL_PROXY", "a"),
            ("HTTPS_PROXY", "b"),
            ("https_proxy", ""),
        ];
        assert_eq!(proxy(&both), Some("HTTPS_PROXY"));
        let exceptions = [("NO_PROXY", "a"), ("no_proxy", "b,c")];
        assert_eq!(environment(&exceptions).no_proxy.as_c_str(), c"b,c");
    }

    #[test]
    fn a_login_is_never_shown() {
        for value in [
            "http://alice:s3cret@h:1",
            "alice:s3cret@h:x",
            "\"alice:s3cret@h\"",
        ] {
            let environment = environment(&[("ALL_PROXY", value), ("NO_PROXY", "a")]);
            let shown = environment.shown_proxy();
            assert!(
                shown.contains("ALL_PROXY") && shown.contains("NO_PROXY"),
                "{shown}"
            );
            let everything = format!("{shown} {environment:?}");
            assert!(
                !everything.contains("alice") && !everything.contains("s3cret"),
                "{everything}"
            );
        }
    }
}
