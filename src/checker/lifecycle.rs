//! The beginning and the end: `psc_start`, `psc_run`, `psc_stop`, and `psc_free`, which may be called in the process that made the handle
//! or in another, beside or inside its callback.

use super::Checker;
use super::activity::{self, Schedule, Waited};
use super::configure::incomplete;
use super::scheduler::{self, Place};
use crate::code::Code;
use crate::error::Error;
use crate::log::ResultSink;
use crate::sys::fd::FdId;
use crate::sys::reserve::Reserve;
use crate::sys::thread::Thread;
use crate::sys::{signals, stack};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long `psc_stop` waits for what is running; a second is promised.
const STOP_LIMIT: Duration = Duration::from_millis(900);

/// How often the wish is repeated meanwhile.
const STOP_INTERVAL: Duration = Duration::from_millis(20);

/// Added to what `psc_stop` waits; together they are less than a second.
const LAST_DELIVERY: Duration = Duration::from_millis(50);

/// What becomes of the handle's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposal {
    /// It goes as soon as nothing uses it any more.
    Release,
    /// It was made in another process, and is left as it is: OpenSSL's part cannot be given back without OpenSSL's locks,
    /// which threads of that process may have held when this one was forked.
    Leak,
    /// That was decided before: another thread is in `psc_free`.
    Decided,
}

impl Checker {
    /// `psc_start`: the schedule in a thread of psc's own.
    pub fn start(self: &Arc<Checker>) -> Result<(), Error> {
        self.start_schedule(|| {
            // The thread's stops are those that come from now on.
            self.cancel.stops_are_done();
            self.spawn()
        })
    }

    /// `psc_run`: the schedule in the calling thread, until a stop is requested; also by one that was requested before, and that
    /// nothing has ended by.
    pub fn run(&self) -> Result<(), Error> {
        let reserve = Reserve::of_a_call().ok_or_else(Error::out_of_memory)?;
        reserve.serve_this_thread();
        let log = self.log_handle();
        let ended = Arc::new(AtomicBool::new(false));
        self.start_schedule(|| {
            Ok(Schedule {
                thread: None,
                log: log.clone(),
                ended: Arc::clone(&ended),
            })
        })?;
        let generation = self.cancel.generation_of_done();
        let went = scheduler::run(self, &log, generation, reserve, Place::HostThread);
        self.end_schedule(&ended);
        self.activity.notify();
        went
    }

    fn start_schedule(&self, spawn: impl FnOnce() -> Result<Schedule, Error>) -> Result<(), Error> {
        if !self.config.get().settings.is_complete() {
            return Err(incomplete());
        }
        self.cancel.prepare()?;
        let earlier = self.activity.start_schedule(spawn)?;
        if let Some(ended) = earlier {
            ended.join();
        }
        Ok(())
    }

    fn end_schedule(&self, ended: &AtomicBool) {
        // The next start is a new beginning. Not in the start: another call may hold the store for as long as its files take,
        // or have given the warning just before.
        self.store.restart();
        self.cancel.stops_are_done();
        self.activity.schedule_ends(ended);
    }

    fn spawn(self: &Arc<Checker>) -> Result<Schedule, Error> {
        let reserve = Reserve::of_a_call().ok_or_else(Error::out_of_memory)?;
        let log = self.log_handle();
        let ended = Arc::new(AtomicBool::new(false));
        let generation = self.cancel.generation();
        let body = {
            let (checker, log, ended) = (Arc::clone(self), log.clone(), Arc::clone(&ended));
            move || {
                reserve.serve_this_thread();
                let call = checker.fork_guard.adopt();
                // That it has ended by a bug is logged, and in `psc_status`.
                let _ = scheduler::run(&checker, &log, generation, reserve, Place::OwnThread);
                checker.end_schedule(&ended);
                drop(call);
                checker.close_what_is_left();
                checker.activity.notify();
            }
        };
        // The thread inherits the mask: the host's signals are the host's.
        let _signals = signals::Blocked::all();
        self.fork_guard.enter_for_new_thread();
        let thread = Thread::spawn(
            c"psc",
            stack::beside_thread_locals(scheduler::STACK_BYTES),
            body,
        )
        .map_err(|error| {
            drop(self.fork_guard.adopt());
            Error::system(format!("no thread: {error}"))
        })?;
        Ok(Schedule {
            thread: Some(thread),
            log,
            ended,
        })
    }

    /// Whom the results of the schedule go to: before it runs.
    pub fn set_result_sink(&self, sink: Option<ResultSink>) -> Result<(), Error> {
        if self.activity.has_schedule() {
            return Err(activity::already_started());
        }
        self.logger.set_result_sink(sink)
    }

    /// Ends what is running, without waiting. Async-signal-safe.
    pub fn request_stop(&self) {
        self.cancel.stop();
    }

    /// Ends what is running and waits for it, at most a second.
    pub fn stop(&self) -> Result<(), Error> {
        let _call = self.fork_guard.enter();
        self.cancel.stop();
        let started = Instant::now();
        // Again and again, for a check that began just after the wish.
        let waited = self
            .activity
            .wait_until_idle(STOP_LIMIT, STOP_INTERVAL, || self.cancel.stop());
        let in_time = matches!(waited, Waited::Idle(_));
        match waited {
            Waited::Idle(thread) => thread.into_iter().for_each(Thread::join),
            // What hangs may go on hanging, but logs nothing any more. A later stop waits for it again.
            Waited::Busy(logs) => self.logger.revoke(&logs),
        }
        self.cancel.stops_are_done();
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
        self.activity.has_schedule()
    }

    /// `psc_free`: ends what runs, within a second, and tells what becomes of the memory. Nothing is logged any more.
    pub fn close(&self) -> Disposal {
        if !self.fork_guard.has_run_here() {
            // Forked, and never used here: locks may be held by threads that there are not.
            self.close_descriptors();
            return Disposal::Leak;
        }
        if self.freed.swap(true, Ordering::SeqCst) {
            return Disposal::Decided;
        }
        if self.logger.in_callback() {
            self.freed_in_callback.store(true, Ordering::SeqCst);
            self.cancel.stop();
            self.logger.close();
        } else {
            let _ = self.stop();
            self.logger.close();
            // Another call may have begun to deliver meanwhile.
            self.logger.wait_until_idle(LAST_DELIVERY);
        }
        if !self.fork_guard.is_inherited() {
            return Disposal::Release;
        }
        self.close_what_is_left();
        Disposal::Leak
    }

    /// At the end of a call of the host's: does what `psc_free` could not do inside the callback.
    pub fn finish_call(&self) {
        if self.freed_in_callback.load(Ordering::SeqCst) && !self.logger.in_callback() {
            let _ = self.stop();
        }
        self.close_what_is_left();
    }

    /// At the end of a call or of the thread: the last one closes the descriptors of memory that stays.
    fn close_what_is_left(&self) {
        let is_freed = self.freed.load(Ordering::SeqCst);
        if is_freed && self.fork_guard.is_inherited() && self.fork_guard.is_idle() {
            self.close_descriptors();
        }
    }

    /// This process's, and its copies of another's. Takes no lock that another thread could hold.
    fn close_descriptors(&self) {
        self.cancel.close();
        self.logger.close_descriptors();
        // Held by a thread of the other process, it never gets free here.
        if let Ok(mut file) = self.owner_lock.try_lock() {
            file.take().into_iter().for_each(FdId::close);
        }
    }
}

fn gave_up(reason: &str) -> Error {
    Error::new(Code::Timeout, reason, "")
}
