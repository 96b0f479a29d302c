//! Which way a check goes: straight to the server, or through a proxy. For messages; libcurl decides by itself.

use crate::config::proxy::Proxy;
use crate::text;

/// Where libcurl looks for the proxy of an https URL, in its order; an empty variable counts as none.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const EXCEPTIONS: [&str; 2] = ["no_proxy", "NO_PROXY"];

#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    Direct,
    /// Through the proxy that is named so in a message.
    Proxy(String),
    /// The environment names a proxy, and servers that need none: this one may be among them.
    Either(String),
}

impl Route {
    pub fn of(proxy: &Proxy) -> Route {
        match proxy.masked() {
            Some(_) if matches!(proxy, Proxy::Direct) => Route::Direct,
            Some(masked) => Route::Proxy(text::quoted(&masked)),
            None => Route::of_environment(|name| {
                std::env::var_os(name).is_some_and(|value| !value.is_empty())
            }),
        }
    }

    fn of_environment(is_set: impl Fn(&str) -> bool) -> Route {
        let Some(variable) = VARIABLES.into_iter().find(|name| is_set(name)) else {
            return Route::Direct;
        };
        let name = format!("that {variable} names");
        if EXCEPTIONS.into_iter().any(is_set) {
            return Route::Either(name);
        }
        Route::Proxy(name)
    }

    /// ` ` and the name of the proxy; nothing when there is none.
    pub fn proxy(&self) -> String {
        match self {
            Route::Direct => String::new(),
            Route::Proxy(name) | Route::Either(name) => format!(" {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_libcurl_does() {
        let route = |set: &[&str]| Route::of_environment(|name| set.contains(&name));
        assert_eq!(route(&[]), Route::Direct);
        assert_eq!(route(&["no_proxy", "http_proxy"]), Route::Direct);
        for variable in VARIABLES {
            let name = format!("that {variable} names");
            assert_eq!(route(&[variable]), Route::Proxy(name.clone()));
            assert_eq!(route(&["NO_PROXY", variable]), Route::Either(name));
        }
        assert_eq!(
            route(&["ALL_PROXY", "HTTPS_PROXY"]),
            Route::Proxy("that HTTPS_PROXY names".to_owned())
        );
    }
}
