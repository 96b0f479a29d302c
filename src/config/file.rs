//! Reads the files that the configuration names: regular files only, bounded, never waiting.

use crate::code::Code;
use crate::error::Error;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// Why there are no bytes. The text names the path and the reason.
#[derive(Debug)]
pub enum Problem {
    /// The system does not let it be read: it is not there, or not for this user.
    Unreadable(String),
    /// It can be read, and is not what it should be.
    Unfit(String),
    NoMemory(String),
}

impl Problem {
    pub fn error(self, advice: &'static str) -> Error {
        match self {
            Problem::Unreadable(text) | Problem::Unfit(text) => {
                Error::new(Code::File, text, advice)
            }
            Problem::NoMemory(text) => Error::system(text),
        }
    }
}

/// All of the file, at most `limit` bytes.
///
/// The bytes may be secret: they are wiped when they go, and no copy is left by a growing buffer.
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let name = crate::text::quoted(&path.to_string_lossy());
    let failed =
        |error: std::io::Error| Problem::Unreadable(format!("cannot read {name}: {error}"));
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Problem::Unfit(format!("{name} is not a regular file")));
    }
    let too_large = || Problem::Unfit(format!("{name} is larger than {limit} bytes"));
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
        .map_err(|_| Problem::NoMemory(format!("out of memory: there is none for {name}")))?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large());
    }
    if bytes.is_empty() {
        return Err(Problem::Unfit(format!("{name} is empty")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &Path, limit: u64) -> String {
        match read(path, limit).unwrap_err() {
            Problem::Unfit(text) => text,
            Problem::Unreadable(text) => format!("unreadable: {text}"),
            Problem::NoMemory(text) => format!("no memory: {text}"),
        }
    }

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_slice(), b"12345");
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
