//! What a handle is doing: its thread, and the check in flight.

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
    thread: Option<Background>,
    /// The log handle of the check in flight, of which there is one at most.
    check: Option<LogHandle>,
    /// The text of a panic that ended the thread.
    crash: Option<String>,
}

/// The background thread.
pub struct Background {
    pub thread: Thread,
    pub log: LogHandle,
    /// Set by [`Activity::thread_ends`].
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
    fn has_thread(&self) -> bool {
        self.thread
            .as_ref()
            .is_some_and(|thread| !thread.ended.load(Ordering::SeqCst))
    }

    fn is_busy(&self) -> bool {
        self.check.is_some() || self.has_thread()
    }
}

impl Activity {
    pub fn new() -> Activity {
        Activity {
            running: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Makes `spawn` start the thread unless there is one. Returns an earlier one that has ended and is to be joined.
    pub fn start_thread(
        &self,
        spawn: impl FnOnce() -> Result<Background, Error>,
    ) -> Result<Option<Thread>, Error> {
        let mut running = lock(&self.running);
        if running.has_thread() {
            return Err(Error::new(
                Code::State,
                "already started, or the thread of an earlier start has not ended yet",
                "",
            ));
        }
        running.crash = None;
        let earlier = running.thread.replace(spawn()?);
        Ok(earlier.map(|earlier| earlier.thread))
    }

    pub fn has_thread(&self) -> bool {
        lock(&self.running).has_thread()
    }

    /// By the thread itself, before it does its last.
    pub fn thread_ends(&self, ended: &AtomicBool) {
        let _running = lock(&self.running);
        ended.store(true, Ordering::SeqCst);
    }

    /// The thread has ended by a bug.
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
            let thread = running.thread.as_ref().map(|thread| thread.log.clone());
            return Waited::Busy(thread.into_iter().chain(running.check.clone()).collect());
        }
        Waited::Idle(running.thread.take().map(|ended| ended.thread))
    }
}
