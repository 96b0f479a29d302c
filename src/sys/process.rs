//! Which process this is. A process id does not tell: a grandchild may be given the one that an ancestor had.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Of this process, once it has been asked for; none again in every child, because the kernel empties the page there.
static PAGE: Page = Page {
    mark: AtomicU32::new(NONE),
    _rest: [0; PAGE_BYTES - size_of::<AtomicU32>()],
};
/// The last number that this process or an ancestor took.
static LAST: AtomicU32 = AtomicU32::new(NONE);
static ARRANGED: AtomicBool = AtomicBool::new(false);

const NONE: u32 = 0;
const PAGE_BYTES: usize = 4096;

/// A page that nothing else is in.
#[repr(C, align(4096))]
struct Page {
    mark: AtomicU32,
    _rest: [u8; PAGE_BYTES - size_of::<AtomicU32>()],
}

/// A process, told apart from its ancestors and descendants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// The one that asks. Async-signal-safe, but for the first time in all.
    pub fn current() -> Process {
        match PAGE.mark.load(Ordering::SeqCst) {
            NONE => Process::mark(),
            number => Process(number),
        }
    }

    fn mark() -> Process {
        Process::arrange();
        // Every ancestor took a smaller one: a child inherits what was taken before the fork.
        let next = LAST.fetch_add(1, Ordering::SeqCst).wrapping_add(1).max(1);
        match PAGE
            .mark
            .compare_exchange(NONE, next, Ordering::SeqCst, Ordering::SeqCst)
        {
            Ok(_) => Process(next),
            Err(other_threads) => Process(other_threads),
        }
    }

    /// Makes children start without a mark. Twice does no harm.
    fn arrange() {
        if ARRANGED.load(Ordering::SeqCst) {
            return;
        }
        if !is_wiped_on_fork(&PAGE) {
            // Where the kernel cannot: not in a child of a bare clone(2).
            // SAFETY: registers a function that stores an atomic.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        }
        ARRANGED.store(true, Ordering::SeqCst);
    }

    pub fn number(self) -> u32 {
        self.0
    }
}

extern "C" fn in_child() {
    PAGE.mark.store(NONE, Ordering::SeqCst);
}

/// Asks the kernel to. The page is part of this library's zeroed memory, so nothing is left over when that is unloaded.
#[cfg(target_os = "linux")]
fn is_wiped_on_fork(page: &'static Page) -> bool {
    /// No kernel knows it. Some emulators accept all advice and follow none.
    const IMPOSSIBLE: libc::c_int = -1;
    let start = std::ptr::from_ref(page).cast_mut().cast();
    // SAFETY: the page is whole and this library's alone; advice changes nothing but what a child finds in it.
    unsafe {
        let bytes = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE));
        bytes == Ok(PAGE_BYTES)
            && libc::madvise(start, PAGE_BYTES, IMPOSSIBLE) != 0
            && libc::madvise(start, PAGE_BYTES, libc::MADV_WIPEONFORK) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn is_wiped_on_fork(_: &'static Page) -> bool {
    false
}

/// Ends this thread, and with the last one the process, at once: nothing is freed, no handler of the host's runs.
pub fn end_thread() -> ! {
    loop {
        #[cfg(target_os = "linux")]
        // SAFETY: takes a number; does not return.
        unsafe {
            libc::syscall(libc::SYS_exit, 0);
        }
        #[cfg(not(target_os = "linux"))]
        // SAFETY: as above.
        unsafe {
            libc::_exit(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ends with status 0 when `holds` says so in a child, made as `fork` does it.
    fn in_a_child(fork: fn() -> libc::pid_t, holds: impl Fn() -> bool) -> bool {
        let pid = fork();
        if pid == 0 {
            let status = i32::from(!holds());
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) };
        }
        let mut status = -1;
        // SAFETY: waits for the child that was just made.
        unsafe { libc::waitpid(pid, &raw mut status, 0) == pid && status == 0 }
    }

    fn by_the_library() -> libc::pid_t {
        // SAFETY: the child calls what is async-signal-safe.
        unsafe { libc::fork() }
    }

    /// No handler of `pthread_atfork(3)` runs.
    #[cfg(target_os = "linux")]
    fn by_the_kernel() -> libc::pid_t {
        // SAFETY: as above; without a stack of its own the child goes on with a copy of this one's.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
        libc::pid_t::try_from(pid).unwrap()
    }

    #[test]
    fn a_child_and_its_child_are_others() {
        let forks = [
            by_the_library,
            #[cfg(target_os = "linux")]
            by_the_kernel,
        ];
        for fork in forks {
            let parent = Process::current();
            assert!(in_a_child(fork, move || {
                let child = Process::current();
                let again = Process::current();
                child != parent
                    && child == again
                    && in_a_child(fork, move || ![parent, child].contains(&Process::current()))
            }));
            // A child that never asked.
            assert!(in_a_child(fork, move || in_a_child(fork, move || {
                Process::current() != parent
            })));
            assert_eq!(Process::current(), parent);
        }
    }

    #[test]
    fn where_the_kernel_cannot_the_library_tells_the_child() {
        assert!(in_a_child(by_the_library, || {
            let before = Process::current();
            in_child();
            Process::current() != before
        }));
    }
}
