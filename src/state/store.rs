//! The record in memory, kept in step with `state_dir`. Whatever is wrong with the directory is one warning; the
//! schedule then goes on in memory.

use super::dir::{OwnerLock, StateDir, Unreadable};
use super::record::Record;
use super::records::{Parsed, Records};
use crate::config::question::Question;
use crate::sys::clock::{Clock, Now};
use crate::sys::errno;
use crate::text;
use std::io;
use std::path::Path;

pub struct Store {
    records: Records,
    /// Whose record is at hand; `None` before the first configuration.
    question: Option<Question>,
    dir: Option<StateDir>,
    /// The record could not be written: what is in memory is newer than the file.
    unsaved: bool,
    warned: bool,
    warning: Option<String>,
}

/// Who makes this host's checks.
pub enum Owner {
    /// This handle; the lock is `None` when nothing is shared.
    Us(Option<OwnerLock>),
    Another,
}

impl Store {
    pub fn new(now: Now, boot_id: &str) -> Store {
        Store {
            records: Records::new(now, boot_id),
            question: None,
            dir: None,
            unsaved: false,
            warned: false,
            warning: None,
        }
    }

    /// Takes up a directory, which is not touched before something is read or written, and a question.
    pub fn select(&mut self, path: Option<&Path>, question: Question, clock: &dyn Clock) {
        if self.dir.as_ref().map(StateDir::path) != path {
            self.dir = path.map(StateDir::new);
            self.restart();
        }
        self.records.select(&question, clock.now(), clock.boot_id());
        self.question = Some(question);
    }

    /// A new beginning, as at a start of the host: what is wrong is worth a warning again.
    pub fn restart(&mut self) {
        self.warned = false;
    }

    /// The host's record as it is now.
    pub fn load(&mut self, clock: &dyn Clock) -> &Record {
        if let Some(dir) = self.dir.take() {
            self.look(&dir, dir.read(), clock);
            self.dir = Some(dir);
        }
        &self.records.current
    }

    /// Changes the host's record, undisturbed by other processes. What cannot be written is kept in memory.
    /// `should_stop` ends the wait for another process that is changing it.
    pub fn update(
        &mut self,
        clock: &dyn Clock,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&mut Record),
    ) {
        self.apply(clock, should_stop, change, |_| true);
    }

    /// As [`Store::update`], but does nothing while another process holds the record for too long.
    pub fn try_update(
        &mut self,
        clock: &dyn Clock,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&mut Record),
    ) {
        self.apply(clock, should_stop, change, |error| {
            error.kind() != io::ErrorKind::WouldBlock
        });
    }

    /// Whether the file is as new as the memory.
    pub fn is_saved(&self) -> bool {
        !self.unsaved
    }

    /// What could not be written.
    pub fn unsaved(&self) -> Option<&Record> {
        self.unsaved.then_some(&self.records.current)
    }

    /// `in_memory`: whether a change that could not be made in the file is made in memory.
    fn apply(
        &mut self,
        clock: &dyn Clock,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&mut Record),
        in_memory: impl FnOnce(&io::Error) -> bool,
    ) {
        let mut change = Some(change);
        let result = self.exclusively(clock, should_stop, |record| {
            if let Some(change) = change.take() {
                change(record);
            }
        });
        self.unsaved = match (&result, change) {
            (Ok(()), _) => false,
            (Err(error), Some(change)) if in_memory(error) => {
                change(&mut self.records.current);
                true
            }
            (Err(_), left) => self.unsaved || left.is_none(),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && should_stop() => {}
            Err(error) => self.warn(&format!("cannot be written: {error}"), IN_MEMORY),
            Ok(()) => {}
        }
    }

    fn exclusively(
        &mut self,
        clock: &dyn Clock,
        should_stop: &dyn Fn() -> bool,
        change: impl FnOnce(&mut Record),
    ) -> io::Result<()> {
        let Some(dir) = self.dir.take() else {
            change(&mut self.records.current);
            return Ok(());
        };
        let result = dir.exclusively(should_stop, |open| {
            // A bad file is replaced by what is in memory.
            self.look(&dir, open.read(), clock);
            change(&mut self.records.current);
            open.write(&self.records.to_bytes())
        });
        self.dir = Some(dir);
        result
    }

    /// Brings the memory up to date with the file.
    fn look(&mut self, dir: &StateDir, file: Bytes, clock: &dyn Clock) {
        let Some(question) = &self.question else {
            return;
        };
        match parse(file, question, clock) {
            Ok(None) => {}
            Ok(Some(found)) => {
                self.adopt(found.records);
                if let Some(problem) = found.problem {
                    self.warn_of(dir, problem, REPLACED);
                }
            }
            Err(trouble) => self.warn_of(dir, &trouble.problem, trouble.consequence),
        }
    }

    /// Other processes write, too: the newer record counts.
    fn adopt(&mut self, found: Records) {
        if !self.unsaved || is_newer(&found.current, &self.records.current) {
            self.records = found;
        } else {
            self.records.take_others_of(found);
        }
    }

    /// Tries to become the process that makes this host's checks. Where the directory cannot be used each process makes its
    /// own; when only the means are short just now, another process is assumed to make them.
    pub fn try_acquire_owner(&mut self) -> Owner {
        let (Some(dir), Some(question)) = (&self.dir, &self.question) else {
            return Owner::Us(None);
        };
        match dir.try_acquire_owner(question) {
            Ok(Some(lock)) => Owner::Us(Some(lock)),
            Ok(None) => Owner::Another,
            Err(error) if is_passing(&error) => Owner::Another,
            Err(error) => {
                self.warn(&format!("cannot be used: {error}"), IN_MEMORY);
                Owner::Us(None)
            }
        }
    }

    /// A warning that has not been logged yet.
    pub fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    fn warn(&mut self, problem: &str, consequence: &str) {
        if let Some(dir) = self.dir.take() {
            self.warn_of(&dir, problem, consequence);
            self.dir = Some(dir);
        }
    }

    fn warn_of(&mut self, dir: &StateDir, problem: &str, consequence: &str) {
        if self.warned {
            return;
        }
        self.warned = true;
        self.warning = Some(format!(
            "Security update check: the state in {} {problem}; {consequence}",
            text::quoted(&dir.path().to_string_lossy())
        ));
    }
}

/// Descriptors, memory or a signal: another try may work.
fn is_passing(error: &io::Error) -> bool {
    errno::is_shortage(error) || matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN))
}

fn is_newer(found: &Record, unsaved: &Record) -> bool {
    let last = |record: &Record| record.last.as_ref().map(|last| last.at.boot);
    last(found) > last(unsaved)
}

/// The one that counts of what was read and what could not be written.
pub fn newest(found: Option<Record>, unsaved: Option<Record>) -> Option<Record> {
    match (found, unsaved) {
        (Some(found), Some(unsaved)) if is_newer(&found, &unsaved) => Some(found),
        (found, unsaved) => unsaved.or(found),
    }
}

const IN_MEMORY: &str = "the schedule is kept in memory meanwhile";
const REPLACED: &str = "it is replaced";

/// What is wrong with the file in the directory.
pub struct Trouble {
    problem: String,
    consequence: &'static str,
}

/// The record in the directory that answers that question; `None` when there is none to be believed.
pub fn read(dir: &StateDir, question: &Question, clock: &dyn Clock) -> Option<Record> {
    let found = parse(dir.read(), question, clock).ok()??;
    Some(found.records.current)
}

/// What reading the file came to.
type Bytes = Result<Option<Vec<u8>>, Unreadable>;

fn parse(file: Bytes, question: &Question, clock: &dyn Clock) -> Result<Option<Parsed>, Trouble> {
    let trouble = |problem, consequence| Trouble {
        problem,
        consequence,
    };
    match file {
        Ok(Some(bytes)) => Records::parse(&bytes, question, clock.now(), clock.boot_id())
            .map(Some)
            .map_err(|why| trouble(why.to_owned(), REPLACED)),
        Ok(None) => Ok(None),
        Err(Unreadable::Unfit(why)) => Err(trouble(format!("cannot be read: {why}"), REPLACED)),
        Err(Unreadable::Io(error)) => Err(trouble(format!("cannot be read: {error}"), IN_MEMORY)),
    }
}
