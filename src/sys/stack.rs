//! The size of a thread's stack, where the C library takes the thread's own data out of it.

use libc::{c_int, c_void, dl_phdr_info, size_t};

/// What glibc puts there beside the `__thread` variables: its own data of a thread, and room for those of objects that are
/// loaded later.
const SURPLUS: usize = 16 * 1024;

/// What to ask for, so that `wanted` bytes are left for calls. glibc keeps the thread-local storage of the program and of all that
/// was loaded with it, a preloaded allocator's for one, inside the stack that is asked for; where a C library does not, it is
/// address space that nobody touches.
pub fn beside_thread_locals(wanted: usize) -> usize {
    let mut thread_locals = SURPLUS;
    // SAFETY: the function is called before this returns, with what is passed here, and looks at what it is given alone.
    unsafe {
        libc::dl_iterate_phdr(Some(add), std::ptr::from_mut(&mut thread_locals).cast());
    }
    wanted.saturating_add(thread_locals)
}

/// Adds the thread-local storage of one loaded object.
unsafe extern "C" fn add(object: *mut dl_phdr_info, _: size_t, sum: *mut c_void) -> c_int {
    // SAFETY: the dynamic linker gives an object with its headers, which `beside_thread_locals` has it call this for.
    let (object, sum) = unsafe { (&*object, &mut *sum.cast::<usize>()) };
    for index in 0..usize::from(object.dlpi_phnum) {
        // SAFETY: there are so many headers.
        let header = unsafe { &*object.dlpi_phdr.add(index) };
        if header.p_type == libc::PT_TLS {
            let sizes =
                [header.p_memsz, header.p_align].map(|size| usize::try_from(size).unwrap_or(0));
            *sum = sizes.into_iter().fold(*sum, usize::saturating_add);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    thread_local! {
        static LARGE: [u8; 100_000] = const { [1; 100_000] };
    }

    #[test]
    fn thread_locals_are_added() {
        assert_eq!(LARGE.with(|large| large[99_999]), 1);
        let asked = beside_thread_locals(1000);
        assert!((101_000 + SURPLUS..1_000_000).contains(&asked), "{asked}");
        assert_eq!(beside_thread_locals(usize::MAX), usize::MAX);
    }
}
