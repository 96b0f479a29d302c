//! Which user this process is.

/// What the kernel shows for a user that a user namespace does not have, unless it is told otherwise.
const OVERFLOW: u32 = 65534;

/// The effective user id.
pub fn effective() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether the program runs with more rights than whoever started it (set-user-ID and the like): the environment is then
/// not to be trusted.
#[cfg(target_os = "linux")]
pub fn is_elevated() -> bool {
    // SAFETY: takes a number, and cannot fail.
    let elevated = unsafe { libc::getauxval(libc::AT_SECURE) };
    elevated != 0
}

/// The same, where the kernel does not tell.
#[cfg(not(target_os = "linux"))]
pub fn is_elevated() -> bool {
    // SAFETY: these take nothing and cannot fail.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

/// Whether files of `uid` are those of users whom this process's user namespace does not have.
pub fn stands_for_nobody(uid: u32) -> bool {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let overflow = number(&read("/proc/sys/kernel/overflowuid")).unwrap_or(OVERFLOW.into());
    u64::from(uid) == overflow && is_unmapped(uid.into(), &read("/proc/self/uid_map"))
}

/// Lines of three numbers: the first user inside, the first outside, how many. Without any nothing is known.
fn is_unmapped(uid: u64, map: &str) -> bool {
    let mut lines = map
        .lines()
        .map(|line| {
            line.split_whitespace()
                .map_while(|number| number.parse::<u64>().ok())
                .collect::<Vec<_>>()
        })
        .peekable();
    lines.peek().is_some()
        && lines.all(|line| match line.as_slice() {
            [first, _, count] => !(*first..first.saturating_add(*count)).contains(&uid),
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_no_name_in_the_namespace() {
        for (map, expected) in [
            ("         0          0 4294967295\n", false),
            ("         0       1000          1\n", true),
            ("0 1000 1\n65530 70000 10\n", false),
            ("0 1000 1\n1 70000 65533\n", true),
            ("", false),
            ("what", false),
        ] {
            assert_eq!(is_unmapped(65534, map), expected, "{map}");
        }
        assert!(!stands_for_nobody(0));
    }
}
