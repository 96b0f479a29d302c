//! Signals: psc's thread takes none of the host's, and a broken connection does not kill the host.

use std::mem::MaybeUninit;
use std::ptr;

/// What writing can bring: OpenSSL writes to sockets without `MSG_NOSIGNAL`, and files have a limit (`RLIMIT_FSIZE`).
const OF_WRITING: [libc::c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// Blocks signals in the calling thread until it goes.
pub struct Blocked {
    before: libc::sigset_t,
    /// Signals that were not pending before: one that came since is ours.
    swallowed: Vec<libc::c_int>,
}

impl Blocked {
    /// Every signal; a thread created meanwhile inherits that.
    pub fn all() -> Blocked {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: fills the set that it is given.
        let set = unsafe {
            libc::sigfillset(set.as_mut_ptr());
            set.assume_init()
        };
        Blocked {
            before: block(&set),
            swallowed: Vec::new(),
        }
    }

    /// Those alone that writing can bring: the call that wrote fails instead.
    pub fn of_writing() -> Blocked {
        let swallowed = OF_WRITING
            .into_iter()
            .filter(|signal| !is_pending(*signal))
            .collect();
        Blocked {
            before: block(&only(&OF_WRITING)),
            swallowed,
        }
    }
}

impl Blocked {
    /// Runs `body` with the mask as it was before.
    pub fn lifted<T>(&self, body: impl FnOnce() -> T) -> T {
        let blocked = set_mask(&self.before);
        let value = body();
        set_mask(&blocked);
        value
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        for signal in &self.swallowed {
            if is_pending(*signal) {
                swallow(*signal);
            }
        }
        set_mask(&self.before);
    }
}

fn block(set: &libc::sigset_t) -> libc::sigset_t {
    change_mask(libc::SIG_BLOCK, set)
}

fn set_mask(set: &libc::sigset_t) -> libc::sigset_t {
    change_mask(libc::SIG_SETMASK, set)
}

/// The mask that this thread had before.
fn change_mask(how: libc::c_int, set: &libc::sigset_t) -> libc::sigset_t {
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: changes this thread's mask and fills `before`; neither pointer is kept.
    unsafe {
        libc::pthread_sigmask(how, set, before.as_mut_ptr());
        before.assume_init()
    }
}

fn only(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: empties the set that it is given, then adds signals that exist.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

fn is_pending(signal: libc::c_int) -> bool {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills the set that it is given, which is then looked into.
    unsafe {
        libc::sigpending(set.as_mut_ptr()) == 0 && libc::sigismember(set.as_ptr(), signal) == 1
    }
}

/// Takes a pending signal away, without waiting: another thread may have been faster.
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
fn swallow(signal: libc::c_int) {
    let set = only(&[signal]);
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointers are valid for the call; NULL means that nothing is asked about the signal.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const at_once) };
}

/// Takes a pending signal away, where there is no `sigtimedwait`.
#[cfg(any(target_vendor = "apple", target_os = "openbsd"))]
fn swallow(signal: libc::c_int) {
    let set = only(&[signal]);
    let mut taken = 0;
    // SAFETY: both pointers are valid for the call.
    unsafe { libc::sigwait(&raw const set, &raw mut taken) };
}
