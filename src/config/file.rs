//! Reads the files that the configuration names: regular files only, bounded, never waiting.

use crate::code::Code;
use crate::error::Error;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// All of the file, at most `limit` bytes.
///
/// The bytes may be secret: they are wiped when they go, and no copy is left by a growing buffer.
///
/// The error names the path and the reason. It has a source where the system does not let the file be read: it is not there,
/// or not for this user. Without one it can be read, and is not what it should be.
pub fn read(path: &Path, limit: u64, advice: &'static str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let name = crate::text::quoted(&path.to_string_lossy());
    let failed = |error: std::io::Error| {
        Error::new(Code::File, format!("cannot read {name}: {error}"), advice).caused_by(error)
    };
    let unusable = |reason: String| Error::new(Code::File, reason, advice);
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(unusable(format!("{name} is not a regular file")));
    }
    let too_large = || unusable(format!("{name} is larger than {limit} bytes"));
    if metadata.len() > limit {
        return Err(too_large());
    }
    // With room to spare `read_to_end` neither grows the buffer nor probes for the end through another one.
    let room = usize::try_from(metadata.len())
        .unwrap_or(0)
        .saturating_add(64);
    let mut bytes = Zeroizing::new(Vec::new());
    bytes
        .try_reserve_exact(room)
        .map_err(|_| Error::system(format!("out of memory: there is none for {name}")))?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large());
    }
    if bytes.is_empty() {
        return Err(unusable(format!("{name} is empty")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path, limit: u64) -> String {
        let error = read(path, limit, "").unwrap_err();
        let unreadable = std::error::Error::source(&error).map_or("", |_| "unreadable: ");
        format!("{unreadable}{error}")
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5, "").unwrap().as_slice(), b"12345");
        assert!(problem(&path, 4).contains("larger"));
        std::fs::write(&path, "").unwrap();
        assert!(problem(&path, 4).contains("empty"));
        for bad in [dir.path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(problem(bad, 5).contains("not a regular file"));
        }
        let missing = problem(&dir.path().join("missing"), 5);
        assert!(missing.starts_with("unreadable") && missing.contains("No such file"));
    }
}
