//! One host's memory: the schedule, the last check, the last authentic answer.

use crate::check::envelope::Envelope;
use crate::check::verdict;
use crate::json;
use crate::schedule::plan::Ending;
use crate::sys::clock::Now;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const FORMAT: u32 = 1;
/// A due time further away than the schedule ever plans (7 days) is not the schedule's; a day of room.
const FURTHEST_DUE: i64 = 8 * 24 * 3600;
/// How far a clock may be set back across a boot before what was written seems to come from the future.
const CLOCK_SLACK: i64 = 24 * 3600;

/// A point in time on both clocks. Within one boot the first counts, across boots the calendar must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since boot.
    pub boot: i64,
    /// Seconds since the epoch.
    pub wall: i64,
}

impl Moment {
    /// The second that begins next, so that a wait counted from it is never too short.
    pub fn of(now: Now) -> Moment {
        Moment::at(now.boot, now)
    }

    /// The same for a time since boot.
    pub fn at(boot: Duration, now: Now) -> Moment {
        let begun = i64::from(boot.subsec_nanos() > 0);
        let seconds = i64::try_from(boot.as_secs()).unwrap_or(i64::MAX);
        let ahead = seconds.saturating_sub(now.boot_seconds());
        Moment {
            boot: seconds.saturating_add(begun),
            wall: now.wall.saturating_add(ahead),
        }
    }

    pub fn after(self, seconds: u64) -> Moment {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Moment {
            boot: self.boot.saturating_add(seconds),
            wall: self.wall.saturating_add(seconds),
        }
    }

    /// Seconds from `now` until then; negative when it is past.
    pub fn until(self, now: Now) -> i64 {
        self.boot.saturating_sub(Moment::of(now).boot)
    }

    /// Seconds since then; 0 when it is to come.
    pub fn age(self, now: Now) -> u64 {
        u64::try_from(self.until(now).saturating_neg()).unwrap_or(0)
    }

    fn rebased(self, now: Now) -> Moment {
        let until = self.wall.saturating_sub(now.wall);
        Moment {
            boot: now.boot_seconds().saturating_add(until),
            wall: self.wall,
        }
    }
}

/// How a check ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Last {
    pub at: Moment,
    /// `None`: it was started and its end is not known, because the process died or the check was cancelled.
    pub code: Option<i32>,
    pub message: Option<String>,
    pub ending: Ending,
}

/// The last authentic answer with all that verifying it again needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authenticated {
    pub at: Moment,
    pub running_version: String,
    pub nonce: String,
    pub request_sha256: String,
    /// D and S as sent (contract section 5).
    pub data: String,
    pub signature: String,
}

/// The last check that was begun; one that was cancelled counts, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub at: Moment,
    /// [`CheckConfig::subject`](crate::config::check_config::CheckConfig::subject) of it.
    pub subject: String,
}

/// A run of the host: [`crate::schedule::run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub id: String,
    pub first: Moment,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    boot_id: String,
    /// When psc first ran with this record.
    pub since: Moment,
    pub due: Option<Moment>,
    /// When the process that makes the checks may make its first one, where that is later than `due`.
    #[serde(default)]
    pub start: Option<Moment>,
    /// The host's run that has planned last, and when its first check may be made.
    #[serde(default)]
    pub run: Option<Run>,
    #[serde(default)]
    pub begun: Option<Begun>,
    /// The interval that `due` was planned with.
    pub interval: u64,
    /// Failures in a row that no server answered.
    pub unanswered: u32,
    pub last: Option<Last>,
    pub authentic: Option<Authenticated>,
    /// The first answer that was forged or replayed since the last authentic one.
    pub untrusted_since: Option<Moment>,
    /// The last time a known update was logged.
    pub reminded: Option<Moment>,
    /// ... and in which run of the host.
    #[serde(default)]
    pub reminded_in: Option<String>,
    /// Whether the long silence was warned of.
    pub silence_warned: bool,
}

impl Authenticated {
    /// An update that seems to be from the future is one as of now: the clock is wrong, or was. That there was none yet is
    /// not believed then. The calendar's time stays what the nonce says it is.
    fn believable(mut self, now: Now) -> Authenticated {
        if self.at.until(now) > CLOCK_SLACK && self.claims_update() {
            self.at.boot = Moment::of(now).boot;
        }
        self
    }

    /// What it says, without its signature having been verified.
    fn claims_update(&self) -> bool {
        let envelope = Envelope::from_texts(self.data.clone(), self.signature.clone());
        envelope.is_ok_and(|envelope| verdict::claims_update(&envelope))
    }
}

/// Why a record was not believed, and what of it is kept all the same.
#[derive(Debug)]
pub struct Disbelief {
    pub problem: &'static str,
    /// An answer that says that there is an update; it is verified before it counts.
    pub update: Option<Box<Authenticated>>,
}

impl Disbelief {
    fn of(problem: &'static str) -> Disbelief {
        Disbelief {
            problem,
            update: None,
        }
    }
}

impl Record {
    pub fn new(now: Now, boot_id: &str) -> Record {
        Record {
            format: FORMAT,
            boot_id: boot_id.to_owned(),
            since: Moment::of(now),
            due: None,
            start: None,
            run: None,
            begun: None,
            interval: 0,
            unanswered: 0,
            last: None,
            authentic: None,
            untrusted_since: None,
            reminded: None,
            reminded_in: None,
            silence_warned: false,
        }
    }

    /// Reads what was written, and believes nothing in it that cannot be.
    pub fn parse(bytes: &[u8], now: Now, boot_id: &str) -> Result<Record, Disbelief> {
        let record: Record =
            json::read(bytes).map_err(|_| Disbelief::of("is not a record of psc's"))?;
        if record.format != FORMAT {
            return Err(Disbelief::of("was written by another version of psc"));
        }
        let mut record = if record.boot_id == boot_id && !boot_id.is_empty() {
            record
        } else {
            record.rebased(now, boot_id)
        };
        record.authentic = record.authentic.map(|known| known.believable(now));
        if record.is_from_the_future(now) {
            return Err(Disbelief {
                problem: "is dated in the future",
                update: record
                    .authentic
                    .filter(Authenticated::claims_update)
                    .map(Box::new),
            });
        }
        Ok(record)
    }

    /// Whether that is what psc writes, believed or not.
    pub fn is_one(bytes: &[u8]) -> bool {
        json::read::<Record>(bytes).is_ok()
    }

    /// Whether the check that is due now may be made: not when another process has just made it.
    pub fn is_due(&self, now: Now) -> bool {
        self.due.is_none_or(|due| due.boot <= now.boot_seconds())
    }

    /// When the next check will be made; `None` when none is planned.
    pub fn next_check(&self) -> Option<Moment> {
        self.due
            .into_iter()
            .chain(self.start)
            .max_by_key(|moment| moment.boot)
    }

    /// Whether a check has failed after the last authentic answer.
    pub fn has_failed(&self) -> bool {
        let heard = self.authentic.as_ref().map(|known| known.at.boot);
        self.last.as_ref().is_some_and(|last| {
            last.code.is_some_and(|code| code < 0) && Some(last.at.boot) > heard
        })
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn rebased(mut self, now: Now, boot_id: &str) -> Record {
        boot_id.clone_into(&mut self.boot_id);
        self.since = self.since.rebased(now);
        self.due = self.due.map(|moment| moment.rebased(now));
        self.start = self.start.map(|moment| moment.rebased(now));
        if let Some(run) = &mut self.run {
            run.first = run.first.rebased(now);
        }
        if let Some(begun) = &mut self.begun {
            begun.at = begun.at.rebased(now);
        }
        self.untrusted_since = self.untrusted_since.map(|moment| moment.rebased(now));
        self.reminded = self.reminded.map(|moment| moment.rebased(now));
        if let Some(last) = &mut self.last {
            last.at = last.at.rebased(now);
        }
        if let Some(authentic) = &mut self.authentic {
            authentic.at = authentic.at.rebased(now);
        }
        self
    }

    fn is_from_the_future(&self, now: Now) -> bool {
        let past = [
            Some(self.since),
            self.untrusted_since,
            self.reminded,
            self.begun.as_ref().map(|begun| begun.at),
            self.last.as_ref().map(|last| last.at),
            self.authentic.as_ref().map(|authentic| authentic.at),
        ];
        let ahead = |moment: Moment| moment.until(now);
        past.into_iter()
            .flatten()
            .any(|moment| ahead(moment) > CLOCK_SLACK)
            || [self.next_check(), self.run.as_ref().map(|run| run.first)]
                .into_iter()
                .flatten()
                .any(|next| ahead(next) > FURTHEST_DUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn now(boot: u64, wall: i64) -> Now {
        Now {
            boot: Duration::from_secs(boot),
            wall,
        }
    }

    fn written() -> Vec<u8> {
        let mut record = Record::new(now(100, 1_000_000), "a");
        record.due = Some(Moment::of(now(100, 1_000_000)).after(50_000));
        record.to_bytes()
    }

    #[test]
    fn within_a_boot_the_calendar_does_not_count() {
        for wall in [0, 1_000_000, 4_000_000_000] {
            let record = Record::parse(&written(), now(200, wall), "a").unwrap();
            assert_eq!(record.due.unwrap().until(now(200, wall)), 49_900);
        }
    }

    #[test]
    fn across_boots_the_calendar_counts() {
        let later = now(5, 1_010_000);
        let record = Record::parse(&written(), later, "b").unwrap();
        assert_eq!(record.due.unwrap().until(later), 40_000);
        assert_eq!(record.since.age(later), 10_000);
    }

    /// A record with every moment there is, and where each is in it.
    fn full(at: Now) -> (serde_json::Value, [&'static str; 9]) {
        let moment = Moment::of(at);
        let mut record = Record::new(at, "a");
        record.due = Some(moment);
        record.start = Some(moment);
        record.run = Some(Run {
            id: String::new(),
            first: moment,
        });
        record.begun = Some(Begun {
            at: moment,
            subject: String::new(),
        });
        record.untrusted_since = Some(moment);
        record.reminded = Some(moment);
        record.last = Some(Last {
            at: moment,
            code: Some(0),
            message: None,
            ending: Ending::Authentic { backoff_minutes: 0 },
        });
        record.authentic = Some(Authenticated {
            at: moment,
            running_version: String::new(),
            nonce: String::new(),
            request_sha256: String::new(),
            data: String::new(),
            signature: String::new(),
        });
        let places = [
            "/since",
            "/due",
            "/start",
            "/run/first",
            "/begun/at",
            "/untrusted_since",
            "/reminded",
            "/last/at",
            "/authentic/at",
        ];
        (serde_json::to_value(&record).unwrap(), places)
    }

    #[test]
    fn every_moment_is_moved_to_this_boot() {
        let (record, places) = full(now(100_000, 1_000_000));
        let later = now(5, 1_001_000);
        let moved = Record::parse(record.to_string().as_bytes(), later, "b").unwrap();
        let moved = serde_json::to_value(&moved).unwrap();
        for place in places {
            assert_eq!(moved.pointer(place).unwrap()["boot"], 5 - 1000, "{place}");
        }
        assert_eq!(moved["boot_id"], "b");
    }

    #[test]
    fn no_moment_is_believed_that_cannot_be() {
        let at = now(100_000, 1_000_000);
        let (record, places) = full(at);
        let parsed = |place: &str, ahead: i64| {
            let mut record = record.clone();
            record.pointer_mut(place).unwrap()["boot"] = (100_000 + ahead).into();
            Record::parse(record.to_string().as_bytes(), at, "a")
        };
        for place in places {
            let most = if ["/due", "/start", "/run/first"].contains(&place) {
                FURTHEST_DUE
            } else {
                CLOCK_SLACK
            };
            assert!(parsed(place, most).is_ok(), "{place}");
            assert!(parsed(place, most + 1).is_err(), "{place}");
        }
        assert_eq!(FURTHEST_DUE, 8 * 86_400);
    }

    /// A full record that is dated in the future, whose answer says so about an update.
    fn from_the_future(at: Now, update: u8) -> serde_json::Value {
        let (mut record, _) = full(at);
        let data = serde_json::json!({ "update": update, "version": "6.0.20" });
        record["authentic"]["data"] = STANDARD.encode(data.to_string()).into();
        record
    }

    #[test]
    fn of_the_future_only_an_update_is_kept() {
        let (at, earlier) = (now(100_000, 1_000_000_000), now(5, 1_000_000));
        let rejected = |update| {
            let record = from_the_future(at, update).to_string();
            Record::parse(record.as_bytes(), earlier, "b").unwrap_err()
        };
        let kept = rejected(1).update.unwrap().at;
        assert_eq!((kept.age(earlier), kept.wall), (0, 1_000_000_000));
        assert!(rejected(0).update.is_none());
        // As it is written by a boot with a wrong clock, and read in that and in the next one.
        let mut record = from_the_future(at, 1);
        let authentic = record["authentic"].clone();
        record = serde_json::to_value(Record::new(earlier, "b")).unwrap();
        record["authentic"] = authentic;
        let text = record.to_string();
        for (later, boot_id) in [(earlier, "b"), (now(5, 2_000_000), "c")] {
            let read = Record::parse(text.as_bytes(), later, boot_id).unwrap();
            assert_eq!(read.authentic.unwrap().at.age(later), 0);
        }
        let right = now(5, 1_000_001_000);
        let read = Record::parse(text.as_bytes(), right, "d").unwrap();
        assert_eq!(read.authentic.unwrap().at.age(right), 1000);
    }

    #[test]
    fn what_has_begun_counts_as_the_next_second() {
        let begun = Now {
            boot: Duration::from_millis(100_001),
            wall: 0,
        };
        assert_eq!(Moment::of(begun).boot, 101);
        assert_eq!(Moment::of(now(100, 0)).boot, 100);
    }

    /// Where there is no such thing as an id of the boot, each start may be after one.
    #[test]
    fn without_a_boot_id_the_calendar_counts() {
        let mut record: serde_json::Value = serde_json::from_slice(&written()).unwrap();
        record["boot_id"] = "".into();
        let later = now(5, 1_010_000);
        let record = Record::parse(record.to_string().as_bytes(), later, "").unwrap();
        assert_eq!(record.due.unwrap().until(later), 40_000);
    }

    #[test]
    fn another_format_is_not_believed() {
        let (mut record, _) = full(now(100, 1000));
        record["format"] = (FORMAT + 1).into();
        assert!(Record::parse(record.to_string().as_bytes(), now(100, 1000), "a").is_err());
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let back = now(5, 1_000_000 - 2 * CLOCK_SLACK);
        assert!(
            Record::parse(&written(), back, "b")
                .unwrap_err()
                .problem
                .contains("future")
        );
        let mut far = Record::new(now(100, 0), "a");
        far.due = Some(Moment {
            boot: 4_000_000_000,
            wall: 4_000_000_000,
        });
        assert!(Record::parse(&far.to_bytes(), now(100, 0), "a").is_err());
        for junk in [&b""[..], b"{}", b"[]", b"\xff"] {
            assert!(Record::parse(junk, now(1, 1), "a").is_err());
        }
    }
}
