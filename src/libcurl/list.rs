//! A list of strings, as libcurl takes headers.

use super::error::Error;
use std::ffi::CString;
use std::ptr;

pub struct List(*mut curl_sys::curl_slist);

// SAFETY: the list is this value's alone.
unsafe impl Send for List {}

impl List {
    pub fn new() -> List {
        List(ptr::null_mut())
    }

    pub fn append(&mut self, text: &str) -> Result<(), Error> {
        let text =
            CString::new(text).map_err(|_| Error::new(curl_sys::CURLE_BAD_FUNCTION_ARGUMENT))?;
        // SAFETY: the list is live or empty; libcurl copies the string.
        let longer = unsafe { curl_sys::curl_slist_append(self.0, text.as_ptr()) };
        if longer.is_null() {
            return Err(Error::new(curl_sys::CURLE_OUT_OF_MEMORY));
        }
        self.0 = longer;
        Ok(())
    }

    pub(super) fn raw(&self) -> *mut curl_sys::curl_slist {
        self.0
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list is this value's own; NULL is a no-op.
        unsafe { curl_sys::curl_slist_free_all(self.0) };
    }
}
