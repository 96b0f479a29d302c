//! Which user this process is.

/// The effective user id.
pub fn effective() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}
