//! `psc_make_state_dir`: the directory for the user that the server will run as, made and given away by root before it becomes
//! that user. Touched is only what was just made, what is already right, and a directory of psc's own that the server's
//! previous user had; always by descriptor, and never what another user could have put in its place.

use super::dir::{self, CHANGE_LOCK, OWNER_LOCK, Open, RECORD, StateDir, TEMPORARY};
use super::records::Records;
use super::walk::{self, Metadata, Place};
use crate::sys::user;
use rustix::fs::{Access, AtFlags, Dir, Mode, OFlags, accessat, fchmod, mkdirat, unlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::fchown;
use std::path::Path;

const ROOT: u32 = 0;
const SEARCH_OF_OWNER: u32 = 0o100;
const SEARCH_OF_OTHERS: u32 = 0o011;
const ALL_OF_OWNER: u32 = 0o700;

/// For whom.
#[derive(Clone, Copy)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl StateDir {
    /// Makes the directory fit for `user`, or says why it is not.
    pub fn make_for(&self, user: User) -> io::Result<()> {
        let me = user::effective();
        if me != ROOT && me != user.uid {
            return Err(io::Error::other(format!(
                "only root can make it fit for another user (uid {}), and this process is not root",
                user.uid
            )));
        }
        let mut is_theirs = false;
        let found = walk::to(self.path(), &mut |path, dir| {
            let_pass(path, dir, user)?;
            is_theirs = me != user.uid && dir.uid == user.uid;
            if is_theirs {
                return Err(Errno::PERM.into());
            }
            Ok(())
        });
        if is_theirs {
            // Below a directory of its own the server's user can exchange everything: root does nothing there, and need not,
            // since the server's process makes what is missing.
            return Ok(());
        }
        let place = found?;
        let made = match mkdirat(&place.parent, &place.name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let dir = place.open_of(OFlags::RDONLY, Some(user.uid))?;
        if made {
            give_new(&dir, user).inspect_err(|_| remove(&place))?;
        } else {
            adopt(&dir, user)?;
        }
        // Also says that a file system is read-only.
        let rights = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(&dir, ".", rights, AtFlags::EACCESS)?)
    }
}

/// Just made here, in a place that only root and this user can change.
fn give_new(dir: &OwnedFd, user: User) -> io::Result<()> {
    fchmod(dir, Mode::RWXU)?;
    if user.uid != user::effective() {
        fchown(dir, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

fn remove(place: &Place) {
    let _ = unlinkat(&place.parent, &place.name, AtFlags::REMOVEDIR);
}

/// A directory that was there before.
fn adopt(dir: &OwnedFd, user: User) -> io::Result<()> {
    let metadata = Metadata::of(dir)?;
    if let Some(problem) = dir::writable_by_others(metadata) {
        return Err(io::Error::other(problem));
    }
    let is_root = user::effective() == ROOT;
    if metadata.uid != user.uid {
        if !is_root || !holds_only_psc(dir, metadata)? {
            return Err(io::Error::other(format!(
                "it belongs to another user (uid {}) and holds more or other files than psc's; give it to the server's user (uid {}), or use a directory below it",
                metadata.uid, user.uid
            )));
        }
        fchown(dir, Some(user.uid), Some(user.gid))?;
    }
    if metadata.mode & ALL_OF_OWNER != ALL_OF_OWNER {
        return Err(io::Error::other(format!(
            "its owner may not use it (mode {:04o}); give its owner all rights to it (chmod u+rwx)",
            metadata.mode & 0o7777
        )));
    }
    if is_root {
        hand_over_record(&Open {
            dir: dir.try_clone()?,
            metadata: Metadata::of(dir)?,
        })?;
    }
    Ok(())
}

/// Whether this is a directory that psc has worked in, and nothing else. Others call a file `state.json`, too.
fn holds_only_psc(dir: &OwnedFd, metadata: Metadata) -> io::Result<bool> {
    let mut files = 0_u32;
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if [&b"."[..], b".."].contains(&name) {
            continue;
        }
        let is_psc = [RECORD, CHANGE_LOCK, OWNER_LOCK, TEMPORARY]
            .iter()
            .any(|known| known.as_bytes() == name);
        if !is_psc {
            return Ok(false);
        }
        files = files.saturating_add(1);
    }
    let dir = dir.try_clone()?;
    let is_record = match (Open { dir, metadata }).read() {
        Ok(Some(bytes)) => Records::is_one(&bytes),
        Ok(None) => true,
        Err(_) => false,
    };
    Ok(files > 0 && is_record)
}

/// A record of the previous user's becomes one of the directory's owner: written anew, because a file of that name could be
/// anybody's, moved here. The locks are empty and are made anew by who may not open them.
fn hand_over_record(open: &Open) -> io::Result<()> {
    let owner =
        |open: &Open| Metadata::at(&open.dir, OsStr::new(RECORD)).map(|metadata| metadata.uid);
    match owner(open) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(uid) if uid == open.metadata.uid => return Ok(()),
        other => other?,
    };
    open.exclusively(&|| false, |open| match open.read() {
        Ok(Some(bytes)) if Records::is_one(&bytes) => open.write(&bytes),
        // Nobody's loss; the server's process says what is wrong with it, and begins anew.
        _ => Ok(()),
    })
}

/// That nobody but its owner may search a directory on the way is seen here. Access lists show as rights of the group, and
/// of which groups the user is a member is not known.
fn let_pass(path: &Path, dir: Metadata, user: User) -> io::Result<()> {
    let needed = if dir.uid == user.uid {
        SEARCH_OF_OWNER
    } else {
        SEARCH_OF_OTHERS
    };
    if user.uid == ROOT || dir.mode & needed != 0 {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "the server's user (uid {}) may not pass through {}; use a directory below one that everybody may, such as /var/lib",
        user.uid,
        crate::text::quoted(&path.to_string_lossy())
    )))
}
