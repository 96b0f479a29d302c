//! One handle: its configuration, its log, what it remembers and what is running. The C functions translate to this.
//!
//! `configure` puts a configuration in force, `run` makes a check, `scheduler` is the background thread, `lifecycle` starts,
//! stops and closes, `state_access` changes what is remembered, `status` tells. `active_config`, `activity`, `config_errors` and
//! `last_errors` are parts of a handle with a lock of their own.

mod active_config;
mod activity;
mod config_errors;
pub mod configure;
mod last_errors;
pub mod lifecycle;
mod per_thread;
mod run;
mod scheduler;
mod state_access;
pub mod status;

use crate::cancel::CancelSource;
use crate::config::Config;
use crate::fork_guard::{CallGuard, ForkGuard};
use crate::log::{LogHandle, Logger, Sink};
use crate::state::host_run;
use crate::state::shared_store::SharedStore;
use crate::sync::lock;
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::fd::FdId;
use crate::sys::reserve::Reserve;
use active_config::ActiveConfig;
use activity::Activity;
use config_errors::ConfigErrors;
use last_errors::{Forked, LastErrors};
use serde_json::Value;
use std::any::Any;
use std::ffi::c_char;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Lock order: `store` first and alone is held over file accesses; every other lock is a leaf. They are held for moments, and
/// while one is held no file is touched, no callback made, nobody waited for and no other lock taken, but that the thread is
/// spawned with `activity` locked, so that there is one.
///
/// In a child that was forked during a call no lock is taken at all: `fork_guard` tells, and is asked first.
pub struct Checker {
    /// Tells handles apart, for what outlives them.
    id: u64,
    clock: Box<dyn Clock>,
    cancel: CancelSource,
    config: ActiveConfig,
    store: SharedStore,
    activity: Activity,
    last_errors: LastErrors,
    config_errors: ConfigErrors,
    /// The lock that makes this process the owner of the host's schedule.
    owner_lock: Mutex<Option<FdId>>,

    fork_guard: ForkGuard,
    /// `psc_free` was called.
    freed: AtomicBool,
    /// ... inside the callback, where it could not wait.
    freed_in_callback: AtomicBool,

    logger: Arc<Logger>,
    /// What C knows it by; set once, kept as long as this lives.
    handle: OnceLock<Box<dyn Any + Send + Sync>>,
    /// For what has to be done without memory. The last to go: any of the others may be in it.
    _reserve: Option<Reserve>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Checker {
    /// `reserve` lives as long as this.
    pub fn new(sink: Option<Sink>, reserve: Option<Reserve>) -> Checker {
        host_run::begin();
        let config = Config::empty();
        let clock = Box::new(SystemClock::new());
        Checker {
            store: SharedStore::new(clock.as_ref()),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            clock,
            cancel: CancelSource::new(),
            logger: Arc::new(Logger::new(sink, config.settings.log_level)),
            config: ActiveConfig::new(config),
            activity: Activity::new(),
            last_errors: LastErrors::new(),
            config_errors: ConfigErrors::new(),
            owner_lock: Mutex::default(),
            fork_guard: ForkGuard::new(),
            freed: AtomicBool::new(false),
            freed_in_callback: AtomicBool::new(false),
            handle: OnceLock::new(),
            _reserve: reserve,
        }
    }

    /// Keeps what C knows this by, once.
    pub fn keep(&self, handle: Box<dyn Any + Send + Sync>) {
        let _ = self.handle.set(handle);
    }

    /// Whether a call was under way in another process when this one was forked from it. No lock may be touched then.
    pub fn is_forked(&self) -> bool {
        self.fork_guard.is_forked()
    }

    /// A call in this process, as long as what it returns lives.
    pub fn enter(&self) -> CallGuard<'_> {
        self.fork_guard.enter()
    }

    pub fn logger(&self) -> &Logger {
        &self.logger
    }

    fn log_handle(&self) -> LogHandle {
        LogHandle::new(&self.logger)
    }

    /// Notes how this thread's call went; `None`: well.
    pub fn set_last_error(&self, text: Option<&str>) {
        self.last_errors.set(&self.fork_guard, text);
    }

    /// Why this thread's last call failed; valid until its next.
    pub fn last_error(&self) -> Result<Option<*const c_char>, Forked> {
        self.last_errors.get(&self.fork_guard)
    }

    /// What was wrong with this thread's last refused configuration.
    pub fn config_errors(&self) -> Value {
        self.config_errors.get()
    }

    /// This thread has none.
    pub fn forget_config_errors(&self) {
        self.config_errors.set(None);
    }

    fn set_owner_lock(&self, file: Option<FdId>) {
        *lock(&self.owner_lock) = file;
    }

    fn is_owner(&self) -> bool {
        lock(&self.owner_lock).is_some()
    }
}
