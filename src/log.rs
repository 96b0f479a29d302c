//! Log lines and results on their way to the host's callbacks: one call at a time, without holding a lock, none after `psc_stop`
//! or `psc_free`. Both wait in one queue, so a result comes after the lines of its check.
//!
//! Two ways: directly, from whichever thread logs, or queued (`psc_log_fd`) until the host drains them in a thread of its own.

mod level;
mod queue;

pub use level::{ERROR, INFO, NOTICE, TRACE, WARNING};

use crate::code::Code;
use crate::error::Error;
use crate::fork_guard::leave_forked_child;
use crate::outcome::Outcome;
use crate::sync::{ThreadMark, lock};
use crate::sys::process::Process;
use crate::text;
use crate::waker::Waker;
use queue::{Entry, Queue};
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// The host's log callback.
pub type Sink = Box<dyn Fn(i32, &CStr) + Send + Sync>;

/// The host's result callback.
pub type ResultSink = Arc<dyn Fn(Outcome) + Send + Sync>;

pub struct Logger {
    sink: Option<Sink>,
    /// Less important lines are not made at all.
    level: AtomicI32,
    state: Mutex<State>,
    /// A delivery has ended.
    idle: Condvar,
    /// Readable while something waits for `drain`.
    waker: Waker,
}

/// Who calls the callbacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Direct,
    Drain,
}

struct State {
    queue: Queue,
    /// Set by `psc_on_result`.
    result_sink: Option<ResultSink>,
    /// The thread that is inside a callback.
    delivering: Option<ThreadMark>,
    /// Set by `psc_log_fd`: all waits for `drain`.
    queued: bool,
    /// Set by `psc_free`: nothing is ever delivered again.
    closed: bool,
}

impl Logger {
    pub fn new(sink: Option<Sink>, level: i32) -> Logger {
        Logger {
            sink,
            level: AtomicI32::new(level),
            state: Mutex::new(State {
                queue: Queue::default(),
                result_sink: None,
                delivering: None,
                queued: false,
                closed: false,
            }),
            idle: Condvar::new(),
            waker: Waker::new(),
        }
    }

    pub fn set_level(&self, level: i32) {
        self.level.store(level, Ordering::Relaxed);
    }

    pub fn is_enabled(&self, level: i32) -> bool {
        self.sink.is_some() && level <= self.level.load(Ordering::Relaxed)
    }

    /// Whom results go to from now on, those that wait included. Not while another thread is inside a callback: it may be the
    /// one that is replaced, whose data the host is about to free.
    pub fn set_result_sink(&self, sink: Option<ResultSink>) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.delivering.is_some() {
            return Err(Error::new(
                Code::State,
                "another thread is inside a callback of this handle",
                "",
            ));
        }
        let before = std::mem::replace(&mut state.result_sink, sink);
        drop(state);
        drop(before);
        Ok(())
    }

    /// Whether the calling thread is inside a callback of this handle's.
    pub fn in_callback(&self) -> bool {
        lock(&self.state).delivering == Some(ThreadMark::of_this_thread())
    }

    /// From now on all waits for [`Logger::drain`]; the descriptor is readable while some do.
    pub fn queue(&self) -> Result<RawFd, Error> {
        self.waker.prepare()?;
        let mut state = lock(&self.state);
        state.queued = true;
        if !state.queue.is_empty() {
            self.waker.wake();
        }
        let lost = || Error::system("the host has closed the descriptor");
        self.waker.descriptor().ok_or_else(lost)
    }

    /// Delivers what waits, in the calling thread.
    pub fn drain(&self) {
        self.waker.clear();
        self.deliver(Mode::Drain);
    }

    /// Nothing is delivered any more, and what waits is forgotten.
    pub fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.queue.clear();
    }

    /// Closes the descriptors, another process's copies included. Nobody may be waiting for them.
    pub fn close_descriptors(&self) {
        self.waker.close();
    }

    /// Withdraws the right to log, what waits included. What is queued stays for the host to drain.
    pub fn revoke(&self, handles: &[LogHandle]) {
        let mut state = lock(&self.state);
        for log in handles {
            log.revoked.store(true, Ordering::SeqCst);
        }
        if !state.queued {
            state.queue.clear();
        }
    }

    /// Waits until no other thread is inside a callback. False when `limit` passes first.
    pub fn wait_until_idle(&self, limit: Duration) -> bool {
        let me = ThreadMark::of_this_thread();
        let started = Instant::now();
        let mut state = lock(&self.state);
        while state.delivering.is_some_and(|thread| thread != me) {
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            state = crate::sync::wait(&self.idle, state, left);
        }
        true
    }

    /// `push`: puts something into the queue, or does not.
    fn submit(&self, revoked: &AtomicBool, push: impl FnOnce(&mut State) -> bool) {
        let mut state = lock(&self.state);
        if state.closed || revoked.load(Ordering::SeqCst) {
            return;
        }
        if !push(&mut state) {
            return;
        }
        if state.queued {
            return self.waker.wake();
        }
        drop(state);
        self.deliver(Mode::Direct);
    }

    /// Calls the callbacks for what waits, unless another thread (or this one, further up) is doing so.
    fn deliver(&self, mode: Mode) {
        let mut state = lock(&self.state);
        if state.delivering.is_some() || !state.is_for(mode) {
            return;
        }
        state.delivering = Some(ThreadMark::of_this_thread());
        let here = Process::current();
        while let Some(entry) = state.next(mode) {
            let result_sink = state.result_sink.clone();
            drop(state);
            match (entry, &self.sink, &result_sink) {
                (Entry::Line(level, line), Some(sink), _) => sink(level, &line),
                (Entry::Result(outcome), _, Some(sink)) => sink(*outcome),
                _ => {}
            }
            if Process::current() != here {
                // Forked in there. Another thread of the parent's may have held the lock.
                leave_forked_child();
            }
            state = lock(&self.state);
        }
        state.delivering = None;
        // Draining began while this delivery was going on: what is left is for the host to drain.
        if state.queued && !state.queue.is_empty() {
            self.waker.wake();
        }
        self.idle.notify_all();
    }
}

impl State {
    /// From `psc_log_fd` on nothing is delivered but by draining.
    fn is_for(&self, mode: Mode) -> bool {
        mode == Mode::Drain || !self.queued
    }

    fn next(&mut self, mode: Mode) -> Option<Entry> {
        if self.closed || !self.is_for(mode) {
            return None;
        }
        self.queue.pop()
    }
}

/// The right of one activity (a call, a thread) to log; it can be withdrawn.
#[derive(Clone)]
pub struct LogHandle {
    logger: Arc<Logger>,
    revoked: Arc<AtomicBool>,
}

impl LogHandle {
    pub fn new(logger: &Arc<Logger>) -> LogHandle {
        LogHandle {
            logger: Arc::clone(logger),
            revoked: Arc::default(),
        }
    }

    /// Logs one line; text is made printable and cut.
    pub fn log(&self, level: i32, message: &str) {
        if self.is_enabled(level) {
            // A NUL cannot be left in printable text.
            if let Ok(line) = CString::new(text::log_line(message)) {
                self.logger.submit(&self.revoked, |state| {
                    state.queue.push_line(level, line);
                    true
                });
            }
        }
    }

    /// Hands a result to the host, after the lines that were logged before.
    pub fn result(&self, outcome: Outcome) {
        self.logger.submit(&self.revoked, |state| {
            let is_wanted = state.result_sink.is_some();
            if is_wanted {
                state.queue.push_result(outcome);
            }
            is_wanted
        });
    }

    pub fn is_enabled(&self, level: i32) -> bool {
        self.logger.is_enabled(level)
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}
