//! The background thread's beginning and end.

use super::{Checker, incomplete};
use crate::code::Code;
use crate::config::check_config::Readiness;
use crate::error::Error;
use crate::log::LogHandle;
use crate::schedule::thread;
use crate::sync::{lock, wait};
use crate::sys::reserve::Reserve;
use crate::sys::thread::Thread;
use crate::sys::{signals, stack};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long `psc_stop` waits for what is running; the contract allows a second.
const STOP_LIMIT: Duration = Duration::from_millis(900);

/// How often the wish is repeated meanwhile.
const STOP_STEP: Duration = Duration::from_millis(20);

/// What is going on.
#[derive(Default)]
pub struct Running {
    thread: Option<Background>,
    /// The log of a check in flight.
    pub(super) check: Option<LogHandle>,
}

struct Background {
    handle: Thread,
    log: LogHandle,
    ended: Arc<AtomicBool>,
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

impl Checker {
    pub fn start(self: &Arc<Checker>) -> Result<(), Error> {
        if matches!(self.readiness(), Readiness::Incomplete) {
            return Err(incomplete());
        }
        self.cancel.prepare()?;
        let mut running = lock(&self.running);
        if running.has_thread() {
            return Err(Error::new(
                Code::State,
                "already started, or the thread of an earlier start has not ended yet",
                "",
            ));
        }
        *lock(&self.crash) = None;
        let thread = self.spawn()?;
        let earlier = running.thread.replace(thread);
        drop(running);
        if let Some(ended) = earlier {
            ended.handle.join();
        }
        Ok(())
    }

    fn spawn(self: &Arc<Checker>) -> Result<Background, Error> {
        let reserve = Reserve::of_a_call().ok_or_else(Error::out_of_memory)?;
        let log = LogHandle::new(&self.logger);
        let ended = Arc::new(AtomicBool::new(false));
        let generation = self.cancel.generation();
        let body = {
            let (checker, log, ended) = (Arc::clone(self), log.clone(), Arc::clone(&ended));
            move || {
                reserve.serve_this_thread();
                let call = checker.fork_guard.adopt();
                thread::main(&checker, &log, generation, reserve);
                // The next start is a new beginning: what is wrong with the state is worth a warning again. Not in `start`:
                // another call may hold the memory for as long as its files take, or have given the warning just before.
                lock(&checker.memory).restart();
                {
                    let _running = lock(&checker.running);
                    ended.store(true, Ordering::SeqCst);
                }
                drop(call);
                checker.close_what_is_left();
                checker.changed.notify_all();
            }
        };
        // The thread inherits the mask: the host's signals are the host's.
        let _signals = signals::Blocked::all();
        self.fork_guard.enter_for_new_thread();
        let handle = Thread::spawn(
            c"psc",
            stack::beside_thread_locals(thread::STACK_BYTES),
            body,
        )
        .map_err(|error| {
            drop(self.fork_guard.adopt());
            Error::system(format!("no thread: {error}"))
        })?;
        Ok(Background { handle, log, ended })
    }

    /// Ends what is running and waits for it, at most a second.
    pub fn stop(&self) -> Result<(), Error> {
        let _call = self.fork_guard.enter();
        self.cancel.stop();
        let started = Instant::now();
        let mut running = lock(&self.running);
        while running.is_busy() && started.elapsed() < STOP_LIMIT {
            let left = STOP_LIMIT.saturating_sub(started.elapsed());
            running = wait(&self.changed, running, left.min(STOP_STEP));
            // For a check that began just after the wish.
            self.cancel.stop();
        }
        let in_time = !running.is_busy();
        let mut ended = None;
        if in_time {
            ended = running.thread.take();
        } else {
            // What hangs may go on hanging, but it has nothing to say any more. A later stop waits for it again.
            let thread = running.thread.as_ref().map(|thread| &thread.log);
            self.logger.revoke(thread.into_iter().chain(&running.check));
        }
        drop(running);
        if let Some(ended) = ended {
            ended.handle.join();
        }
        let idle = self
            .logger
            .wait_until_idle(STOP_LIMIT.saturating_sub(started.elapsed()));
        match (idle, in_time) {
            (true, true) => Ok(()),
            (false, _) => Err(gave_up("the host's log callback did not return in time")),
            (true, false) => Err(gave_up(
                "a check did not end in time; what it hangs in, a name look-up by a libcurl older than 7.87 or a state_dir that does not answer, ends by itself, and it is mute",
            )),
        }
    }

    pub fn is_running(&self) -> bool {
        lock(&self.running).has_thread()
    }
}

fn gave_up(reason: &str) -> Error {
    Error::new(Code::Timeout, reason, "")
}
