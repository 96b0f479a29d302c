//! The files of `state_dir`: `state.json` (the record), `state.lock` (held while it is changed) and `owner.lock`
//! (held by the process that makes the host's checks). Owner-only, never followed through a symbolic link.

use crate::sys::flock;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

const RECORD: &str = "state.json";
const CHANGE_LOCK: &str = "state.lock";
const OWNER_LOCK: &str = "owner.lock";
/// Bytes in a record: an answer has 256 KiB at most.
const LARGEST_RECORD: u64 = 512 * 1024;
/// A change takes less than a millisecond; a process that holds the lock longer is stopped or swapped out.
const CHANGE_LOCK_WAIT: Duration = Duration::from_millis(500);
const CHANGE_LOCK_STEP: Duration = Duration::from_millis(2);

pub struct StateDir {
    path: PathBuf,
}

/// The right to make the host's checks, as long as it lives.
pub struct Ownership {
    lock: File,
}

impl Ownership {
    pub fn file(&self) -> &File {
        &self.lock
    }
}

impl StateDir {
    /// Makes the directory when it is not there yet, for this user alone.
    pub fn open(path: &Path) -> io::Result<StateDir> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(StateDir {
                path: path.to_owned(),
            }),
        }
    }

    /// `None` while another process, or another handle of this one, is the owner.
    pub fn try_own(&self) -> io::Result<Option<Ownership>> {
        let lock = self.lock_file(OWNER_LOCK)?;
        Ok(flock::try_exclusive(&lock)?.then_some(Ownership { lock }))
    }

    /// The record's bytes; `None` when there is none yet.
    pub fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut options = OpenOptions::new();
        // O_NONBLOCK: a FIFO in its place must not make psc wait.
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = match options.open(self.path.join(RECORD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > LARGEST_RECORD {
            return Err(io::Error::other("not a regular file of a sensible size"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_RECORD).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces the record as a whole. Not synced to disk: a record lost to a power failure is a record not believed.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(format!("{RECORD}.{}", std::process::id()));
        let written = write_to(&temporary, bytes)
            .and_then(|()| std::fs::rename(&temporary, self.path.join(RECORD)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// Runs `change` while no other process changes the record.
    pub fn exclusively<T>(&self, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let lock = self.lock_file(CHANGE_LOCK)?;
        let started = Instant::now();
        while !flock::try_exclusive(&lock)? {
            if started.elapsed() > CHANGE_LOCK_WAIT {
                return Err(io::Error::other(
                    "another process does not let go of state.lock",
                ));
            }
            thread::sleep(CHANGE_LOCK_STEP);
        }
        change()
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(self.path.join(name))?;
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::other(format!("{name} is not a regular file")))
        }
    }
}

fn write_to(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Left behind by a process that died with this number.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn state_dir() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::open(&parent.path().join("state")).unwrap();
        (parent, state)
    }

    #[test]
    fn a_record_is_replaced_owner_only() {
        let (_parent, state) = state_dir();
        assert!(state.read().unwrap().is_none());
        for text in [&b"one"[..], b"two"] {
            state.write(text).unwrap();
            assert_eq!(state.read().unwrap().unwrap(), text);
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.path.join(RECORD)), 0o600);
        assert_eq!(mode(&state.path), 0o700);
        assert_eq!(std::fs::read_dir(&state.path).unwrap().count(), 1);
    }

    #[test]
    fn there_is_one_owner() {
        let (_parent, state) = state_dir();
        let owner = state.try_own().unwrap();
        assert!(owner.is_some());
        assert!(state.try_own().unwrap().is_none());
        drop(owner);
        assert!(state.try_own().unwrap().is_some());
    }

    #[test]
    fn links_fifos_and_large_files_are_not_read() {
        let (parent, state) = state_dir();
        let other = parent.path().join("other");
        std::fs::write(&other, "{}").unwrap();
        symlink(&other, state.path.join(RECORD)).unwrap();
        assert!(state.read().is_err());
        state.write(b"x").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"{}");
        File::create(state.path.join(RECORD))
            .unwrap()
            .set_len(LARGEST_RECORD + 1)
            .unwrap();
        assert!(state.read().is_err());
        symlink(&other, state.path.join(OWNER_LOCK)).unwrap();
        assert!(state.try_own().is_err());
    }
}
