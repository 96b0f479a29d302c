//! Cancellation: any thread, or a signal handler, asks the background thread and the check in flight to end.

use crate::error::Error;
use crate::sys::errno;
use crate::sys::event_count::EventCount;
use crate::waker::Waker;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One per handle. Tokens made of it see what was asked for after their generation.
pub struct CancelSource {
    /// How often a stop was asked for. Who begins something notes the number, and ends when it has changed.
    stops: AtomicU64,
    /// How many of them are dealt with: what they were meant for has ended.
    done: AtomicU64,
    /// How often checks alone were cancelled, which leaves the thread running.
    cancels: AtomicU64,
    /// Ends the thread's sleep.
    thread: EventCount,
    /// Ends the wait of the check in flight, of which there is one at most.
    waker: Waker,
}

/// How often stops and cancels had been asked for when something began.
#[derive(Clone, Copy)]
pub struct Generation {
    stops: u64,
    cancels: u64,
}

impl Generation {
    /// The stops of this one, the cancels of `newer`: a thread lives on when its check is cancelled.
    pub fn with_cancels_of(self, newer: Generation) -> Generation {
        Generation {
            cancels: newer.cancels,
            ..self
        }
    }
}

impl CancelSource {
    pub fn new() -> CancelSource {
        CancelSource {
            stops: AtomicU64::new(0),
            done: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
            thread: EventCount::new(),
            waker: Waker::new(),
        }
    }

    /// Makes the descriptors, once per process, and again when the host has closed them. Before the first check there are none.
    pub fn prepare(&self) -> Result<(), Error> {
        self.waker.prepare()
    }

    /// Ends the thread and checks in flight. Async-signal-safe: atomics and system calls; no lock, no allocation, `errno`
    /// untouched.
    pub fn stop(&self) {
        let _errno = errno::Preserved::now();
        self.stops.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Ends checks in flight, not the thread.
    pub fn cancel_checks(&self) {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Makes the thread and a check in flight look again at what they wait for.
    pub fn wake(&self) {
        self.thread.notify();
        self.waker.wake();
    }

    /// Makes the thread alone look again.
    pub fn wake_thread(&self) {
        self.thread.notify();
    }

    /// Of what begins now. Noted before it looks at the configuration: what changes later is seen.
    pub fn generation(&self) -> Generation {
        Generation {
            stops: self.stops.load(Ordering::SeqCst),
            cancels: self.cancels.load(Ordering::SeqCst),
        }
    }

    /// Of what ends by any stop that is not dealt with: also by one that was too early to find it running.
    pub fn generation_of_done(&self) -> Generation {
        Generation {
            stops: self.done.load(Ordering::SeqCst),
            ..self.generation()
        }
    }

    /// The stops until now are dealt with.
    pub fn stops_are_done(&self) {
        self.done
            .store(self.stops.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub fn stopped_since(&self, generation: Generation) -> bool {
        self.stops.load(Ordering::SeqCst) != generation.stops
    }

    fn cancelled_since(&self, generation: Generation) -> bool {
        self.stopped_since(generation) || self.cancels.load(Ordering::SeqCst) != generation.cancels
    }

    /// How often the thread was woken. Noted before it looks for what to do; [`CancelSource::sleep`] ends when it has changed.
    pub fn epoch(&self) -> u32 {
        self.thread.epoch()
    }

    /// The thread's sleep: until it is woken, was so after `epoch`, or `limit` has passed.
    pub fn sleep(&self, epoch: u32, limit: Option<Duration>) {
        self.thread.wait(epoch, limit);
    }

    /// Closes the descriptors, another process's copies included. Nothing of the handle may be running in this one.
    pub fn close(&self) {
        self.waker.close();
    }

    /// For a check of that generation.
    pub fn token(&self, generation: Generation) -> CancelToken<'_> {
        CancelToken {
            source: self,
            generation,
        }
    }
}

/// How a check in flight learns that it should end.
pub struct CancelToken<'a> {
    source: &'a CancelSource,
    generation: Generation,
}

impl CancelToken<'_> {
    pub fn is_cancelled(&self) -> bool {
        // Other reasons to wake would otherwise keep the descriptor readable, and the transfer busy.
        self.source.waker.clear();
        self.source.cancelled_since(self.generation)
    }

    /// Readable when it is worth asking; `None` when the host has closed it.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.source.waker.descriptor()
    }
}
