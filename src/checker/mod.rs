//! One handle: its configuration, its log, what it remembers and what is running. The C functions translate to this.
//!
//! `checks` makes checks, `remembering` keeps what they came to, `background` runs the thread, `ending` is
//! what `psc_free` does.

mod background;
mod checks;
mod ending;
pub mod remembering;
mod warnings;

use crate::cancel::CancelSource;
use crate::check::{preview, transport};
use crate::code::Code;
use crate::config::check_config::Readiness;
use crate::config::{Config, Rejection};
use crate::error::Error;
use crate::fork_guard::{CallGuard, ForkGuard};
use crate::log::{Logger, Sink};
use crate::schedule::run;
use crate::state::dir::StateDir;
use crate::state::hand_over::User;
use crate::state::memory::Memory;
use crate::state::record::Record;
use crate::sync::{ThreadMark, lock};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::errno;
use crate::sys::fd::FdId;
use crate::sys::reserve::Reserve;
use crate::text;
use background::Running;
use ending::Ending;
pub use ending::Remains;
use serde_json::Value;
use std::any::Any;
use std::ffi::CString;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use warnings::Said;

/// Locks. `memory` alone is held over file accesses, which may take as long as a file server likes: the thread and
/// `psc_run_once` take it, no other call waits for it (`psc_status` looks whether it is free). With it, `unsaved` may be taken.
/// The others are held for moments: while one of them is held no file is touched, no callback made, nobody waited for, and no
/// other lock taken, but that `crash` may be with `running`.
pub struct Checker {
    /// What C knows it by; set once, kept as long as this lives.
    pub handle: OnceLock<Box<dyn Any + Send + Sync>>,
    pub logger: Arc<Logger>,
    pub clock: Box<dyn Clock>,
    pub cancel: CancelSource,
    config: Mutex<Config>,

    memory: Mutex<Memory>,
    /// A copy of what `memory` could not write, for those who do not wait for it.
    unsaved: Mutex<Option<Record>>,

    running: Mutex<Running>,
    /// `running` has changed.
    changed: Condvar,
    /// Of the configuration.
    said: Mutex<Said>,
    /// Why calls failed; see `ffi::last_error`.
    pub errors: Mutex<Vec<(ThreadMark, CString)>>,
    /// The text of a panic that ended the thread.
    crash: Mutex<Option<String>>,
    /// The lock that makes this process the owner of the host's schedule.
    owner_lock: Mutex<Option<FdId>>,

    fork_guard: ForkGuard,
    ending: Ending,
    /// For what has to be done without memory. The last to go: any of the others may be in it.
    pub reserve: Option<Reserve>,
}

impl Checker {
    pub fn new(sink: Option<Sink>) -> Checker {
        run::begin();
        let config = Config::empty();
        let clock = Box::new(SystemClock::new());
        let memory = Memory::new(clock.now(), clock.boot_id());
        Checker {
            handle: OnceLock::new(),
            logger: Arc::new(Logger::new(sink, config.settings.log_level)),
            clock,
            cancel: CancelSource::new(),
            config: Mutex::new(config),
            memory: Mutex::new(memory),
            unsaved: Mutex::default(),
            running: Mutex::default(),
            said: Mutex::default(),
            changed: Condvar::new(),
            errors: Mutex::default(),
            crash: Mutex::default(),
            owner_lock: Mutex::default(),
            fork_guard: ForkGuard::new(),
            ending: Ending::default(),
            reserve: None,
        }
    }

    /// Whether something ran in another process when this one was forked from it. No lock may be touched then.
    pub fn is_forked(&self) -> bool {
        self.fork_guard.is_forked()
    }

    /// An activity of this process, as long as what it returns lives.
    pub fn enter(&self) -> CallGuard<'_> {
        self.fork_guard.enter()
    }

    pub fn configure(&self, json: &[u8]) -> Result<(), Rejection> {
        self.put_in_force(json)?;
        self.warn_of_configuration();
        Ok(())
    }

    fn put_in_force(&self, json: &[u8]) -> Result<(), Rejection> {
        transport::prepare();
        // Files are read without a lock: nobody waits for them. When another call was faster, what it set is merged into.
        let ready = loop {
            let before = self.config();
            let config = before.merged(json)?;
            let ready = matches!(config.readiness(), Readiness::Ready(_));
            let mut present = lock(&self.config);
            if Arc::ptr_eq(&present.settings, &before.settings) {
                self.logger.set_level(config.settings.log_level);
                *present = config;
                break ready;
            }
        };
        if ready {
            self.cancel.wake();
        } else {
            self.cancel.cancel_checks();
        }
        Ok(())
    }

    pub fn readiness(&self) -> Readiness {
        self.config().readiness()
    }

    /// A copy of the configuration as it is now.
    pub fn config(&self) -> Config {
        lock(&self.config).clone()
    }

    pub fn preview(&self) -> Result<Value, Error> {
        // Also while checks are disabled: a machine without a connection has its request carried.
        let config = self.config().check_config().ok_or_else(incomplete)?;
        preview::preview(&config)
    }

    /// Makes the configured state directory fit for that user; nothing to do where none is configured.
    pub fn make_state_dir(&self, user: User) -> Result<(), Error> {
        let Some(path) = self.config().settings.state_dir.clone() else {
            return Ok(());
        };
        StateDir::new(&path).make_for(user).map_err(|error| {
            let reason = format!(
                "the state directory {} cannot be used: {error}",
                text::quoted(&path.to_string_lossy())
            );
            if errno::is_shortage(&error) {
                Error::system(reason)
            } else {
                Error::new(Code::File, reason, "")
            }
        })
    }

    pub fn note_owner_lock(&self, file: Option<FdId>) {
        *lock(&self.owner_lock) = file;
    }

    pub fn is_owner(&self) -> bool {
        lock(&self.owner_lock).is_some()
    }

    /// The thread has ended by a bug.
    pub fn note_crash(&self, text: &str) {
        *lock(&self.crash) = Some(text.to_owned());
    }

    /// For `psc_status`: the code and text of a bug that ended the thread.
    pub fn crash(&self) -> Option<Value> {
        lock(&self.crash).as_ref().map(|text| {
            serde_json::json!({ "code": Code::Internal.number(), "name": Code::Internal.name(), "text": text })
        })
    }
}

fn incomplete() -> Error {
    Error::new(
        Code::State,
        "the configuration is not complete: passenger_version and server_identifier are needed",
        "",
    )
}
