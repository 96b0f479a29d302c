//! One host's memory: the schedule, the last check, the last authentic answer.

use super::timestamp::{Timestamp, is_before_psc};
use crate::check::envelope::Envelope;
use crate::check::nonce::Nonce;
use crate::check::request::ExtraFields;
use crate::check::verdict;
use crate::config::question::Question;
use crate::error::Retry;
use crate::sys::clock::Now;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const FORMAT: u32 = 1;
/// A due time further away than the schedule ever plans (7 days) is not the schedule's; a day of room.
const FURTHEST_DUE: i64 = 8 * 24 * 3600;
/// How far a clock may be set back across a boot before what was written seems to come from the future.
const CLOCK_SLACK: i64 = 24 * 3600;

/// How a check ended, as far as the schedule is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Completion {
    Authentic { backoff_minutes: i64 },
    Failed(Retry),
}

/// The last check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastCheck {
    pub at: Timestamp,
    /// `None`: it was started and its end is not known, because the process died or the check was cancelled.
    pub code: Option<i32>,
    pub message: Option<String>,
    #[serde(rename = "ending")]
    pub completion: Completion,
}

/// The last authentic answer with all that verifying it again needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthenticAnswer {
    pub at: Timestamp,
    pub running_version: String,
    pub nonce: String,
    /// What the request had that the question does not say. `None`: what it would have now.
    #[serde(default)]
    #[serde(rename = "beside")]
    pub extra_fields: Option<ExtraFields>,
    /// D and S as sent (docs/protocol.md, Answer).
    pub data: String,
    pub signature: String,
}

/// The last check that was begun; one that was cancelled counts, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBegun {
    pub at: Timestamp,
    /// [`CheckConfig::subject`](crate::config::check_config::CheckConfig::subject) of it.
    pub subject: String,
}

/// A run of the host: [`crate::state::host_run`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRun {
    pub id: String,
    pub first: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    boot_id: String,
    /// `None`: of an older psc's, or of nothing yet.
    #[serde(default)]
    pub question: Option<Question>,
    /// When psc first ran with this record.
    pub since: Timestamp,
    pub due: Option<Timestamp>,
    /// When the process that makes the checks may make its first one, where that is later than `due`.
    #[serde(default)]
    pub start: Option<Timestamp>,
    /// The host's run that has planned last, and when its first check may be made.
    #[serde(default)]
    pub run: Option<HostRun>,
    #[serde(default)]
    pub begun: Option<LastBegun>,
    /// The interval that `due` was planned with.
    pub interval: u64,
    /// Failures in a row that no server answered.
    pub unanswered: u32,
    pub last: Option<LastCheck>,
    pub authentic: Option<AuthenticAnswer>,
    /// The first answer that was forged or replayed since the last authentic one.
    pub untrusted_since: Option<Timestamp>,
    /// The last time a known update was logged.
    pub reminded: Option<Timestamp>,
    /// ... and in which run of the host.
    #[serde(default)]
    pub reminded_in: Option<String>,
    /// Whether the long silence was warned of.
    pub silence_warned: bool,
}

impl AuthenticAnswer {
    /// Seconds since it came, by the clock that says the most, so that an old one is not shown as new by who can write
    /// the file: the nonce, which is signed, has the time of its making. `None`: not to be told, because a clock was wrong.
    pub fn age(&self, now: Now) -> Option<u64> {
        let made = Nonce::of_request(&self.nonce).made()?;
        let since = |wall: i64| now.wall.saturating_sub(wall);
        if since(made) < CLOCK_SLACK.saturating_neg()
            || (is_before_psc(made) && !is_before_psc(now.wall))
        {
            return None;
        }
        let by_calendar = since(made).max(since(self.at.wall));
        Some(
            self.at
                .age(now)
                .max(u64::try_from(by_calendar).unwrap_or(0)),
        )
    }

    /// Bytes of its texts.
    pub fn size(&self) -> usize {
        let extra_fields = self.extra_fields.as_ref().map_or(0, ExtraFields::size);
        [self.data.len(), self.signature.len(), extra_fields]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    /// An update that seems to be from the future is one as of now: the clock is wrong, or was. That there was none yet is
    /// not believed then. The calendar's time stays what the nonce says it is.
    fn believable(mut self, now: Now) -> AuthenticAnswer {
        if self.at.until(now) > CLOCK_SLACK && self.claims_update() {
            self.at.boot = Timestamp::of(now).boot;
        }
        self
    }

    /// What it says, without its signature having been verified.
    pub fn claims_update(&self) -> bool {
        let envelope = Envelope::from_texts(self.data.clone(), self.signature.clone());
        envelope.is_ok_and(|envelope| verdict::claims_update(&envelope))
    }
}

/// Why a record was not believed, and what of it is salvaged all the same.
#[derive(Debug)]
pub struct InvalidRecord {
    pub problem: &'static str,
    /// A new record, with the answer that there is an update; it is verified before it counts.
    pub salvaged: Option<Box<Record>>,
}

impl InvalidRecord {
    fn of(problem: &'static str) -> InvalidRecord {
        InvalidRecord {
            problem,
            salvaged: None,
        }
    }
}

impl Record {
    pub fn new(now: Now, boot_id: &str) -> Record {
        Record {
            format: FORMAT,
            boot_id: boot_id.to_owned(),
            question: None,
            since: Timestamp::of(now),
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

    /// Takes what was written, and believes nothing in it that cannot be.
    pub fn of(value: Value, now: Now, boot_id: &str) -> Result<Record, InvalidRecord> {
        let record: Record = serde_json::from_value(value)
            .map_err(|_| InvalidRecord::of("is not a record of psc's"))?;
        if record.format != FORMAT {
            return Err(InvalidRecord::of("was written by another version of psc"));
        }
        // Where the past seems to come the clock is another one, in spite of the boot: the calendar must do.
        let is_ours = record.boot_id == boot_id && !boot_id.is_empty();
        let mut record = if is_ours && !record.is_from_the_future(now) {
            record
        } else {
            record.rebased(now, boot_id)
        };
        record.authentic = record.authentic.map(|known| known.believable(now));
        if record.is_from_the_future(now) {
            let known = record.authentic.filter(AuthenticAnswer::claims_update);
            return Err(InvalidRecord {
                problem: "is dated in the future",
                salvaged: known.map(|known| {
                    Box::new(Record {
                        question: record.question,
                        authentic: Some(known),
                        ..Record::new(now, boot_id)
                    })
                }),
            });
        }
        Ok(record)
    }

    /// When it was used last.
    pub fn used(&self) -> Timestamp {
        let begun = self.begun.as_ref().map(|begun| begun.at);
        let authentic = self.authentic.as_ref().map(|known| known.at);
        let last = self.last.as_ref().map(|last| last.at);
        [begun, authentic, last]
            .into_iter()
            .flatten()
            .fold(
                self.since,
                |one, other| {
                    if other.boot > one.boot { other } else { one }
                },
            )
    }

    /// Whether the check that is due now may be made: not when another process has just made it.
    pub fn is_due(&self, now: Now) -> bool {
        self.due.is_none_or(|due| due.boot <= now.boot_seconds())
    }

    /// When the last check began. An older psc did not note it: when it ended.
    pub fn last_begun(&self) -> Option<Timestamp> {
        let begun = self.begun.as_ref().map(|begun| begun.at);
        begun.or(self.last.as_ref().map(|last| last.at))
    }

    /// When the next check will be made; `None` when none is planned.
    pub fn next_check(&self) -> Option<Timestamp> {
        self.due
            .into_iter()
            .chain(self.start)
            .max_by_key(|time| time.boot)
    }

    /// The same, from `now` on; 0 when it is due.
    pub fn seconds_until_next_check(&self, now: Now) -> Option<u64> {
        let seconds = self.next_check()?.until(now);
        Some(u64::try_from(seconds).unwrap_or(0))
    }

    /// Whether a check has failed after the last authentic answer.
    pub fn has_failed(&self) -> bool {
        let last_authentic = self.authentic.as_ref().map(|known| known.at.boot);
        self.last.as_ref().is_some_and(|last| {
            last.code.is_some_and(|code| code < 0) && Some(last.at.boot) > last_authentic
        })
    }

    fn rebased(mut self, now: Now, boot_id: &str) -> Record {
        boot_id.clone_into(&mut self.boot_id);
        // Silence counts from when the clock is right.
        let since = self.since;
        self.since = if since.is_unset(now) {
            Timestamp::of(now)
        } else {
            since.rebased(now)
        };
        self.due = self.due.map(|time| time.rebased(now));
        self.start = self.start.map(|time| time.rebased(now));
        if let Some(run) = &mut self.run {
            run.first = run.first.rebased(now);
        }
        if let Some(begun) = &mut self.begun {
            begun.at = begun.at.rebased(now);
        }
        self.untrusted_since = self.untrusted_since.map(|time| time.rebased(now));
        self.reminded = self.reminded.map(|time| time.rebased(now));
        if let Some(last) = &mut self.last {
            last.at = last.at.rebased(now);
        }
        if let Some(authentic) = &mut self.authentic {
            let at = authentic.at.rebased(now);
            authentic.at.boot = if authentic.at.is_unset(now) {
                Timestamp::of(now).boot
            } else {
                at.boot
            };
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
        let ahead = |time: Timestamp| time.until(now);
        past.into_iter()
            .flatten()
            .any(|time| ahead(time) > CLOCK_SLACK)
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
    use std::time::Duration;

    fn now(boot: u64, wall: i64) -> Now {
        Now {
            boot: Duration::from_secs(boot),
            wall,
        }
    }

    fn parsed(record: &Value, now: Now, boot_id: &str) -> Result<Record, InvalidRecord> {
        Record::of(record.clone(), now, boot_id)
    }

    fn written() -> Value {
        let mut record = Record::new(now(100, 1_000_000), "a");
        record.due = Some(Timestamp::of(now(100, 1_000_000)).after(50_000));
        serde_json::to_value(record).unwrap()
    }

    #[test]
    fn within_a_boot_the_calendar_does_not_count() {
        for wall in [0, 1_000_000, 4_000_000_000] {
            let record = parsed(&written(), now(200, wall), "a").unwrap();
            assert_eq!(record.due.unwrap().until(now(200, wall)), 49_900);
        }
    }

    #[test]
    fn across_boots_the_calendar_counts() {
        let later = now(5, 1_010_000);
        let record = parsed(&written(), later, "b").unwrap();
        assert_eq!(record.due.unwrap().until(later), 40_000);
        assert_eq!(record.since.age(later), 10_000);
    }

    /// A record with every time there is, and where each is in it.
    fn full(at: Now) -> (serde_json::Value, [&'static str; 9]) {
        let time = Timestamp::of(at);
        let mut record = Record::new(at, "a");
        record.due = Some(time);
        record.start = Some(time);
        record.run = Some(HostRun {
            id: String::new(),
            first: time,
        });
        record.begun = Some(LastBegun {
            at: time,
            subject: String::new(),
        });
        record.untrusted_since = Some(time);
        record.reminded = Some(time);
        record.last = Some(LastCheck {
            at: time,
            code: Some(0),
            message: None,
            completion: Completion::Authentic { backoff_minutes: 0 },
        });
        record.authentic = Some(AuthenticAnswer {
            at: time,
            running_version: String::new(),
            nonce: String::new(),
            extra_fields: None,
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
        let moved = parsed(&record, later, "b").unwrap();
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
        let with = |place: &str, ahead: i64| {
            let mut record = record.clone();
            let time = record.pointer_mut(place).unwrap();
            *time = serde_json::json!({ "boot": 100_000 + ahead, "wall": 1_000_000 + ahead });
            parsed(&record, at, "a")
        };
        for place in places {
            let most = if ["/due", "/start", "/run/first"].contains(&place) {
                FURTHEST_DUE
            } else {
                CLOCK_SLACK
            };
            assert!(with(place, most).is_ok(), "{place}");
            assert!(with(place, most + 1).is_err(), "{place}");
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
        let rejected = |update| parsed(&from_the_future(at, update), earlier, "b").unwrap_err();
        let salvaged = rejected(1).salvaged.unwrap().authentic.unwrap().at;
        assert_eq!((salvaged.age(earlier), salvaged.wall), (0, 1_000_000_000));
        assert!(rejected(0).salvaged.is_none());
        // As it is written by a boot with a wrong clock, and read in that and in the next one.
        let mut record = from_the_future(at, 1);
        let authentic = record["authentic"].clone();
        record = serde_json::to_value(Record::new(earlier, "b")).unwrap();
        record["authentic"] = authentic;
        for (later, boot_id) in [(earlier, "b"), (now(5, 2_000_000), "c")] {
            let read = parsed(&record, later, boot_id).unwrap();
            assert_eq!(read.authentic.unwrap().at.age(later), 0);
        }
        let right = now(5, 1_000_001_000);
        let read = parsed(&record, right, "d").unwrap();
        assert_eq!(read.authentic.unwrap().at.age(right), 1000);
    }

    #[test]
    fn what_has_begun_counts_as_the_next_second() {
        let begun = Now {
            boot: Duration::from_millis(100_001),
            wall: 0,
        };
        assert_eq!(Timestamp::of(begun).boot, 101);
        assert_eq!(Timestamp::of(now(100, 0)).boot, 100);
    }

    /// Where there is no such thing as an id of the boot, each start may be after one.
    #[test]
    fn without_a_boot_id_the_calendar_counts() {
        let mut record = written();
        record["boot_id"] = "".into();
        let later = now(5, 1_010_000);
        let record = parsed(&record, later, "").unwrap();
        assert_eq!(record.due.unwrap().until(later), 40_000);
    }

    #[test]
    fn another_format_is_not_believed() {
        let (mut record, _) = full(now(100, 1000));
        record["format"] = (FORMAT + 1).into();
        assert!(parsed(&record, now(100, 1000), "a").is_err());
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let back = now(5, 1_000_000 - 2 * CLOCK_SLACK);
        assert!(
            parsed(&written(), back, "b")
                .unwrap_err()
                .problem
                .contains("future")
        );
        let mut far = Record::new(now(100, 0), "a");
        far.due = Some(Timestamp {
            boot: 4_000_000_000,
            wall: 4_000_000_000,
        });
        let far = serde_json::to_value(far).unwrap();
        assert!(parsed(&far, now(100, 0), "a").is_err());
        for junk in [Value::Null, serde_json::json!({}), serde_json::json!([])] {
            assert!(parsed(&junk, now(1, 1), "a").is_err());
        }
    }

    /// In another time namespace, whose offset is not known; it is not what the clock of another boot says either.
    #[test]
    fn where_the_past_seems_to_come_the_calendar_counts() {
        let (record, _) = full(now(1_000_000, 2_000_000_000));
        let later = now(100, 2_000_000_010);
        let record = parsed(&record, later, "a").unwrap();
        assert_eq!(record.since.age(later), 10);
        assert_eq!(record.last.unwrap().at.age(later), 10);
    }

    /// 1970, as a machine without a clock of its own has it at first.
    #[test]
    fn silence_counts_from_when_the_clock_was_set() {
        let (record, _) = full(now(5, 20));
        let right = now(7, 1_800_000_000);
        let record = parsed(&record, right, "b").unwrap();
        assert_eq!(record.since.age(right), 0);
        assert_eq!(record.authentic.unwrap().at.age(right), 0);
        // What was planned then is overdue.
        assert!(record.due.unwrap().until(right) < 0);
    }

    #[test]
    fn an_answer_is_as_old_as_the_clock_says_that_says_the_most() {
        let at = now(100_000_000, 2_000_000_000);
        let age = |made: i64, boot: i64, wall: i64| {
            let mut known = from_the_future(at, 0)["authentic"].clone();
            known["nonce"] = format!("{}000000{}", made, "A".repeat(22) + "==").into();
            known["at"] = serde_json::json!({ "boot": boot, "wall": wall });
            let known: AuthenticAnswer = serde_json::from_value(known).unwrap();
            known.age(at)
        };
        let (boot, wall) = (at.boot_seconds(), at.wall);
        assert_eq!(age(wall - 10, boot - 12, wall - 11), Some(12));
        assert_eq!(age(wall - 30, boot, wall), Some(30));
        assert_eq!(age(wall, boot - 30, wall), Some(30));
        assert_eq!(age(wall, boot, wall - 30), Some(30));
        assert_eq!(age(wall + CLOCK_SLACK, boot, wall), Some(0));
        assert_eq!(age(wall + CLOCK_SLACK + 1, boot, wall), None);
        assert_eq!(age(7, boot, wall), None);
    }
}
