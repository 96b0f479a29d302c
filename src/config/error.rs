//! What is wrong with a configuration, by key.

use crate::code::Code;
use crate::error::Error;
use crate::text;
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// As it was given; `None`: the configuration as a whole.
    pub key: Option<String>,
    /// What is wrong with its value, or with it.
    pub text: String,
}

impl Problem {
    pub fn new(key: &str, text: impl Into<String>) -> Problem {
        Problem {
            key: Some(key.to_owned()),
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(formatter, "{}: ", text::quoted(key))?;
        }
        formatter.write_str(&self.text)
    }
}

/// Why a configuration was not applied.
#[derive(Clone, Debug)]
pub struct ConfigError {
    /// [`Code::File`] where only files are wrong.
    pub code: Code,
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(formatter, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Error {
        Error::new(error.code, error.to_string(), "").caused_by(error)
    }
}
