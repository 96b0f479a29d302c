//! Reads the files that the configuration names: regular files only, bounded, never waiting.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use zeroize::Zeroizing;

/// All of the file, at most `limit` bytes. The error names the path and the reason.
///
/// The bytes may be secret: they are wiped when they go, and no copy is left by a growing buffer.
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let name = crate::text::quoted(&path.to_string_lossy());
    let failed = |error: std::io::Error| format!("cannot read {name}: {error}");
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{name} is not a regular file"));
    }
    let too_large = || format!("{name} is larger than {limit} bytes");
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
        .map_err(|_| format!("there is no memory for {name}"))?;
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(too_large());
    }
    if bytes.is_empty() {
        return Err(format!("{name} is empty"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_within_the_limit_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().as_slice(), b"12345");
        assert!(read(&path, 4).unwrap_err().contains("larger"));
        std::fs::write(&path, "").unwrap();
        assert!(read(&path, 4).unwrap_err().contains("empty"));
        for bad in [dir.path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(read(bad, 5).unwrap_err().contains("not a regular file"));
        }
        let missing = read(&dir.path().join("missing"), 5).unwrap_err();
        assert!(missing.contains("missing") && missing.contains("No such file"));
    }
}
