//! Log lines on their way to the host's callback: one at a time, without holding a lock, none after `psc_stop` or `psc_free`.
//!
//! Two ways: directly, from whichever thread logs, or queued (`psc_log_fd`) until the host drains them in a thread of its own.

use crate::error::Error;
use crate::panic::unwind_forked_child;
use crate::sync::{ThreadMark, lock};
use crate::sys::process::Process;
use crate::text;
use crate::waker::Waker;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Log levels; docs/log-messages.md lists the lines of each.
pub const ERROR: i32 = 1;
pub const WARNING: i32 = 2;
pub const NOTICE: i32 = 3;
pub const INFO: i32 = 4;
pub const TRACE: i32 = 7;

/// Records that wait at most; when there are more, the least important are dropped and counted.
const LONGEST_QUEUE: usize = 512;

/// The host's callback.
pub type Sink = Box<dyn Fn(i32, &CStr) + Send + Sync>;

pub struct Logger {
    sink: Option<Sink>,
    /// Less important lines are not made at all.
    level: AtomicI32,
    state: Mutex<State>,
    /// A delivery has ended.
    idle: Condvar,
    /// Readable while lines wait for `drain`.
    waker: Waker,
}

/// Who calls the callback.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Direct,
    Drain,
}

struct State {
    queue: VecDeque<(i32, CString)>,
    /// Records that there was no room for.
    dropped: u64,
    /// The thread that is inside the callback.
    delivering: Option<ThreadMark>,
    /// Set by `psc_log_fd`: lines wait for `drain`.
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
                queue: VecDeque::new(),
                dropped: 0,
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

    /// Whether the calling thread is inside this handle's callback.
    pub fn in_callback(&self) -> bool {
        lock(&self.state).delivering == Some(ThreadMark::of_this_thread())
    }

    /// From now on lines wait for [`Logger::drain`]; the descriptor is readable while some do.
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

    /// Withdraws the right to log, lines that wait included. Queued lines stay for the host to drain.
    pub fn revoke(&self, handles: &[LogHandle]) {
        let mut state = lock(&self.state);
        for log in handles {
            log.revoked.store(true, Ordering::SeqCst);
        }
        if !state.queued {
            state.queue.clear();
        }
    }

    /// Waits until no other thread is inside the callback. False when `limit` passes first.
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

    fn submit(&self, level: i32, message: &str, revoked: &AtomicBool) {
        // A NUL cannot be left in printable text.
        let Ok(line) = CString::new(text::log_line(message)) else {
            return;
        };
        let mut state = lock(&self.state);
        if state.closed || revoked.load(Ordering::SeqCst) {
            return;
        }
        state.queue.push_back((level, line));
        if state.queue.len() > LONGEST_QUEUE {
            state.drop_one();
        }
        if state.queued {
            return self.waker.wake();
        }
        drop(state);
        self.deliver(Mode::Direct);
    }

    /// Calls the callback for each waiting line, unless another thread (or this one, further up) is doing so.
    fn deliver(&self, mode: Mode) {
        let mut state = lock(&self.state);
        if state.delivering.is_some() || !state.is_for(mode) {
            return;
        }
        state.delivering = Some(ThreadMark::of_this_thread());
        let here = Process::current();
        while let Some((level, line)) = state.next(mode) {
            drop(state);
            if let Some(sink) = &self.sink {
                sink(level, &line);
            }
            if Process::current() != here {
                // Forked in there. Another thread of the parent's may have held the lock.
                unwind_forked_child();
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

    /// Drops the oldest of the least important lines: a flood of debug lines does not cost an update its line.
    fn drop_one(&mut self) {
        let levels = self.queue.iter().map(|(level, _)| *level).enumerate();
        if let Some((position, _)) = levels.min_by_key(|(_, level)| Reverse(*level)) {
            self.queue.remove(position);
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn next(&mut self, mode: Mode) -> Option<(i32, CString)> {
        if self.closed || !self.is_for(mode) {
            return None;
        }
        if let Some(line) = self.queue.pop_front() {
            return Some(line);
        }
        if self.dropped == 0 {
            return None;
        }
        let text = format!(
            "{} log records were lost: the host did not take them in time",
            self.dropped
        );
        self.dropped = 0;
        CString::new(text).ok().map(|line| (WARNING, line))
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
            self.logger.submit(level, message, &self.revoked);
        }
    }

    pub fn is_enabled(&self, level: i32) -> bool {
        self.logger.is_enabled(level)
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_the_least_important_first_and_the_oldest_of_them() {
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&delivered);
        let sink: Sink = Box::new(move |level, text| {
            let text = text.to_string_lossy().into_owned();
            lock(&kept).push((level, text));
        });
        let logger = Arc::new(Logger::new(Some(sink), TRACE));
        logger.queue().unwrap();
        let log = LogHandle::new(&logger);
        let flood = |first: usize| {
            for number in first..first + LONGEST_QUEUE {
                log.log(TRACE, &number.to_string());
            }
        };
        flood(0);
        log.log(ERROR, "update");
        flood(LONGEST_QUEUE);
        log.log(NOTICE, "no update");
        logger.drain();
        let delivered = lock(&delivered);
        let last = (2 * LONGEST_QUEUE).checked_sub(1).unwrap();
        let expected = [
            (ERROR, "update".to_owned()),
            (TRACE, (LONGEST_QUEUE + 2).to_string()),
        ];
        assert_eq!(delivered[..2], expected);
        let expected = [
            (TRACE, last.to_string()),
            (NOTICE, "no update".to_owned()),
            (
                WARNING,
                format!(
                    "{} log records were lost: the host did not take them in time",
                    LONGEST_QUEUE + 2
                ),
            ),
        ];
        assert_eq!(delivered[LONGEST_QUEUE - 2..], expected);
    }

    #[test]
    fn in_a_queue_of_what_matters_there_is_no_room_for_less() {
        let logger = Arc::new(Logger::new(
            Some(Box::new(|level, _| {
                assert!(level <= WARNING);
            })),
            TRACE,
        ));
        logger.queue().unwrap();
        let log = LogHandle::new(&logger);
        for _ in 0..LONGEST_QUEUE {
            log.log(ERROR, "update");
        }
        log.log(TRACE, "sending");
        logger.drain();
    }
}
