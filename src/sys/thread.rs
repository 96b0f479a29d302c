//! A thread that can be had or not: the standard library ends the process where a new thread's own data finds no memory
//! (its thread-local values, the names it keeps), and psc's thread needs none of them.

use super::errno;
use super::process::Process;
use crate::panic::{catch_fork_exit, catch_panic};
use std::ffi::{CStr, c_void};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The threads that psc made. Not a thread-local value: see `reserve`.
static OURS: [AtomicUsize; 256] = [const { AtomicUsize::new(NOBODY) }; 256];
const NOBODY: usize = 0;

/// Whether psc made the calling thread: above its first function nobody waits for it.
pub fn is_ours() -> bool {
    OURS.iter()
        .any(|ours| ours.load(Ordering::SeqCst) == mark())
}

/// Tells threads apart. A number that a thread has had may be that of a later one.
// As large as a pointer, and one on some systems.
#[allow(clippy::cast_possible_truncation)]
pub fn mark() -> usize {
    // SAFETY: takes nothing, and always succeeds.
    unsafe { libc::pthread_self() as usize }
}

/// A running thread. It goes on by itself when this goes. In a forked process there is none, and the C library has given its stack
/// away.
pub struct Thread {
    number: Option<libc::pthread_t>,
    process: Process,
}

type Body = Box<dyn FnOnce() + Send>;

impl Thread {
    /// Starts a thread that runs `body`. `name`: at most 15 bytes.
    pub fn spawn(
        name: &'static CStr,
        stack_bytes: usize,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<Thread> {
        let body: Box<(&'static CStr, Body)> = Box::new((name, Box::new(body)));
        let body = Box::into_raw(body);
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
        // SAFETY: the attributes are used between init and destroy only; the thread takes the body over when it was made.
        let (error, is_out_of_memory) = unsafe {
            let mut is_out_of_memory = false;
            let mut error = libc::pthread_attr_init(attributes.as_mut_ptr());
            if error == 0 {
                error = libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_bytes);
                if error == 0 {
                    errno::clear();
                    error = libc::pthread_create(
                        thread.as_mut_ptr(),
                        attributes.as_ptr(),
                        main,
                        body.cast(),
                    );
                    is_out_of_memory = errno::is_out_of_memory();
                }
                libc::pthread_attr_destroy(attributes.as_mut_ptr());
            }
            (error, is_out_of_memory)
        };
        if error == 0 {
            // SAFETY: filled by pthread_create.
            let number = Some(unsafe { thread.assume_init() });
            return Ok(Thread {
                number,
                process: Process::current(),
            });
        }
        // SAFETY: no thread was made, so the body is still this one's.
        drop(unsafe { Box::from_raw(body) });
        // The C library calls both a limit on threads and a lack of memory EAGAIN; only the second sets `errno`.
        if is_out_of_memory {
            return Err(io::Error::new(ErrorKind::OutOfMemory, "out of memory"));
        }
        Err(io::Error::from_raw_os_error(error))
    }

    /// The number, once, in the process that has the thread.
    fn take(&mut self) -> Option<libc::pthread_t> {
        self.number
            .take()
            .filter(|_| self.process == Process::current())
    }

    /// Waits for its end.
    pub fn join(mut self) {
        if let Some(thread) = self.take() {
            // SAFETY: a thread that was neither joined nor left to itself; nothing is asked of its result.
            unsafe { libc::pthread_join(thread, ptr::null_mut()) };
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(thread) = self.take() {
            // SAFETY: as in `join`.
            unsafe { libc::pthread_detach(thread) };
        }
    }
}

extern "C" fn main(body: *mut c_void) -> *mut c_void {
    // SAFETY: `spawn` passes such a box, once.
    let (name, body) = *unsafe { Box::from_raw(body.cast::<(&'static CStr, Body)>()) };
    #[cfg(target_os = "linux")]
    // SAFETY: names this thread; the string is static.
    unsafe {
        libc::pthread_setname_np(libc::pthread_self(), name.as_ptr());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
    let place = OURS.iter().find(|ours| {
        ours.compare_exchange(NOBODY, mark(), Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    });
    // A bug ends this thread alone.
    let _ = catch_fork_exit(|| catch_panic(body));
    if let Some(place) = place {
        place.store(NOBODY, Ordering::SeqCst);
    }
    ptr::null_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Its stack is another's by now there, and sanitizers wait for ever.
    #[test]
    fn a_child_waits_for_no_thread_of_its_parents() {
        let (sender, receiver) = channel::<()>();
        let mut thread = Thread::spawn(c"test", 256 * 1024, move || {
            let _ = receiver.recv();
        })
        .unwrap();
        // SAFETY: the child calls what takes no lock, and leaves without a return.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe {
                libc::_exit(i32::from(thread.take().is_some()));
            }
        }
        let mut status = -1;
        // SAFETY: a child of this process, and a place for its status.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        sender.send(()).unwrap();
        thread.join();
    }
}
