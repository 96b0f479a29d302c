//! Transfers that are driven step by step.

use super::easy::Easy2;
use super::error::{Error, MultiError, checked_multi};
use crate::sys::{errno, reserve};
use std::ffi::{c_int, c_short};
use std::os::fd::RawFd;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

struct Raw(*mut curl_sys::CURLM);

// SAFETY: libcurl's handles may be used from any thread, one at a time; nothing here is `Clone`.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: a live handle, freed once; every transfer was removed before, since each holds this alive.
        unsafe { curl_sys::curl_multi_cleanup(self.0) };
    }
}

pub struct Multi(Arc<Raw>);

/// A transfer that is part of a [`Multi`]; taken out of it when it goes.
pub struct Easy2Handle<H> {
    // Before the handle itself: fields are dropped in this order.
    membership: Membership,
    easy: Easy2<H>,
}

struct Membership {
    multi: Option<Arc<Raw>>,
    easy: *mut curl_sys::CURL,
}

// SAFETY: as for `Raw`.
unsafe impl Send for Membership {}

impl Membership {
    fn end(&mut self) -> Result<(), MultiError> {
        let Some(multi) = self.multi.take() else {
            return Ok(());
        };
        // SAFETY: both handles live; the transfer is one of this multi's.
        checked_multi(unsafe { curl_sys::curl_multi_remove_handle(multi.0, self.easy) })
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl<H> Easy2Handle<H> {
    /// Takes the transfer out of its [`Multi`].
    pub fn remove(mut self) -> Result<Easy2<H>, MultiError> {
        self.membership.end()?;
        Ok(self.easy)
    }
}

impl Multi {
    pub fn new() -> Result<Multi, Error> {
        super::init::init()?;
        // SAFETY: libcurl is prepared; returns a handle or NULL.
        let raw = unsafe { curl_sys::curl_multi_init() };
        if raw.is_null() {
            return Err(Error::new(curl_sys::CURLE_OUT_OF_MEMORY));
        }
        Ok(Multi(Arc::new(Raw(raw))))
    }

    pub fn raw(&self) -> *mut curl_sys::CURLM {
        self.0.0
    }

    pub fn add2<H>(&self, easy: Easy2<H>) -> Result<Easy2Handle<H>, MultiError> {
        // SAFETY: both handles live, and go on living together in what is returned.
        checked_multi(unsafe { curl_sys::curl_multi_add_handle(self.raw(), easy.raw()) })?;
        Ok(Easy2Handle {
            membership: Membership {
                multi: Some(Arc::clone(&self.0)),
                easy: easy.raw(),
            },
            easy,
        })
    }

    /// Does what can be done without waiting; returns how many transfers go on.
    pub fn perform(&self) -> Result<u32, MultiError> {
        let mut running: c_int = 0;
        errno::clear();
        // SAFETY: the handle lives; writes one int.
        let code = unsafe { curl_sys::curl_multi_perform(self.raw(), &raw mut running) };
        // libcurl and what it is built on often call it something else.
        if errno::is_out_of_memory() {
            reserve::note_shortage();
        }
        checked_multi(code)?;
        Ok(u32::try_from(running).unwrap_or(0))
    }

    /// How `transfer` has ended, if it has.
    pub fn ended<H>(&self, transfer: &Easy2Handle<H>) -> Option<Result<(), Error>> {
        let mut ended = None;
        loop {
            let mut left: c_int = 0;
            // SAFETY: the handle lives; returns NULL or a message that lives until the next call.
            let Some(message) =
                (unsafe { curl_sys::curl_multi_info_read(self.raw(), &raw mut left).as_ref() })
            else {
                return ended;
            };
            if message.msg == curl_sys::CURLMSG_DONE
                && ptr::eq(message.easy_handle, transfer.easy.raw())
            {
                // SAFETY: of a message of this kind the data is a code, in the place of a pointer.
                let code = unsafe {
                    ptr::from_ref(&message.data)
                        .cast::<curl_sys::CURLcode>()
                        .read()
                };
                ended = Some(transfer.easy.result(code));
            }
        }
    }

    /// Waits for the transfers' sockets, for `others`, for a wake-up, or for `limit` to pass.
    pub fn poll(&self, others: &mut [WaitFd], limit: Duration) -> Result<(), MultiError> {
        let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        let count = u32::try_from(others.len()).unwrap_or(0);
        // SAFETY: the handle lives; `others` has `count` entries, and `WaitFd` is libcurl's structure.
        checked_multi(unsafe {
            curl_sys::curl_multi_poll(
                self.raw(),
                others.as_mut_ptr().cast(),
                count,
                limit,
                ptr::null_mut(),
            )
        })
    }
}

/// A descriptor that is waited for beside the transfers'.
#[repr(transparent)]
pub struct WaitFd(curl_sys::curl_waitfd);

impl WaitFd {
    pub fn new() -> WaitFd {
        WaitFd(curl_sys::curl_waitfd {
            fd: -1,
            events: 0,
            revents: 0,
        })
    }

    pub fn set_fd(&mut self, descriptor: RawFd) {
        self.0.fd = descriptor;
    }

    pub fn poll_on_read(&mut self, wanted: bool) {
        const READABLE: c_short = curl_sys::CURL_WAIT_POLLIN;
        self.0.events = if wanted { READABLE } else { 0 };
    }
}
