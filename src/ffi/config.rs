//! A configuration in two steps: what can fail, and what cannot.

use super::guard::{self, Place};
use super::handle::psc_checker;
use super::leaked::{Leaked, Link};
use super::strings::{clear, utf8};
use super::views::tell;
use crate::checker::configure::PreparedConfig;
use crate::code::Code;
use crate::config::Base;
use crate::error::Error;
use crate::sys::process::Process;
use crate::sys::reserve::Reserve;
use std::ffi::{c_char, c_int, c_uint};

/// For psc_prepare: start from the defaults instead of the present configuration.
pub const PSC_REPLACE: c_uint = 1;

/// A configuration that was checked and is not in force, from psc_prepare; for psc_commit or psc_config_free.
pub struct psc_config {
    prepared: PreparedConfig,
    /// What psc_commit has instead of the memory of a call.
    reserve: Option<Reserve>,
    made_in: Process,
    link: Link<psc_config>,
}

/// Their keys and certificates are OpenSSL's.
static LEAKED: Leaked<psc_config> = Leaked::new();

/// Taken from the host.
struct Taken(*mut psc_config);

impl Taken {
    fn config(&mut self) -> &mut psc_config {
        // SAFETY: made by psc_prepare, and nobody else's any more.
        unsafe { &mut *self.0 }
    }

    fn into_prepared(self) -> PreparedConfig {
        // SAFETY: as above; `forget` leaves it to the box.
        let config = unsafe { Box::from_raw(self.0) };
        std::mem::forget(self);
        let psc_config { prepared, .. } = *config;
        prepared
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let config = self.0;
        if self.config().made_in == Process::current() {
            // SAFETY: as above.
            drop(unsafe { Box::from_raw(config) });
            return;
        }
        LEAKED.add(config, &self.config().link);
    }
}

/// # Safety
/// NULL, or what psc_prepare gave, and nobody uses from here on.
unsafe fn take(config: *mut psc_config) -> Option<Taken> {
    (!config.is_null()).then(|| Taken(config))
}

/// Checks a configuration: parses and validates it and reads the files that it names, as psc_configure does. Changes
/// nothing that runs, and logs nothing. psc_commit then puts exactly that in force, whatever has become of the files meanwhile.
///
/// `json`: as for psc_configure. `flags`: 0 to merge the keys into the configuration that is in force now, PSC_REPLACE to
/// start from the defaults; then every file is read anew, default files too. `config`: receives the checked configuration, to
/// be given to psc_commit or psc_config_free; NULL when there is none. It may be kept for as long as the host likes, also
/// across a fork, and psc_config_free may come after psc_free.
///
/// A merge is with what is in force during this call. What another thread puts in force between psc_prepare and psc_commit
/// is replaced as a whole by psc_commit; hosts that merge in several threads use psc_configure, which tries again then.
///
/// Returns PSC_OK, PSC_ERR_INVALID_ARGUMENT (also for unknown flags), PSC_ERR_FORKED, PSC_ERR_CONFIG (psc_config_errors has
/// each wrong key), PSC_ERR_FILE (a file that a key names cannot be used), PSC_ERR_SYSTEM (out of memory). Threads: any, also
/// inside the log callback. It reads the environment, which no other thread may change meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_prepare(
    checker: *mut psc_checker,
    json: *const c_char,
    flags: c_uint,
    config: *mut *mut psc_config,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, NULL or a string, and NULL or a place for a pointer.
    unsafe {
        clear(config);
        guard::call_on_openssl(checker, Place::Anywhere, |checker| {
            checker.forget_config_errors();
            if config.is_null() {
                return Err(Error::invalid_argument("config is NULL"));
            }
            let base = match flags {
                0 => Base::Present,
                PSC_REPLACE => Base::Defaults,
                _ => return Err(Error::invalid_argument("flags has an unknown bit")),
            };
            let reserve = Reserve::of_a_configuration().ok_or_else(Error::out_of_memory)?;
            let prepared = checker.prepare(utf8(json, "json")?.as_bytes(), base)?;
            *config = Box::into_raw(Box::new(psc_config {
                prepared,
                reserve: Some(reserve),
                made_in: Process::current(),
                link: Link::new(),
            }));
            Ok(Code::Ok)
        })
    }
}

/// Puts a configuration from psc_prepare in force, as a whole. It reads no file and needs no memory that it does not have, so
/// it does not fail for what a configuration, a file system or a shortage does. What is worth a warning (see psc_configure) is
/// logged now. A running thread uses the new configuration at once.
///
/// `checker`: the handle that it was prepared for. `config`: taken, whatever is returned: it is neither used nor freed after
/// that.
///
/// Returns PSC_OK; PSC_ERR_INVALID_ARGUMENT (NULL, or a configuration of another handle), PSC_ERR_FORKED. Threads: any, also
/// inside the log callback. A handle and its configurations may be inherited through a fork as psc_init says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_commit(checker: *mut psc_checker, config: *mut psc_config) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or what psc_prepare gave, once.
    unsafe {
        let mut taken = take(config);
        let reserve = taken
            .as_mut()
            .and_then(|taken| taken.config().reserve.take());
        guard::call_with_reserve(checker, reserve, move |checker| {
            let null = || Error::invalid_argument("config is NULL");
            let mut taken = taken.ok_or_else(null)?;
            if !checker.has_prepared(&taken.config().prepared) {
                return Err(Error::invalid_argument(
                    "the configuration was prepared for another handle",
                ));
            }
            checker.commit(taken.into_prepared());
            Ok(Code::Ok)
        })
    }
}

/// Frees a configuration from psc_prepare that is not committed; secrets in it are wiped.
///
/// `config`: NULL does nothing. In a child process that was forked since psc_prepare the memory is not given back.
///
/// Threads: any, also inside the log callback, and after psc_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_config_free(config: *mut psc_config) {
    // SAFETY: the header asks for NULL or what psc_prepare gave, once.
    guard::value((), || drop(unsafe { take(config) }));
}

/// Tells what was wrong with the configuration that the calling thread's last psc_configure or psc_prepare on this handle
/// refused, by key, so that a host can name its own directive and line.
///
/// `json`: receives a JSON array, to be freed with psc_string_free: `[{"key": "interval", "text": "..."}]`, one object for
/// each problem. `key` is as it was given, null where the text is not a JSON object; `text` does not repeat it. `[]` when
/// that call refused nothing, or there was none.
///
/// Returns PSC_OK, or PSC_ERR_INVALID_ARGUMENT, PSC_ERR_FORKED; `*json` is NULL then. The text of psc_last_error is gone
/// after it. Threads: any, also inside the log callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn psc_config_errors(
    checker: *mut psc_checker,
    json: *mut *mut c_char,
) -> c_int {
    // SAFETY: the header asks for NULL or a handle that was not freed, and NULL or a place for a pointer.
    unsafe { tell(checker, json, |checker| Ok(checker.config_errors())) }
}
