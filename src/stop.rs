//! The wish to stop, expressed by any thread or a signal handler, and seen by the thread and by checks in flight.

#![allow(unsafe_code)]

use crate::check::transport::Cancel;
use crate::failure::Failure;
use crate::sync::lock;
use crate::sys::descriptor::Identity;
use crate::sys::errno;
use crate::waker::Waker;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// One waker per activity that can wait, so that each clears only its own.
struct Wakers {
    /// The process that made them: descriptors are not shared over a fork.
    process: u32,
    thread: Waker,
    call: Waker,
}

pub struct Stop {
    /// Counts wishes to stop. An activity notes the count when it begins, and ends when it has changed.
    stops: AtomicU64,
    /// Counts wishes to end checks, which leave the thread alone.
    cancels: AtomicU64,
    current: AtomicPtr<Wakers>,
    /// Owns what `current` points to, and what it pointed to before a fork: a signal handler may be looking at it.
    all: Mutex<Vec<Arc<Wakers>>>,
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

/// Which of the two wakers an activity waits on.
#[derive(Clone, Copy)]
pub enum Activity {
    Thread,
    Call,
}

impl Stop {
    pub fn new() -> Stop {
        Stop {
            stops: AtomicU64::new(0),
            cancels: AtomicU64::new(0),
            current: AtomicPtr::new(ptr::null_mut()),
            all: Mutex::new(Vec::new()),
        }
    }

    /// Makes the descriptors, once per process. Before the first activity there are none.
    pub fn prepare(&self) -> Result<(), Failure> {
        let mut all = lock(&self.all);
        if self.wakers().is_some() {
            return Ok(());
        }
        let wakers = Arc::new(Wakers {
            process: std::process::id(),
            thread: Waker::new()?,
            call: Waker::new()?,
        });
        self.current
            .store(Arc::as_ptr(&wakers).cast_mut(), Ordering::SeqCst);
        all.push(wakers);
        Ok(())
    }

    /// Async-signal-safe: atomics, `getpid`, `fstat`, `write`; no lock, no allocation, `errno` untouched.
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
        if let Some(wakers) = self.wakers() {
            wakers.thread.wake();
            wakers.call.wake();
        }
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

    pub fn clear(&self, activity: Activity) {
        if let Some(wakers) = self.wakers() {
            wakers.of(activity).clear();
        }
    }

    /// -1, which poll(2) passes over, before `prepare`, and when the host has closed it.
    pub fn descriptor(&self, activity: Activity) -> RawFd {
        self.wakers()
            .map_or(-1, |wakers| wakers.of(activity).descriptor())
    }

    /// Closes this process's copies of another process's descriptors. `self` must never be dropped afterwards.
    pub fn close_inherited(&self) {
        // SAFETY: as in `wakers`; the other process owns the memory's contents, this one only its copy.
        let wakers = unsafe {
            self.current
                .swap(ptr::null_mut(), Ordering::SeqCst)
                .as_ref()
        };
        for waker in wakers
            .iter()
            .flat_map(|wakers| [&wakers.thread, &wakers.call])
        {
            waker.ends().for_each(Identity::close);
        }
    }

    /// This process's wakers.
    fn wakers(&self) -> Option<&Wakers> {
        // SAFETY: what was stored is owned by `all`, which only grows while `self` lives.
        let wakers = unsafe { self.current.load(Ordering::SeqCst).as_ref() };
        wakers.filter(|wakers| wakers.process == std::process::id())
    }

    /// How a check that `activity` makes learns that it should end.
    pub fn interrupt(&self, activity: Activity, marks: Marks) -> Interrupt<'_> {
        Interrupt {
            stop: self,
            activity,
            marks,
        }
    }
}

impl Wakers {
    fn of(&self, activity: Activity) -> &Waker {
        match activity {
            Activity::Thread => &self.thread,
            Activity::Call => &self.call,
        }
    }
}

pub struct Interrupt<'a> {
    stop: &'a Stop,
    activity: Activity,
    marks: Marks,
}

impl Cancel for Interrupt<'_> {
    fn is_cancelled(&self) -> bool {
        // Other reasons to wake would otherwise keep the descriptor readable, and the transfer busy.
        self.stop.clear(self.activity);
        self.stop.cancelled_since(self.marks)
    }

    fn descriptor(&self) -> RawFd {
        self.stop.descriptor(self.activity)
    }
}
