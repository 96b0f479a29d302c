//! Whether libcurl is part of this very binary: asked of the running process, not of the build.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

/// Lies in the same binary as psc's code.
static ANCHOR: u8 = 0;

/// The dynamic linker tells which object an address belongs to. libcurl's own static data is asked about and not one
/// of its functions, since a function's address can be that of a stub in the executable.
pub fn is_static() -> bool {
    // SAFETY: returns a pointer to static data of libcurl, never NULL; it is not dereferenced.
    let curl = unsafe { curl_sys::curl_version_info(curl_sys::CURLVERSION_NOW) };
    match (
        object_of(curl.cast()),
        object_of((&raw const ANCHOR).cast()),
    ) {
        (Some(curl), Some(psc)) => curl == psc,
        // Without a dynamic linker everything is one binary.
        _ => true,
    }
}

/// The base address of the loaded object that `address` lies in.
fn object_of(address: *const c_void) -> Option<*mut c_void> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: dladdr accepts any address and fills `info` when it returns other than 0.
    let found: c_int = unsafe { libc::dladdr(address, info.as_mut_ptr()) };
    if found == 0 {
        return None;
    }
    // SAFETY: filled, see above.
    Some(unsafe { info.assume_init() }.dli_fbase)
}
