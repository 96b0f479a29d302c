//! Which libcurl it is.

use super::error::text;

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

    pub fn ssl_version(&self) -> Option<&'static str> {
        // SAFETY: a static string, or NULL.
        unsafe { text(self.0.ssl_version) }
    }
}
