use std::fmt;

/// What went wrong, as one sentence for the operator.
#[derive(Debug)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Error {
        Error(message.into())
    }

    pub(crate) fn at(place: impl fmt::Display, cause: impl fmt::Display) -> Error {
        Error(format!("{place}: {cause}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<openssl::error::ErrorStack> for Error {
    fn from(cause: openssl::error::ErrorStack) -> Error {
        Error::at("OpenSSL", cause)
    }
}

impl From<x509_cert::der::Error> for Error {
    fn from(cause: x509_cert::der::Error) -> Error {
        Error::at("DER", cause)
    }
}
