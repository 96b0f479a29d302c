//! Which way a check goes: straight to the server, or through a proxy. For messages; libcurl decides by itself.

use super::options::UNUSABLE_PROXY;
use crate::config::check_config::CheckConfig;
use crate::config::environment::ProxyVariable;
use crate::config::proxy::Proxy;
use crate::libcurl;
use crate::text;

#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    Direct,
    /// Through the proxy that is named so in a message.
    Proxy(String),
    /// The environment names a proxy, and servers that need none: this one may be among them.
    Either(String),
}

impl Route {
    pub fn of(config: &CheckConfig) -> Route {
        match &config.settings.proxy {
            Proxy::Direct => Route::Direct,
            Proxy::Server(server) => Route::Proxy(text::quoted(&server.masked())),
            Proxy::Environment => {
                let environment = &config.environment;
                match &environment.proxy {
                    None => Route::Direct,
                    Some(variable) if environment.no_proxy.is_empty() => {
                        Route::Proxy(that_is_named_by(variable))
                    }
                    Some(variable) => Route::Either(that_is_named_by(variable)),
                }
            }
        }
    }

    /// ` ` and the name of the proxy; nothing when there is none.
    pub fn proxy(&self) -> String {
        match self {
            Route::Direct => String::new(),
            Route::Proxy(name) | Route::Either(name) => format!(" {name}"),
        }
    }
}

fn that_is_named_by(variable: &ProxyVariable) -> String {
    format!("that {} names", variable.name)
}

/// The variable that libcurl would have taken the proxy from, and what is wrong with it, when that ended the transfer.
pub fn unusable<'a>(
    error: &libcurl::Error,
    config: &'a CheckConfig,
) -> Option<(&'a str, &'static str)> {
    let variable = config.environment.proxy.as_ref()?;
    let problem = *variable.server.as_ref().err()?;
    let is_the_cause = error
        .extra_description()
        .is_some_and(|words| words.contains(UNUSABLE_PROXY));
    is_the_cause.then_some((variable.name, problem))
}
