//! What psc uses of libcurl, a thin layer over `curl-sys`. Its names are those of the `curl` crate.
//!
//! That crate is not used: where memory runs out it panics (`Easy2::new`, `Multi::new`, `List::append`), and each of its
//! callbacks keeps a thread-local value with a destructor, whose registration glibc answers with the end of the process.
//! Here every failure is a value, and nothing is kept by thread.

#![allow(unsafe_code)]

pub mod constants;
mod easy;
mod list;
mod multi;

pub use easy::{Auth, Easy2, Handler, HttpVersion, ProxyType, SslVersion};
pub use list::List;
pub use multi::{Easy2Handle, Multi, WaitFd};

use std::ffi::{CStr, c_char};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Prepares libcurl, once per process; it is never undone, since another user of it may be about. A failure is tried again
/// by the next call.
///
/// libcurl before 7.84 asks that no other thread uses it meanwhile: `psc_configure` calls this in the host's own thread.
pub fn init() -> Result<(), Error> {
    static DONE: AtomicBool = AtomicBool::new(false);
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if DONE.load(Ordering::Acquire) {
        return Ok(());
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !DONE.load(Ordering::Acquire) {
        // SAFETY: one call at a time, see above for older versions.
        checked(unsafe { curl_sys::curl_global_init(curl_sys::CURL_GLOBAL_ALL) })?;
        DONE.store(true, Ordering::Release);
    }
    Ok(())
}

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

/// A `CURLMcode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiError(curl_sys::CURLMcode);

impl MultiError {
    pub fn code(&self) -> curl_sys::CURLMcode {
        self.0
    }
}

impl fmt::Display for MultiError {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        // SAFETY: returns a static string for every code.
        let words = unsafe { text(curl_sys::curl_multi_strerror(self.0)) };
        write!(formatter, "[{}] {}", self.0, words.unwrap_or_default())
    }
}

/// The libcurl that runs.
pub struct Version(&'static curl_sys::curl_version_info_data);

impl Version {
    pub fn get() -> Version {
        // SAFETY: returns a pointer to static data of libcurl, never NULL.
        Version(unsafe { &*curl_sys::curl_version_info(curl_sys::CURLVERSION_NOW) })
    }

    pub fn version(&self) -> &'static str {
        // SAFETY: a static string.
        unsafe { text(self.0.version) }.unwrap_or_default()
    }

    /// 0xMMmmpp.
    pub fn version_num(&self) -> u32 {
        self.0.version_num
    }

    pub fn ssl_version(&self) -> Option<&'static str> {
        // SAFETY: a static string, or NULL.
        unsafe { text(self.0.ssl_version) }
    }
}

/// # Safety
/// `string` is NULL or a string that is never freed.
unsafe fn text(string: *const c_char) -> Option<&'static str> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_str().ok()
}

fn checked(code: curl_sys::CURLcode) -> Result<(), Error> {
    if code == curl_sys::CURLE_OK {
        Ok(())
    } else {
        Err(Error::new(code))
    }
}

fn checked_multi(code: curl_sys::CURLMcode) -> Result<(), MultiError> {
    if code == curl_sys::CURLM_OK {
        Ok(())
    } else {
        Err(MultiError(code))
    }
}
