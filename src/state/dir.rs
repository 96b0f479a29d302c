//! The files of `state_dir`: `state.json` (the record), `state.lock` (held while it is changed) and `owner.lock`
//! (held by the process that makes the host's checks). Owner-only, never followed through a symbolic link.

use crate::random;
use crate::sys::descriptor::{Held, Identity};
use crate::sys::{flock, user};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
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
/// Milliseconds between two tries at most; random, so that waiting processes do not move in step.
const LONGEST_STEP: u64 = 5;
/// The next record, written in full before it takes the record's name.
const TEMPORARY: &str = "state.json.new";
/// The write bits of group and others.
const OTHERS_MAY_WRITE: u32 = 0o022;
const NOT_SENSIBLE: &str = "not a regular file of a sensible size";

pub struct StateDir {
    path: PathBuf,
}

/// Why there is no record to read.
#[derive(Debug)]
pub enum Unreadable {
    /// The directory, or what the system says.
    Io(io::Error),
    /// What is in the record's place is not one of psc's; the next change replaces it.
    Unfit(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Unreadable {
        Unreadable::Io(error)
    }
}

/// The right to make the host's checks, as long as it lives.
pub struct Ownership {
    lock: Held<File>,
    path: PathBuf,
}

impl Ownership {
    pub fn identity(&self) -> Option<Identity> {
        self.lock.identity()
    }

    /// False when the lock's file was removed or replaced: another process can own the new one.
    pub fn is_current(&self) -> bool {
        self.lock
            .get()
            .is_some_and(|lock| is_same_file(lock, &self.path))
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Closing would not do: a child that was forked meanwhile has the file open, too.
        if let Some(lock) = self.lock.get() {
            flock::unlock(lock);
        }
    }
}

impl StateDir {
    pub fn new(path: &Path) -> StateDir {
        StateDir {
            path: path.to_owned(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `None` while another process, or another handle of this one, is the owner.
    pub fn try_own(&self) -> io::Result<Option<Ownership>> {
        self.make()?;
        let lock = self.lock_file(OWNER_LOCK)?;
        let path = self.path.join(OWNER_LOCK);
        if !flock::try_exclusive(&lock)? {
            return Ok(None);
        }
        let lock = Held::new(lock);
        let ownership = Ownership { lock, path };
        Ok(ownership.is_current().then_some(ownership))
    }

    /// The record's bytes; `None` when there is none yet.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        match self.check() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        }
        let mut options = OpenOptions::new();
        // O_NONBLOCK: a FIFO in its place must not make psc wait.
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = match options.open(self.path.join(RECORD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Another user's file in this user's directory is replaced by the next change.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.is_mine() => {
                return Ok(None);
            }
            Err(link) if link.raw_os_error() == Some(libc::ELOOP) => {
                return Err(Unreadable::Unfit(link.to_string()));
            }
            other => other?,
        };
        let metadata = file.metadata()?;
        let unfit = |why: &str| Err(Unreadable::Unfit(why.to_owned()));
        if metadata.is_dir() {
            return Err(io::Error::other(NOT_SENSIBLE).into());
        }
        if !metadata.is_file() || metadata.len() > LARGEST_RECORD {
            return unfit(NOT_SENSIBLE);
        }
        if metadata.nlink() > 1 {
            return unfit("it has another name");
        }
        if metadata.mode() & OTHERS_MAY_WRITE != 0 {
            return unfit("other users may write to it");
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_RECORD).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Replaces the record as a whole, only within [`StateDir::exclusively`]. Not synced to disk: a record lost to a power
    /// failure is a record not believed.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(TEMPORARY);
        let written = self
            .write_to(&temporary, bytes)
            .and_then(|()| std::fs::rename(&temporary, self.path.join(RECORD)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// Runs `change` while no other process changes the record. `WouldBlock`: another one does, for too long, or `hurry` says so.
    pub fn exclusively<T>(
        &self,
        hurry: &dyn Fn() -> bool,
        change: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.make()?;
        let lock = self.lock_file(CHANGE_LOCK)?;
        let started = Instant::now();
        while !flock::try_exclusive(&lock)? {
            if started.elapsed() > CHANGE_LOCK_WAIT || hurry() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            thread::sleep(Duration::from_millis(random::up_to(LONGEST_STEP)));
        }
        let changed = change();
        flock::unlock(&lock);
        changed
    }

    /// Makes the directory when it is not there yet, for this user alone.
    fn make(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => self.check(),
        }
    }

    /// What other users could have put there is not believed.
    fn check(&self) -> io::Result<()> {
        let metadata = std::fs::metadata(&self.path)?;
        if !metadata.is_dir() {
            return Err(io::Error::other("not a directory"));
        }
        if metadata.mode() & OTHERS_MAY_WRITE != 0 {
            return Err(io::Error::other("other users may write to it"));
        }
        let me = user::effective();
        // Root reads what the server's user keeps, for instance to ask for the status.
        if me != 0 && metadata.uid() != me && metadata.uid() != 0 {
            return Err(io::Error::other("it belongs to another user"));
        }
        Ok(())
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.path.join(name);
        let file = match open_lock(&path) {
            // Left by another user, for instance by root before privileges were dropped.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.is_mine() => {
                std::fs::remove_file(&path)?;
                open_lock(&path)?
            }
            other => other?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        // A link to another file, made by the directory's owner: root must not give that away.
        if metadata.nlink() > 1 || metadata.len() > 0 {
            return Err(io::Error::other(format!(
                "{name} is not psc's: it is not empty, or has another name"
            )));
        }
        self.give_to_owner(&file)?;
        Ok(file)
    }

    fn write_to(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Left behind by a process that died meanwhile.
        let _ = std::fs::remove_file(path);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        self.give_to_owner(&file)?;
        file.write_all(bytes)
    }

    fn is_mine(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.uid() == user::effective())
    }

    /// What root makes belongs to the directory's owner: the host's other processes run as that user.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        if user::effective() != 0 {
            return Ok(());
        }
        let directory = std::fs::metadata(&self.path)?;
        let current = file.metadata()?;
        if current.uid() == directory.uid() {
            return Ok(());
        }
        fchown(file, Some(directory.uid()), Some(directory.gid()))
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn is_same_file(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev() && one.ino() == other.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn state_dir() -> (tempfile::TempDir, StateDir) {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDir::new(&parent.path().join("state"));
        (parent, state)
    }

    #[test]
    fn a_record_is_replaced_owner_only() {
        let (_parent, state) = state_dir();
        assert!(state.read().unwrap().is_none());
        assert!(!state.path.exists(), "reading makes nothing");
        for text in [&b"one"[..], b"two"] {
            state.exclusively(&|| false, || state.write(text)).unwrap();
            assert_eq!(state.read().unwrap().unwrap(), text);
        }
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.path.join(RECORD)), 0o600);
        assert_eq!(mode(&state.path.join(CHANGE_LOCK)), 0o600);
        assert_eq!(mode(&state.path), 0o700);
        assert_eq!(std::fs::read_dir(&state.path).unwrap().count(), 2);
    }

    #[test]
    fn nothing_is_left_in_the_way_of_the_next_record() {
        let (parent, state) = state_dir();
        state.make().unwrap();
        let temporary = state.path.join(TEMPORARY);
        // Of a process that died meanwhile.
        std::fs::write(&temporary, "half").unwrap();
        state.write(b"one").unwrap();
        assert_eq!(state.read().unwrap().unwrap(), b"one");
        // Of somebody who wants another file changed.
        let other = parent.path().join("other");
        std::fs::write(&other, "precious").unwrap();
        symlink(&other, &temporary).unwrap();
        state.write(b"two").unwrap();
        assert_eq!(state.read().unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read(&other).unwrap(), b"precious");
        // What could not take the record's name does not stay.
        std::fs::remove_file(state.path.join(RECORD)).unwrap();
        std::fs::create_dir(state.path.join(RECORD)).unwrap();
        assert!(state.write(b"three").is_err());
        assert!(!temporary.exists());
    }

    /// Who reads while another process writes sees the one record or the other, in full.
    #[test]
    fn a_record_is_never_seen_half_written() {
        let (_parent, state) = state_dir();
        state.make().unwrap();
        state.write(b"old").unwrap();
        let mut reader = File::open(state.path.join(RECORD)).unwrap();
        state.write(b"new").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
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
    fn a_copy_of_the_descriptor_does_not_keep_the_ownership() {
        let (_parent, state) = state_dir();
        let owner = state.try_own().unwrap().unwrap();
        let copy = owner.lock.get().unwrap().try_clone().unwrap();
        drop(owner);
        assert!(state.try_own().unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn an_owner_notices_that_its_lock_is_gone() {
        let (_parent, state) = state_dir();
        let owner = state.try_own().unwrap().unwrap();
        assert!(owner.is_current());
        std::fs::remove_file(state.path.join(OWNER_LOCK)).unwrap();
        assert!(!owner.is_current());
        assert!(state.try_own().unwrap().is_some());
        assert!(!owner.is_current());
    }

    #[test]
    fn links_fifos_and_large_files_are_not_read() {
        let (parent, state) = state_dir();
        state.make().unwrap();
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

    #[test]
    fn what_root_makes_belongs_to_the_directorys_owner() {
        const NOBODY: u32 = 65534;
        let (_parent, state) = state_dir();
        state.make().unwrap();
        if user::effective() != 0 {
            return psc_testkit::skip("what_root_makes", "needs root");
        }
        std::os::unix::fs::chown(&state.path, Some(NOBODY), Some(NOBODY)).unwrap();
        state.exclusively(&|| false, || state.write(b"x")).unwrap();
        drop(state.try_own().unwrap());
        for name in [RECORD, CHANGE_LOCK, OWNER_LOCK] {
            assert_eq!(
                state.path.join(name).metadata().unwrap().uid(),
                NOBODY,
                "{name}"
            );
        }
    }

    /// With `fs.protected_hardlinks` = 0 the directory's owner can give any file such a name.
    #[test]
    fn a_link_to_another_file_is_refused() {
        let (parent, state) = state_dir();
        state.make().unwrap();
        let other = parent.path().join("other");
        std::fs::write(&other, "").unwrap();
        for name in [OWNER_LOCK, CHANGE_LOCK, RECORD] {
            std::fs::hard_link(&other, state.path.join(name)).unwrap();
        }
        let uid = other.metadata().unwrap().uid();
        if user::effective() == 0 {
            std::os::unix::fs::chown(&state.path, Some(65534), Some(65534)).unwrap();
        }
        assert!(state.try_own().is_err());
        assert!(state.exclusively(&|| false, || Ok(())).is_err());
        assert!(matches!(state.read(), Err(Unreadable::Unfit(_))));
        assert_eq!(other.metadata().unwrap().uid(), uid);
    }

    /// Its other name may have been taken away since.
    #[test]
    fn a_lock_that_is_not_empty_is_refused() {
        let (_parent, state) = state_dir();
        state.make().unwrap();
        std::fs::write(state.path.join(OWNER_LOCK), "precious").unwrap();
        assert!(state.try_own().is_err());
    }

    #[test]
    fn what_others_may_write_is_not_believed() {
        let (_parent, state) = state_dir();
        state.exclusively(&|| false, || state.write(b"x")).unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&state.path.join(RECORD), 0o666);
        assert!(state.read().is_err());
        set(&state.path.join(RECORD), 0o600);
        assert!(state.read().is_ok());
        set(&state.path, 0o777);
        assert!(state.read().is_err() && state.try_own().is_err());
    }
}
