//! What libcurl says of what did not work.

use std::ffi::{CStr, c_char};
use std::fmt;

/// A `CURLcode`, with libcurl's words about this very case where there are any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: curl_sys::CURLcode,
    extra: Option<String>,
}

impl Error {
    pub fn new(code: curl_sys::CURLcode) -> Error {
        Error { code, extra: None }
    }

    pub fn set_extra(&mut self, extra: String) {
        self.extra = Some(extra);
    }

    pub fn code(&self) -> curl_sys::CURLcode {
        self.code
    }

    pub fn is_couldnt_connect(&self) -> bool {
        self.code == curl_sys::CURLE_COULDNT_CONNECT
    }

    /// libcurl's general sentence about the code.
    pub fn description(&self) -> &'static str {
        // SAFETY: returns a static string for every code.
        unsafe { text(curl_sys::curl_easy_strerror(self.code)) }.unwrap_or_default()
    }

    pub fn extra_description(&self) -> Option<&str> {
        self.extra.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "[{}] {}", self.code, self.description())?;
        match &self.extra {
            Some(extra) => write!(formatter, " ({extra})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A `CURLMcode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiError(curl_sys::CURLMcode);

impl fmt::Display for MultiError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        // SAFETY: returns a static string for every code.
        let words = unsafe { text(curl_sys::curl_multi_strerror(self.0)) };
        write!(formatter, "[{}] {}", self.0, words.unwrap_or_default())
    }
}

impl std::error::Error for MultiError {}

/// # Safety
/// `string` is NULL or a string that is never freed.
pub(super) unsafe fn text(string: *const c_char) -> Option<&'static str> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_str().ok()
}

pub(super) fn checked(code: curl_sys::CURLcode) -> Result<(), Error> {
    if code == curl_sys::CURLE_OK {
        Ok(())
    } else {
        Err(Error::new(code))
    }
}

pub(super) fn checked_multi(code: curl_sys::CURLMcode) -> Result<(), MultiError> {
    if code == curl_sys::CURLM_OK {
        Ok(())
    } else {
        Err(MultiError(code))
    }
}
