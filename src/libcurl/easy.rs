//! One transfer: its options, and the callbacks that libcurl makes for it.

// libcurl's numbers are small.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]

use super::error::{Error, checked};
use super::list::List;
use crate::panic::catch_panic;
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// What libcurl asks of whoever makes a transfer.
pub trait Handler {
    /// A piece of the answer's body; false ends the transfer.
    fn write(&mut self, data: &[u8]) -> bool;
    /// A header line; false ends the transfer.
    fn header(&mut self, line: &[u8]) -> bool;
    /// The `SSL_CTX` of a connection, before its handshake; false ends the transfer.
    fn ssl_ctx(&mut self, context: *mut c_void) -> bool;
    /// A socket for a connection to that address, of the IP families; `None` when there is none.
    fn open_socket(
        &mut self,
        family: c_int,
        kind: c_int,
        protocol: c_int,
        address: Option<IpAddr>,
    ) -> Option<c_int>;
}

#[derive(Clone, Copy)]
pub enum HttpVersion {
    V11 = curl_sys::CURL_HTTP_VERSION_1_1 as isize,
}

#[derive(Clone, Copy)]
pub enum SslVersion {
    Default = curl_sys::CURL_SSLVERSION_DEFAULT as isize,
    Tlsv12 = curl_sys::CURL_SSLVERSION_TLSv1_2 as isize,
}

#[derive(Clone, Copy)]
pub enum ProxyType {
    Http = curl_sys::CURLPROXY_HTTP as isize,
    Socks4 = curl_sys::CURLPROXY_SOCKS4 as isize,
    Socks4a = curl_sys::CURLPROXY_SOCKS4A as isize,
    Socks5 = curl_sys::CURLPROXY_SOCKS5 as isize,
    Socks5Hostname = curl_sys::CURLPROXY_SOCKS5_HOSTNAME as isize,
}

#[derive(Clone, Copy)]
pub enum Auth {
    Basic = curl_sys::CURLAUTH_BASIC as isize,
}

/// At a place that stays: libcurl keeps pointers to it.
struct Inner<H> {
    handler: H,
    /// The text of a panic in a callback, which has ended the transfer.
    panic: Option<String>,
    words: [u8; curl_sys::CURL_ERROR_SIZE],
}

pub struct Easy2<H> {
    raw: *mut curl_sys::CURL,
    inner: Box<UnsafeCell<Inner<H>>>,
    headers: Option<List>,
}

// SAFETY: libcurl's handles may be used from any thread, one at a time.
unsafe impl<H: Send> Send for Easy2<H> {}

impl<H> Drop for Easy2<H> {
    fn drop(&mut self) {
        // SAFETY: a live handle that is part of no multi, freed once; what it points to goes later.
        unsafe { curl_sys::curl_easy_cleanup(self.raw) };
    }
}

impl<H: Handler> Easy2<H> {
    pub fn new(handler: H) -> Result<Easy2<H>, Error> {
        super::init::init()?;
        let inner = Box::new(UnsafeCell::new(Inner {
            handler,
            panic: None,
            words: [0; curl_sys::CURL_ERROR_SIZE],
        }));
        // SAFETY: libcurl is prepared; returns a handle or NULL.
        let raw = unsafe { curl_sys::curl_easy_init() };
        if raw.is_null() {
            return Err(Error::new(curl_sys::CURLE_OUT_OF_MEMORY));
        }
        let easy = Easy2 {
            raw,
            inner,
            headers: None,
        };
        easy.set_callbacks()?;
        Ok(easy)
    }

    fn set_callbacks(&self) -> Result<(), Error> {
        let inner = self.inner.get();
        let write: curl_sys::curl_write_callback = on_write::<H>;
        let header: curl_sys::curl_write_callback = on_header::<H>;
        let ssl_ctx: curl_sys::curl_ssl_ctx_callback = on_ssl_ctx::<H>;
        let open_socket: curl_sys::curl_opensocket_callback = on_open_socket::<H>;
        // SAFETY: `inner` lives as long as the handle, at the same place; the callbacks are of the types that the options take
        // and are called by the thread that drives the transfer, while nothing else looks at `inner`.
        unsafe {
            self.pointer(
                curl_sys::CURLOPT_ERRORBUFFER,
                (&raw mut (*inner).words).cast(),
            )?;
            self.pointer(curl_sys::CURLOPT_WRITEFUNCTION, write as *const c_void)?;
            self.pointer(curl_sys::CURLOPT_WRITEDATA, inner.cast())?;
            self.pointer(curl_sys::CURLOPT_HEADERFUNCTION, header as *const c_void)?;
            self.pointer(curl_sys::CURLOPT_HEADERDATA, inner.cast())?;
            self.pointer(curl_sys::CURLOPT_SSL_CTX_FUNCTION, ssl_ctx as *const c_void)?;
            self.pointer(curl_sys::CURLOPT_SSL_CTX_DATA, inner.cast())?;
            self.pointer(
                curl_sys::CURLOPT_OPENSOCKETFUNCTION,
                open_socket as *const c_void,
            )?;
            self.pointer(curl_sys::CURLOPT_OPENSOCKETDATA, inner.cast())
        }
    }
}

impl<H> Easy2<H> {
    pub fn raw(&self) -> *mut curl_sys::CURL {
        self.raw
    }

    pub fn get_ref(&self) -> &H {
        // SAFETY: libcurl's callbacks look at it only while the transfer is driven, and that borrows a `Multi` that has it.
        unsafe { &(*self.inner.get()).handler }
    }

    pub fn get_mut(&mut self) -> &mut H {
        &mut self.inner.get_mut().handler
    }

    /// The text of a panic in a callback, which has ended the transfer.
    pub fn take_panic(&mut self) -> Option<String> {
        self.inner.get_mut().panic.take()
    }

    /// A code of this transfer's, with libcurl's words about it.
    pub(super) fn result(&self, code: curl_sys::CURLcode) -> Result<(), Error> {
        let mut result = checked(code);
        if let Err(error) = &mut result {
            // SAFETY: libcurl writes to it during calls on the handle only, and there is none now.
            let words = unsafe { &(*self.inner.get()).words };
            let words = CStr::from_bytes_until_nul(words).unwrap_or_default();
            if !words.is_empty() {
                error.set_extra(words.to_string_lossy().into_owned());
            }
        }
        result
    }

    /// # Safety
    /// The option takes a pointer of this kind, and what it points to lives as long as the handle, or is copied.
    unsafe fn pointer(
        &self,
        option: curl_sys::CURLoption,
        value: *const c_void,
    ) -> Result<(), Error> {
        // SAFETY: the handle lives; the caller's promise.
        self.result(unsafe { curl_sys::curl_easy_setopt(self.raw, option, value) })
    }

    fn long(&self, option: curl_sys::CURLoption, value: impl Into<c_long>) -> Result<(), Error> {
        // SAFETY: the handle lives; the options given here take one long.
        self.result(unsafe { curl_sys::curl_easy_setopt(self.raw, option, value.into()) })
    }

    fn text(&self, option: curl_sys::CURLoption, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let text = CString::new(text.as_ref())
            .map_err(|_| Error::new(curl_sys::CURLE_BAD_FUNCTION_ARGUMENT))?;
        // SAFETY: the options given here take a string, which libcurl copies.
        unsafe { self.pointer(option, text.as_ptr().cast()) }
    }

    fn path(&self, option: curl_sys::CURLoption, path: &Path) -> Result<(), Error> {
        self.text(option, path.as_os_str().as_bytes())
    }

    fn blob(&self, option: curl_sys::CURLoption, bytes: &[u8]) -> Result<(), Error> {
        let blob = curl_sys::curl_blob {
            data: bytes.as_ptr().cast_mut().cast(),
            len: bytes.len(),
            flags: curl_sys::CURL_BLOB_COPY,
        };
        // SAFETY: the options given here take such a structure; libcurl copies it and the bytes.
        unsafe { self.pointer(option, (&raw const blob).cast()) }
    }
}

/// libcurl's options, one each; docs: <https://curl.se/libcurl/c/curl_easy_setopt.html>.
impl<H> Easy2<H> {
    pub fn url(&mut self, url: &str) -> Result<(), Error> {
        self.text(curl_sys::CURLOPT_URL, url)
    }

    pub fn timeout(&mut self, limit: Duration) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_TIMEOUT_MS, milliseconds(limit))
    }

    pub fn connect_timeout(&mut self, limit: Duration) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limit))
    }

    pub fn http_version(&mut self, version: HttpVersion) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_HTTP_VERSION, version as c_int)
    }

    pub fn follow_location(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_FOLLOWLOCATION, wanted)
    }

    pub fn signal(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_NOSIGNAL, !wanted)
    }

    pub fn fresh_connect(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_FRESH_CONNECT, wanted)
    }

    pub fn forbid_reuse(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_FORBID_REUSE, wanted)
    }

    pub fn post(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_POST, wanted)
    }

    pub fn post_fields_copy(&mut self, body: &[u8]) -> Result<(), Error> {
        let length =
            c_long::try_from(body.len()).map_err(|_| Error::new(curl_sys::CURLE_OUT_OF_MEMORY))?;
        // The length first: libcurl copies as much.
        self.long(curl_sys::CURLOPT_POSTFIELDSIZE, length)?;
        // SAFETY: the option takes that many bytes, and copies them.
        unsafe { self.pointer(curl_sys::CURLOPT_COPYPOSTFIELDS, body.as_ptr().cast()) }
    }

    pub fn http_headers(&mut self, headers: List) -> Result<(), Error> {
        // SAFETY: the list is kept as long as the handle.
        unsafe { self.pointer(curl_sys::CURLOPT_HTTPHEADER, headers.raw().cast()) }?;
        self.headers = Some(headers);
        Ok(())
    }

    pub fn ssl_verify_peer(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_SSL_VERIFYPEER, wanted)
    }

    pub fn ssl_verify_host(&mut self, wanted: bool) -> Result<(), Error> {
        const BY_NAME: c_int = 2;
        self.long(
            curl_sys::CURLOPT_SSL_VERIFYHOST,
            if wanted { BY_NAME } else { 0 },
        )
    }

    pub fn ssl_min_max_version(
        &mut self,
        least: SslVersion,
        most: SslVersion,
    ) -> Result<(), Error> {
        self.long(
            curl_sys::CURLOPT_SSLVERSION,
            (least as c_int) | ((most as c_int) << 16),
        )
    }

    pub fn ssl_cainfo_blob(&mut self, pem: &[u8]) -> Result<(), Error> {
        self.blob(curl_sys::CURLOPT_CAINFO_BLOB, pem)
    }

    pub fn proxy_ssl_cainfo_blob(&mut self, pem: &[u8]) -> Result<(), Error> {
        self.blob(curl_sys::CURLOPT_PROXY_CAINFO_BLOB, pem)
    }

    pub fn cainfo(&mut self, path: &Path) -> Result<(), Error> {
        self.path(curl_sys::CURLOPT_CAINFO, path)
    }

    pub fn proxy_cainfo(&mut self, path: &Path) -> Result<(), Error> {
        self.path(curl_sys::CURLOPT_PROXY_CAINFO, path)
    }

    pub fn capath(&mut self, path: &Path) -> Result<(), Error> {
        self.path(curl_sys::CURLOPT_CAPATH, path)
    }

    pub fn proxy_capath(&mut self, path: &Path) -> Result<(), Error> {
        self.path(curl_sys::CURLOPT_PROXY_CAPATH, path)
    }

    pub fn ssl_cert_type(&mut self, kind: &str) -> Result<(), Error> {
        self.text(curl_sys::CURLOPT_SSLCERTTYPE, kind)
    }

    pub fn ssl_cert_blob(&mut self, pem: &[u8]) -> Result<(), Error> {
        self.blob(curl_sys::CURLOPT_SSLCERT_BLOB, pem)
    }

    pub fn ssl_key_type(&mut self, kind: &str) -> Result<(), Error> {
        self.text(curl_sys::CURLOPT_SSLKEYTYPE, kind)
    }

    pub fn ssl_key_blob(&mut self, pem: &[u8]) -> Result<(), Error> {
        self.blob(curl_sys::CURLOPT_SSLKEY_BLOB, pem)
    }

    pub fn proxy(&mut self, url: &str) -> Result<(), Error> {
        self.text(curl_sys::CURLOPT_PROXY, url)
    }

    pub fn proxy_type(&mut self, kind: ProxyType) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_PROXYTYPE, kind as c_int)
    }

    pub fn http_proxy_tunnel(&mut self, wanted: bool) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_HTTPPROXYTUNNEL, wanted)
    }

    pub fn proxy_auth(&mut self, auth: Auth) -> Result<(), Error> {
        self.long(curl_sys::CURLOPT_PROXYAUTH, auth as c_int)
    }

    /// The status of the last answer; 0 when there was none.
    pub fn response_code(&self) -> c_long {
        let mut status: c_long = 0;
        // SAFETY: the handle lives; the info is of the kind that writes one long.
        let code = unsafe {
            curl_sys::curl_easy_getinfo(self.raw, curl_sys::CURLINFO_RESPONSE_CODE, &raw mut status)
        };
        if code == curl_sys::CURLE_OK {
            status
        } else {
            0
        }
    }
}

fn milliseconds(time: Duration) -> c_long {
    c_long::try_from(time.as_millis()).unwrap_or(c_long::MAX)
}

/// Runs a callback's body on the transfer that `data` points to; `otherwise` after a panic, which is kept.
///
/// # Safety
/// `data` is the `Inner<H>` of a transfer that is being driven.
unsafe fn called<H, T>(data: *mut c_void, otherwise: T, body: impl FnOnce(&mut H) -> T) -> T {
    // SAFETY: the caller's promise; nothing else looks at it while libcurl drives the transfer.
    let inner = unsafe { &mut *data.cast::<Inner<H>>() };
    catch_panic(|| body(&mut inner.handler)).unwrap_or_else(|text| {
        inner.panic = Some(text);
        otherwise
    })
}

/// Bytes that libcurl hands out.
///
/// # Safety
/// `data` is valid for `size * count` bytes.
unsafe fn piece<'a>(data: *const c_char, size: usize, count: usize) -> &'a [u8] {
    let length = size.saturating_mul(count);
    if length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(data.cast(), length) }
}

/// Any number other than the length ends the transfer.
fn taken(data: &[u8], wanted: bool) -> usize {
    if wanted {
        data.len()
    } else {
        usize::from(data.is_empty())
    }
}

extern "C" fn on_write<H: Handler>(
    data: *mut c_char,
    size: usize,
    count: usize,
    inner: *mut c_void,
) -> usize {
    // SAFETY: libcurl passes that many bytes, and what was set beside this callback.
    unsafe {
        let data = piece(data, size, count);
        let wanted = called(inner, false, |handler: &mut H| handler.write(data));
        taken(data, wanted)
    }
}

extern "C" fn on_header<H: Handler>(
    data: *mut c_char,
    size: usize,
    count: usize,
    inner: *mut c_void,
) -> usize {
    // SAFETY: as in `on_write`.
    unsafe {
        let line = piece(data, size, count);
        let wanted = called(inner, false, |handler: &mut H| handler.header(line));
        taken(line, wanted)
    }
}

extern "C" fn on_ssl_ctx<H: Handler>(
    _: *mut curl_sys::CURL,
    context: *mut c_void,
    inner: *mut c_void,
) -> curl_sys::CURLcode {
    // SAFETY: libcurl passes what was set beside this callback.
    let wanted = unsafe { called(inner, false, |handler: &mut H| handler.ssl_ctx(context)) };
    if wanted {
        curl_sys::CURLE_OK
    } else {
        curl_sys::CURLE_SSL_CONNECT_ERROR
    }
}

extern "C" fn on_open_socket<H: Handler>(
    inner: *mut c_void,
    _: curl_sys::curlsocktype,
    address: *mut curl_sys::curl_sockaddr,
) -> curl_sys::curl_socket_t {
    // SAFETY: libcurl passes a live address, and what was set beside this callback.
    let socket = unsafe {
        let (family, kind, protocol) =
            ((*address).family, (*address).socktype, (*address).protocol);
        let ip = ip_of(address);
        called(inner, None, |handler: &mut H| {
            handler.open_socket(family, kind, protocol, ip)
        })
    };
    socket.unwrap_or(curl_sys::CURL_SOCKET_BAD)
}

/// # Safety
/// libcurl's own address: from `addr` on there are `addrlen` bytes, of the kind that `family` tells.
unsafe fn ip_of(address: *const curl_sys::curl_sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise; what is read may lie at any place.
    unsafe {
        let length = usize::try_from((*address).addrlen).ok()?;
        let bytes = &raw const (*address).addr;
        match (*address).family {
            libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
                let v4 = bytes.cast::<libc::sockaddr_in>().read_unaligned();
                Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
            }
            libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
                let v6 = bytes.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).to_canonical())
            }
            _ => None,
        }
    }
}
