//! The files of `state_dir`: `state.json` (the record), `state.lock` (held while it is changed) and `owner.lock`
//! (a byte of it for each question, held by the process that makes the host's checks of it). Owner-only, never followed through a symbolic link. The directory is
//! opened once for each thing that is done ([`walk`]), and its files relative to it.

use super::walk::{self, Metadata};
use crate::config::question::Question;
use crate::random;
use crate::sys::fd::{FdGuard, FdId};
use crate::sys::process::Process;
use crate::sys::{flock, user};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub(super) const RECORD: &str = "state.json";
pub(super) const CHANGE_LOCK: &str = "state.lock";
pub(super) const OWNER_LOCK: &str = "owner.lock";
/// The next record, written in full before it takes the record's name.
pub(super) const TEMPORARY: &str = "state.json.new";
/// Bytes in all records together: [`super::records`] keeps them below.
const LARGEST_RECORD: u64 = 1024 * 1024;
/// A change takes less than a millisecond; a process that holds the lock longer is stopped or swapped out.
const CHANGE_LOCK_WAIT: Duration = Duration::from_millis(500);
/// Milliseconds between two tries at most; random, so that waiting processes do not move in step.
const LONGEST_STEP: u64 = 5;
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);
const NOT_SENSIBLE: &str = "not a regular file of a sensible size";
const OTHERS_WRITE: &str = "other users may write to it";

pub struct StateDir {
    path: PathBuf,
}

/// The directory, open and examined.
pub(super) struct Open {
    pub dir: OwnedFd,
    pub metadata: Metadata,
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

impl From<Errno> for Unreadable {
    fn from(error: Errno) -> Unreadable {
        Unreadable::Io(error.into())
    }
}

/// The right to make the host's checks, as long as it lives.
pub struct OwnerLock {
    lock: FdGuard<File>,
    position: u32,
    state: StateDir,
    process: Process,
}

impl OwnerLock {
    pub fn fd_id(&self) -> Option<FdId> {
        self.lock.id()
    }

    /// False when the lock's file was removed or replaced: another process can own the new one.
    pub fn is_current(&self) -> bool {
        let Some(mine) = self.lock.get().and_then(|lock| Metadata::of(lock).ok()) else {
            return false;
        };
        self.state
            .open()
            .and_then(|open| Metadata::at(&open.dir, OsStr::new(OWNER_LOCK)))
            .is_ok_and(|there| there.identity == mine.identity)
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Closing would not do: a child that was forked meanwhile has the file open, too. In such a child, which leaves psc through
        // here, the lock is the parent's.
        if self.process != Process::current() {
            return;
        }
        if let Some(lock) = self.lock.get() {
            flock::unlock_byte(lock, self.position);
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

    /// `None` while another process, or another handle of this one, is the owner for that question.
    pub fn try_acquire_owner(&self, question: &Question) -> io::Result<Option<OwnerLock>> {
        let lock = self.make()?.lock_file(OWNER_LOCK)?;
        if !flock::try_byte(&lock, question.number())? {
            return Ok(None);
        }
        let lock = OwnerLock {
            lock: FdGuard::new(lock),
            position: question.number(),
            state: StateDir::new(&self.path),
            process: Process::current(),
        };
        Ok(lock.is_current().then_some(lock))
    }

    /// The record's bytes; `None` when there is none yet.
    pub fn read(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            open => open?.read(),
        }
    }

    /// Runs `change` while no other process changes the record. `WouldBlock`: another one does, for too long, or `should_stop` says so.
    pub(super) fn exclusively<T>(
        &self,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&Open) -> io::Result<T>,
    ) -> io::Result<T> {
        self.make()?.exclusively(should_stop, change)
    }

    /// Makes the directory when it is not there yet, for this user alone.
    fn make(&self) -> io::Result<Open> {
        let place = walk::to(&self.path, &mut |_, _| Ok(()))?;
        match mkdirat(&place.parent, &place.name, Mode::RWXU) {
            Err(error) if error != Errno::EXIST => Err(error.into()),
            _ => Open::examined(place.enter()?),
        }
    }

    fn open(&self) -> io::Result<Open> {
        let place = walk::to(&self.path, &mut |_, _| Ok(()))?;
        Open::examined(place.enter()?)
    }
}

impl Open {
    /// What other users could have put there is not believed.
    fn examined(dir: OwnedFd) -> io::Result<Open> {
        let metadata = Metadata::of(&dir)?;
        if let Some(problem) = writable_by_others(metadata) {
            return Err(io::Error::other(problem));
        }
        let me = user::effective();
        // Root reads what the server's user keeps, for instance to ask for the status.
        if me != 0 && metadata.uid != me && metadata.uid != 0 {
            return Err(io::Error::other(format!(
                "it belongs to another user (uid {}); give it to the server's user (uid {me}), or name another directory",
                metadata.uid
            )));
        }
        Ok(Open { dir, metadata })
    }

    pub fn read(&self) -> Result<Option<Vec<u8>>, Unreadable> {
        // O_NONBLOCK: a FIFO in its place must not make psc wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.dir, RECORD, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::ACCESS) if self.is_mine() => return Err(self.lost()),
            Err(Errno::LOOP) => {
                return Err(Unreadable::Unfit(io::Error::from(Errno::LOOP).to_string()));
            }
            other => other?,
        };
        let metadata = Metadata::of(&file)?;
        let unfit = |why: &str| Err(Unreadable::Unfit(why.to_owned()));
        if metadata.kind == FileType::Directory {
            return Err(io::Error::other(NOT_SENSIBLE).into());
        }
        if metadata.kind != FileType::RegularFile || metadata.size > LARGEST_RECORD {
            return unfit(NOT_SENSIBLE);
        }
        if metadata.links > 1 {
            return unfit("it has another name");
        }
        if metadata.others_may_write() {
            return unfit(OTHERS_WRITE);
        }
        let mut bytes = Vec::new();
        File::from(file)
            .take(LARGEST_RECORD)
            .read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Another user's record in this user's directory: the server ran as that user before.
    fn lost(&self) -> Unreadable {
        let uid = Metadata::at(&self.dir, OsStr::new(RECORD)).map(|metadata| metadata.uid);
        Unreadable::Unfit(match uid {
            Ok(uid) => {
                format!("it belongs to another user (uid {uid}), and what was known is lost")
            }
            Err(error) => error.to_string(),
        })
    }

    /// Replaces the record as a whole, only within [`StateDir::exclusively`]. Not synced to disk: a record lost to a power
    /// error is a record not believed.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let written = self.write_temporary(bytes).and_then(|()| {
            renameat(&self.dir, TEMPORARY, &self.dir, RECORD).map_err(io::Error::from)
        });
        if written.is_err() {
            let _ = unlinkat(&self.dir, TEMPORARY, AtFlags::empty());
        }
        written
    }

    fn write_temporary(&self, bytes: &[u8]) -> io::Result<()> {
        // Left behind by a process that died meanwhile.
        let _ = unlinkat(&self.dir, TEMPORARY, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.dir, TEMPORARY, flags, OWNER_ONLY)?);
        self.give_to_owner(&file)?;
        file.write_all(bytes)
    }

    pub fn exclusively<T>(
        &self,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&Open) -> io::Result<T>,
    ) -> io::Result<T> {
        let lock = self.lock_file(CHANGE_LOCK)?;
        let started = Instant::now();
        while !flock::try_exclusive(&lock)? {
            if started.elapsed() > CHANGE_LOCK_WAIT || should_stop() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            thread::sleep(Duration::from_millis(random::up_to(LONGEST_STEP)));
        }
        let changed = change(self);
        flock::unlock(&lock);
        changed
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let file = match self.open_lock(name) {
            // Left by another user, for instance by root before privileges were dropped.
            Err(Errno::ACCESS) if self.is_mine() => {
                unlinkat(&self.dir, name, AtFlags::empty())?;
                self.open_lock(name)?
            }
            other => other?,
        };
        let metadata = Metadata::of(&file)?;
        if metadata.kind != FileType::RegularFile {
            return Err(io::Error::other(format!("{name} is not a regular file")));
        }
        // A link to another file, made by the directory's owner: root must not give that away.
        if metadata.links > 1 || metadata.size > 0 {
            return Err(io::Error::other(format!(
                "{name} is not psc's: it is not empty, or has another name"
            )));
        }
        self.give_to_owner(&file)?;
        Ok(file)
    }

    fn open_lock(&self, name: &str) -> Result<File, Errno> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        openat(&self.dir, name, flags, OWNER_ONLY).map(File::from)
    }

    fn is_mine(&self) -> bool {
        self.metadata.uid == user::effective()
    }

    /// What root makes belongs to the directory's owner: the host's other processes run as that user.
    fn give_to_owner(&self, file: &File) -> io::Result<()> {
        let owner = self.metadata;
        if user::effective() != 0 || Metadata::of(file)?.uid == owner.uid {
            return Ok(());
        }
        fchown(file, Some(owner.uid), Some(owner.gid))
    }
}

/// What is wrong with a directory that others can write to, and the cure.
pub(super) fn writable_by_others(dir: Metadata) -> Option<String> {
    dir.others_may_write().then(|| {
        let cure = if dir.is_sticky() {
            "use a directory below it"
        } else {
            "take that right from them, or use a directory below one that only root or the server's user can change"
        };
        format!("{OTHERS_WRITE}; {cure}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn question() -> Question {
        Question {
            asked: "0123456789".to_owned(),
            keys: "abcdef".to_owned(),
        }
    }

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
            state
                .exclusively(&|| false, |open| open.write(text))
                .unwrap();
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
        state.make().unwrap().write(b"one").unwrap();
        assert_eq!(state.read().unwrap().unwrap(), b"one");
        // Of somebody who wants another file changed.
        let other = parent.path().join("other");
        std::fs::write(&other, "precious").unwrap();
        symlink(&other, &temporary).unwrap();
        state.make().unwrap().write(b"two").unwrap();
        assert_eq!(state.read().unwrap().unwrap(), b"two");
        assert_eq!(std::fs::read(&other).unwrap(), b"precious");
        // What could not take the record's name does not stay.
        std::fs::remove_file(state.path.join(RECORD)).unwrap();
        std::fs::create_dir(state.path.join(RECORD)).unwrap();
        assert!(state.make().unwrap().write(b"three").is_err());
        assert!(!temporary.exists());
    }

    /// Who reads while another process writes sees the one record or the other, in full.
    #[test]
    fn a_record_is_never_seen_half_written() {
        let (_parent, state) = state_dir();
        state.make().unwrap();
        state.make().unwrap().write(b"old").unwrap();
        let mut reader = File::open(state.path.join(RECORD)).unwrap();
        state.make().unwrap().write(b"new").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
    }

    #[test]
    fn there_is_one_owner() {
        let (_parent, state) = state_dir();
        let owner = state.try_acquire_owner(&question()).unwrap();
        assert!(owner.is_some());
        assert!(state.try_acquire_owner(&question()).unwrap().is_none());
        // Each question has its own.
        let other = Question {
            asked: "9876543210".to_owned(),
            ..question()
        };
        assert!(state.try_acquire_owner(&other).unwrap().is_some());
        drop(owner);
        assert!(state.try_acquire_owner(&question()).unwrap().is_some());
    }

    #[test]
    fn a_copy_of_the_descriptor_does_not_keep_the_ownership() {
        let (_parent, state) = state_dir();
        let owner = state.try_acquire_owner(&question()).unwrap().unwrap();
        let copy = owner.lock.get().unwrap().try_clone().unwrap();
        drop(owner);
        assert!(state.try_acquire_owner(&question()).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn an_owner_notices_that_its_lock_is_gone() {
        let (_parent, state) = state_dir();
        let owner = state.try_acquire_owner(&question()).unwrap().unwrap();
        assert!(owner.is_current());
        std::fs::remove_file(state.path.join(OWNER_LOCK)).unwrap();
        assert!(!owner.is_current());
        assert!(state.try_acquire_owner(&question()).unwrap().is_some());
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
        state.make().unwrap().write(b"x").unwrap();
        assert_eq!(std::fs::read(&other).unwrap(), b"{}");
        File::create(state.path.join(RECORD))
            .unwrap()
            .set_len(LARGEST_RECORD + 1)
            .unwrap();
        assert!(state.read().is_err());
        symlink(&other, state.path.join(OWNER_LOCK)).unwrap();
        assert!(state.try_acquire_owner(&question()).is_err());
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
        state
            .exclusively(&|| false, |open| open.write(b"x"))
            .unwrap();
        drop(state.try_acquire_owner(&question()).unwrap());
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
        assert!(state.try_acquire_owner(&question()).is_err());
        assert!(state.exclusively(&|| false, |_| Ok(())).is_err());
        assert!(matches!(state.read(), Err(Unreadable::Unfit(_))));
        assert_eq!(other.metadata().unwrap().uid(), uid);
    }

    /// Its other name may have been taken away since.
    #[test]
    fn a_lock_that_is_not_empty_is_refused() {
        let (_parent, state) = state_dir();
        state.make().unwrap();
        std::fs::write(state.path.join(OWNER_LOCK), "precious").unwrap();
        assert!(state.try_acquire_owner(&question()).is_err());
    }

    #[test]
    fn what_others_may_write_is_not_believed() {
        let (_parent, state) = state_dir();
        state
            .exclusively(&|| false, |open| open.write(b"x"))
            .unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&state.path.join(RECORD), 0o666);
        assert!(state.read().is_err());
        set(&state.path.join(RECORD), 0o600);
        assert!(state.read().is_ok());
        set(&state.path, 0o777);
        assert!(state.read().is_err() && state.try_acquire_owner(&question()).is_err());
    }
}
