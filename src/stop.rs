//! The wish to stop, expressed by any thread or a signal handler, and seen by the thread and by checks in flight.

use crate::check::transport::Cancel;
use crate::failure::Failure;
use crate::sys::errno;
use crate::sys::sleep::Bell;
use crate::waker::Waker;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub struct Stop {
    /// Counts wishes to stop. An activity notes the count when it begins, and ends when it has changed.
    stops: AtomicU64,
    /// Counts wishes to end checks, which leave the thread alone.
    cancels: AtomicU64,
    /// Ends the thread's sleep.
    bell: Bell,
    /// Ends the wait of the check in flight, of which there is one at most.
    waker: Waker,
}

/// How many wishes there were when an activity began.
#[derive(Clone, Copy)]
pub struct Marks {
    stops: u64,
    cancels: u64,
}

impl Marks {
    /// The stops of these, the cancels of `newer`: a thread lives on when its check is cancelled.
    pub fn with_cancels_of(self, newer: Marks) -> Marks {
        Marks {
            cancels: newer.cancels,
            ..self
        }
    }
}

impl Stop {
    pub fn new() -> Stop {
        Stop {
            stops: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
            bell: Bell::new(),
            waker: Waker::new(),
        }
    }

    /// Makes the descriptors, once per process, and again when the host has closed them. Before the first check there are none.
    pub fn prepare(&self) -> Result<(), Failure> {
        self.waker.prepare()
    }

    /// Async-signal-safe: atomics and system calls; no lock, no allocation, `errno` untouched.
    pub fn request(&self) {
        let _errno = errno::Preserved::now();
        self.stops.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Ends checks in flight, not the thread.
    pub fn cancel_checks(&self) {
        self.cancels.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    /// Makes the thread and a check in flight look at the world again.
    pub fn wake(&self) {
        self.bell.ring();
        self.waker.wake();
    }

    /// Makes the thread look at the world again.
    pub fn wake_thread(&self) {
        self.bell.ring();
    }

    /// The marks of an activity that begins now. Noted before it looks at the configuration: what changes later is seen.
    pub fn marks(&self) -> Marks {
        Marks {
            stops: self.stops.load(Ordering::SeqCst),
            cancels: self.cancels.load(Ordering::SeqCst),
        }
    }

    pub fn requested_since(&self, marks: Marks) -> bool {
        self.stops.load(Ordering::SeqCst) != marks.stops
    }

    fn cancelled_since(&self, marks: Marks) -> bool {
        self.requested_since(marks) || self.cancels.load(Ordering::SeqCst) != marks.cancels
    }

    /// How often the thread was woken. Noted before it looks at the world; [`Stop::sleep`] ends when it has changed.
    pub fn rings(&self) -> u32 {
        self.bell.rings()
    }

    /// The thread's sleep: until it is woken, was so after `rings`, or `limit` has passed; perhaps less long.
    pub fn sleep(&self, rings: u32, limit: Option<Duration>) {
        self.bell.sleep(rings, limit);
    }

    /// Closes the descriptors, another process's copies included. Nothing of the handle may be running in this one.
    pub fn close(&self) {
        self.waker.close();
    }

    /// How the check in flight learns that it should end.
    pub fn interrupt(&self, marks: Marks) -> Interrupt<'_> {
        Interrupt { stop: self, marks }
    }
}

pub struct Interrupt<'a> {
    stop: &'a Stop,
    marks: Marks,
}

impl Cancel for Interrupt<'_> {
    fn is_cancelled(&self) -> bool {
        // Other reasons to wake would otherwise keep the descriptor readable, and the transfer busy.
        self.stop.waker.clear();
        self.stop.cancelled_since(self.marks)
    }

    fn descriptor(&self) -> Option<RawFd> {
        self.stop.waker.descriptor()
    }
}
