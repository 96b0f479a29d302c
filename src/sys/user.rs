//! Which user this process is.

/// The effective user id.
pub fn effective() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether the program runs with more rights than whoever started it (set-user-ID and the like): the environment is then
/// not to be trusted.
pub fn is_elevated() -> bool {
    // SAFETY: takes a number, and cannot fail.
    #[cfg(target_os = "linux")]
    let elevated = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    // SAFETY: these take nothing and cannot fail.
    #[cfg(not(target_os = "linux"))]
    let elevated =
        unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() };
    elevated
}
