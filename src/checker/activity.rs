//! What a handle is doing: its schedule, and the check in flight.

use crate::code::Code;
use crate::error::Error;
use crate::log::LogHandle;
use crate::sync::{lock, wait};
use crate::sys::thread::Thread;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

pub struct Activity {
    running: Mutex<Running>,
    /// `running` has changed.
    changed: Condvar,
}

#[derive(Default)]
struct Running {
    schedule: Option<Schedule>,
    /// The log handle of the check in flight, of which there is one at most.
    check: Option<LogHandle>,
    /// The text of a panic that ended the schedule.
    crash: Option<String>,
}

/// The schedule, which runs in a thread.
pub struct Schedule {
    /// `None`: in one of the host's, which is in `psc_run`.
    pub thread: Option<Thread>,
    pub log: LogHandle,
    /// Set by [`Activity::schedule_ends`].
    pub ended: Arc<AtomicBool>,
}

/// What [`Activity::wait_until_idle`] came to.
pub enum Waited {
    /// Nothing runs any more; the thread that has ended is to be joined.
    Idle(Option<Thread>),
    /// The log handles of what still runs.
    Busy(Vec<LogHandle>),
}

impl Running {
    fn has_schedule(&self) -> bool {
        self.schedule
            .as_ref()
            .is_some_and(|schedule| !schedule.ended.load(Ordering::SeqCst))
    }

    fn is_busy(&self) -> bool {
        self.check.is_some() || self.has_schedule()
    }
}

impl Activity {
    pub fn new() -> Activity {
        Activity {
            running: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Makes `spawn` start the schedule unless it runs. Returns an earlier thread that has ended and is to be joined.
    pub fn start_schedule(
        &self,
        spawn: impl FnOnce() -> Result<Schedule, Error>,
    ) -> Result<Option<Thread>, Error> {
        let mut running = lock(&self.running);
        if running.has_schedule() {
            return Err(already_started());
        }
        running.crash = None;
        let earlier = running.schedule.replace(spawn()?);
        Ok(earlier.and_then(|earlier| earlier.thread))
    }

    pub fn has_schedule(&self) -> bool {
        lock(&self.running).has_schedule()
    }

    /// By the thread that it runs in, before that does its last.
    pub fn schedule_ends(&self, ended: &AtomicBool) {
        let _running = lock(&self.running);
        ended.store(true, Ordering::SeqCst);
    }

    /// The schedule has ended by a bug.
    pub fn set_crash(&self, text: &str) {
        lock(&self.running).crash = Some(text.to_owned());
    }

    pub fn crash(&self) -> Option<String> {
        lock(&self.running).crash.clone()
    }

    /// False: there is a check in flight already.
    pub fn begin_check(&self, log: &LogHandle) -> bool {
        let mut running = lock(&self.running);
        let is_free = running.check.is_none();
        if is_free {
            running.check = Some(log.clone());
        }
        is_free
    }

    pub fn end_check(&self) {
        lock(&self.running).check = None;
        self.notify();
    }

    /// Makes who waits look again.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until nothing runs, at most `limit`; meanwhile calls `again` each `interval`.
    pub fn wait_until_idle(&self, limit: Duration, interval: Duration, again: impl Fn()) -> Waited {
        let started = Instant::now();
        let mut running = lock(&self.running);
        while running.is_busy() && started.elapsed() < limit {
            let left = limit.saturating_sub(started.elapsed());
            running = wait(&self.changed, running, left.min(interval));
            again();
        }
        if running.is_busy() {
            let schedule = running.schedule.as_ref().map(|schedule| &schedule.log);
            let logs = schedule.into_iter().chain(&running.check);
            return Waited::Busy(logs.cloned().collect());
        }
        let ended = running.schedule.take();
        Waited::Idle(ended.and_then(|ended| ended.thread))
    }
}

pub fn already_started() -> Error {
    Error::new(
        Code::State,
        "already started, or what was started earlier has not ended yet",
        "",
    )
}
