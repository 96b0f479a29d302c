//! The way to `state_dir`, one directory after the other from the root, each opened relative to the one before: what was
//! looked at is what is used, and nobody but root and this process's user can have exchanged any of it.

use crate::sys::user;
use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// The write bits of group and others.
pub const OTHERS_MAY_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;
/// As many as the system follows.
const MOST_LINKS: usize = 40;
const ROOT: u32 = 0;

/// Searching it is all that is needed of a directory on the way, which need not be readable.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const ON_THE_WAY: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const ON_THE_WAY: OFlags = OFlags::RDONLY;

/// What `fstat` tells, in types that are the same everywhere.
#[derive(Clone, Copy)]
pub struct Metadata {
    pub kind: rustix::fs::FileType,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub links: u64,
    pub size: u64,
    /// Device and inode.
    pub identity: (u64, u64),
}

impl Metadata {
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions)]
    fn from(stat: &rustix::fs::Stat) -> Metadata {
        Metadata {
            kind: rustix::fs::FileType::from_raw_mode(stat.st_mode),
            mode: u32::from(stat.st_mode),
            uid: stat.st_uid,
            gid: stat.st_gid,
            links: u64::try_from(stat.st_nlink).unwrap_or(u64::MAX),
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
            identity: (
                u64::try_from(stat.st_dev).unwrap_or(0),
                u64::try_from(stat.st_ino).unwrap_or(0),
            ),
        }
    }

    pub fn of(file: impl std::os::fd::AsFd) -> io::Result<Metadata> {
        Ok(Metadata::from(&rustix::fs::fstat(file)?))
    }

    /// Of that name in `dir`; a symbolic link is not followed.
    pub fn at(dir: &OwnedFd, name: &OsStr) -> io::Result<Metadata> {
        Ok(Metadata::from(&statat(
            dir,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?))
    }

    pub fn others_may_write(&self) -> bool {
        self.mode & OTHERS_MAY_WRITE != 0
    }

    pub fn is_sticky(&self) -> bool {
        self.mode & STICKY != 0
    }
}

/// Where the last directory of a path is, or would be: links are resolved, and only root and this user can change it.
pub struct Place {
    pub parent: OwnedFd,
    pub name: OsString,
    /// Of `parent`, for messages.
    shown: PathBuf,
    sticky: bool,
}

impl Place {
    /// Opens the directory itself, for working in it. `NotFound`: there is none.
    pub fn enter(&self) -> io::Result<OwnedFd> {
        self.open_of(ON_THE_WAY, None)
    }

    /// As [`Place::enter`]; `server`: a user who may have it where anybody may make a directory, under any name.
    pub fn open_of(&self, flags: OFlags, server: Option<u32>) -> io::Result<OwnedFd> {
        let dir = open_at(&self.parent, &self.name, flags)?;
        let uid = Metadata::of(&dir)?.uid;
        if self.sticky && !is_trusted(uid) && server != Some(uid) {
            return Err(foreign(&self.path(), uid));
        }
        Ok(dir)
    }

    pub fn path(&self) -> PathBuf {
        self.shown.join(&self.name)
    }
}

/// What is left to go, and what was gone.
struct Walk {
    dir: OwnedFd,
    shown: PathBuf,
    left: VecDeque<OsString>,
    links: usize,
}

/// Follows `path`, which is absolute, up to its last directory. `visit` sees each directory on the way, and may end it there.
pub fn to(
    path: &Path,
    visit: &mut dyn FnMut(&Path, Metadata) -> io::Result<()>,
) -> io::Result<Place> {
    let mut walk = Walk {
        dir: root()?,
        shown: PathBuf::from("/"),
        left: names(path),
        links: 0,
    };
    while let Some(name) = walk.left.pop_front() {
        let here = Metadata::of(&walk.dir)?;
        visit(&walk.shown, here)?;
        check_on_the_way(&walk.shown, here)?;
        let found = match Metadata::at(&walk.dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && walk.left.is_empty() => None,
            other => Some(other?),
        };
        match found {
            Some(link) if link.kind == rustix::fs::FileType::Symlink => {
                walk.follow(&name, link)?;
            }
            _ if walk.left.is_empty() => {
                return Ok(Place {
                    parent: walk.dir,
                    name,
                    shown: walk.shown,
                    sticky: here.is_sticky(),
                });
            }
            _ => {
                walk.shown.push(&name);
                walk.dir = open_at(&walk.dir, &name, ON_THE_WAY)?;
            }
        }
    }
    // A path of nothing but the root.
    Err(io::Error::other("use a directory below it"))
}

impl Walk {
    /// Only root and this user can have put a link here that they own: [`check_on_the_way`].
    fn follow(&mut self, name: &OsStr, link: Metadata) -> io::Result<()> {
        let shown = self.shown.join(name);
        if !is_trusted(link.uid) {
            return Err(foreign(&shown, link.uid));
        }
        self.links = self.links.saturating_add(1);
        if self.links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = readlinkat(&self.dir, name, Vec::new())?.into_bytes();
        let target = PathBuf::from(OsString::from_vec(target));
        if target.is_absolute() {
            self.dir = root()?;
            self.shown = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            self.left.push_front(name);
        }
        Ok(())
    }
}

/// `..` stays: the directory before it may have been reached by a link.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn root() -> io::Result<OwnedFd> {
    let flags = ON_THE_WAY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/", flags, Mode::empty())?)
}

fn open_at(dir: &OwnedFd, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(dir, name, flags, Mode::empty()) {
        Err(Errno::NOTDIR) => Err(io::Error::other("not a directory")),
        other => Ok(other?),
    }
}

/// Who can change names in a directory can put another one in the place of what is looked for.
fn check_on_the_way(path: &Path, dir: Metadata) -> io::Result<()> {
    if !is_trusted(dir.uid) {
        return Err(foreign(path, dir.uid));
    }
    if dir.others_may_write() && !dir.is_sticky() {
        return Err(io::Error::other(format!(
            "other users may write to {}, which is on the way to it; take that right from them, or {BELOW}",
            shown(path)
        )));
    }
    Ok(())
}

fn foreign(path: &Path, uid: u32) -> io::Error {
    io::Error::other(format!(
        "{} belongs to another user (uid {uid}), who could put another directory in its place; {BELOW}",
        shown(path)
    ))
}

fn shown(path: &Path) -> String {
    crate::text::quoted(&path.to_string_lossy())
}

/// The cure.
const BELOW: &str =
    "use a directory below one that only root or the server's user can change, such as /var/lib";

/// Root, and this process's user. In a user namespace without root, what is root's shows as nobody's: who has made the
/// namespace vouches for that.
fn is_trusted(uid: u32) -> bool {
    uid == ROOT || uid == user::effective() || user::stands_for_nobody(uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    fn found(path: &Path) -> Result<PathBuf, String> {
        let place = to(path, &mut |_, _| Ok(()));
        place
            .and_then(|place| place.enter().map(|_| place.path()))
            .map_err(|error| error.to_string())
    }

    fn set_mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn links_are_followed_and_directories_not_left() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        create_dir(base.join("private")).unwrap();
        create_dir(base.join("private/x")).unwrap();
        symlink("private/x", base.join("x")).unwrap();
        symlink(base.join("x"), base.join("y")).unwrap();
        symlink("../private/../x", base.join("private/z")).unwrap();
        symlink("loop", base.join("loop")).unwrap();
        let x = base.join("private/x");
        for name in ["private/x", "x", "y", "x/../x", "./y/"] {
            assert_eq!(found(&base.join(name)).unwrap().file_name(), x.file_name());
        }
        assert!(found(&base.join("private/z")).is_ok());
        for (name, why) in [
            ("loop", "Too many levels"),
            ("no/x", "No such file"),
            ("", ""),
        ] {
            let result = found(&base.join(name));
            assert!(result.is_ok() == why.is_empty(), "{result:?}");
            assert!(result.err().unwrap_or_default().contains(why));
        }
        assert!(found(Path::new("/")).unwrap_err().contains("below"));
    }

    #[test]
    fn what_others_can_write_to_is_not_passed_through() {
        let base = tempfile::tempdir().unwrap();
        let open = base.path().join("open");
        create_dir(&open).unwrap();
        create_dir(open.join("state")).unwrap();
        for (mode, passes) in [
            (0o755, true),
            (0o775, false),
            (0o757, false),
            (0o1777, true),
        ] {
            set_mode(&open, mode);
            let result = found(&open.join("state"));
            assert_eq!(result.is_ok(), passes, "{mode:o} {result:?}");
            assert!(passes || result.unwrap_err().contains("open, which is on the way"));
        }
    }

    #[test]
    fn what_another_user_can_exchange_is_not_passed_through() {
        const OTHER: u32 = 65533;
        if user::effective() != 0 {
            return psc_testkit::skip("what_another_user_can_exchange", "needs root");
        }
        let base = tempfile::tempdir().unwrap();
        let at = |name: &str| base.path().join(name);
        for name in [
            "home",
            "home/state",
            "shared",
            "shared/state",
            "shared/x",
            "servers",
        ] {
            create_dir(at(name)).unwrap();
        }
        symlink(at("home"), at("link")).unwrap();
        symlink(at("servers"), at("foreign-link")).unwrap();
        symlink(at("servers"), at("shared/link")).unwrap();
        for name in ["home", "shared/state", "servers", "foreign-link"] {
            lchown(at(name), Some(OTHER), None).unwrap();
        }
        chown(at("shared/x"), Some(0), None).unwrap();
        set_mode(&at("shared"), 0o1777);
        for (name, passes) in [
            ("home/state", false),
            ("link/state", false),
            ("foreign-link", false),
            // Another user's, where only root can put it; where everybody can.
            ("servers", true),
            ("shared/state", false),
            ("shared/x", true),
            ("shared/link", true),
        ] {
            let result = found(&at(name));
            assert_eq!(result.is_ok(), passes, "{name}: {result:?}");
            let error = result.err().unwrap_or_default();
            assert!(passes || error.contains("use a directory below"), "{error}");
        }
    }
}
