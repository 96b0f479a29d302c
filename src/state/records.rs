//! The records of all that was asked with one directory: a product, version, integration and set of keys each has its own,
//! so that nobody is shown the answer to another question.

use super::record::{AuthenticAnswer, InvalidRecord, Record};
use crate::config::question::Question;
use crate::json;
use crate::sys::clock::Now;
use serde_json::Value;

/// Records beside the one at hand.
const MOST_OTHERS: usize = 8;
/// Bytes of all of them together; one has about 350 KiB at most, an answer being 256.
const LARGEST: usize = 900 * 1024;
/// The member of the file that has the others; the record that was written last is the file itself.
const OTHERS: &str = "others";
/// A record that was used within so many seconds, the longest wait between two checks and a day, is in use.
const IN_USE: u64 = 8 * 24 * 3600;

pub struct Records {
    /// The one of the question at hand.
    pub current: Record,
    others: Vec<Record>,
}

/// What was found in a file, and what of it was not believed.
pub struct Parsed {
    pub records: Records,
    pub problem: Option<&'static str>,
}

impl Records {
    pub fn new(now: Now, boot_id: &str) -> Records {
        Records {
            current: Record::new(now, boot_id),
            others: Vec::new(),
        }
    }

    /// Makes the record of `question` the one at hand.
    pub fn select(&mut self, question: &Question, now: Now, boot_id: &str) {
        if self.current.question.as_ref() == Some(question) {
            return;
        }
        let has = |record: &Record| record.question.as_ref() == Some(question);
        let next = match self.others.iter().position(has) {
            Some(index) => self.others.swap_remove(index),
            None => self.begun_for(question, now, boot_id),
        };
        let before = std::mem::replace(&mut self.current, next);
        // One of an older psc's does not say what it is about; what it may tell was taken over just now.
        if before.question.is_some() {
            self.others.push(before);
        }
        self.forget_some(now);
    }

    /// Of what was asked with other keys a warning counts, if it verifies with these.
    fn begun_for(&self, question: &Question, now: Now, boot_id: &str) -> Record {
        let is_same = |record: &&Record| {
            let other = record.question.as_ref();
            other.is_none_or(|other| other.asked == question.asked)
        };
        let warnings = std::iter::once(&self.current)
            .chain(&self.others)
            .filter(is_same)
            .filter_map(|record| record.authentic.as_ref())
            .filter(|known| known.claims_update());
        let mut record = Record::new(now, boot_id);
        record.question = Some(question.clone());
        record.authentic = warnings.max_by_key(|known| known.at.boot).cloned();
        record
    }

    fn forget_some(&mut self, now: Now) {
        while self.others.len() > MOST_OTHERS || self.size() > LARGEST {
            let worth = |record: &Record| {
                let used = record.used();
                let warns = record
                    .authentic
                    .as_ref()
                    .is_some_and(AuthenticAnswer::claims_update);
                (used.age(now) <= IN_USE, warns, used.boot)
            };
            let least =
                (0..self.others.len()).min_by_key(|index| self.others.get(*index).map(worth));
            let Some(least) = least else {
                return;
            };
            self.others.swap_remove(least);
        }
    }

    fn size(&self) -> usize {
        let texts = |record: &Record| record.authentic.as_ref().map_or(0, AuthenticAnswer::size);
        std::iter::once(&self.current)
            .chain(&self.others)
            .map(texts)
            .fold(0, usize::saturating_add)
    }

    /// For who keeps a newer record of its own.
    pub fn take_others_of(&mut self, found: Records) {
        self.others = found.others;
    }

    /// Reads what was written, and believes nothing in it that cannot be. The record at hand is that of `question`.
    pub fn parse(
        bytes: &[u8],
        question: &Question,
        now: Now,
        boot_id: &str,
    ) -> Result<Parsed, &'static str> {
        const NO_RECORD: &str = "is not a record of psc's";
        let mut top = json::object(bytes).map_err(|_| NO_RECORD)?;
        let others = match top.remove(OTHERS) {
            Some(Value::Array(others)) => others,
            _ => Vec::new(),
        };
        let mut problem = None;
        let mut read = |value: Value| match Record::of(value, now, boot_id) {
            Ok(record) => Some(record),
            Err(InvalidRecord {
                problem: why,
                salvaged,
            }) => {
                problem = problem.or(Some(why));
                salvaged.map(|record| *record)
            }
        };
        let record = read(Value::Object(top));
        let others = others
            .into_iter()
            .take(MOST_OTHERS)
            .filter_map(read)
            .collect();
        let mut records = Records {
            current: record.unwrap_or_else(|| Record::new(now, boot_id)),
            others,
        };
        records.select(question, now, boot_id);
        Ok(Parsed { records, problem })
    }

    /// Whether that is what psc writes, believed or not.
    pub fn is_one(bytes: &[u8]) -> bool {
        json::read::<Record>(bytes).is_ok()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut top = serde_json::to_value(&self.current).unwrap_or_default();
        if let (Some(top), Ok(others)) = (top.as_object_mut(), serde_json::to_value(&self.others)) {
            top.insert(OTHERS.to_owned(), others);
        }
        top.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::LastBegun;
    use super::super::timestamp::Timestamp;
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;
    use std::time::Duration;

    const DAY: u64 = 24 * 3600;

    fn now(day: u64) -> Now {
        Now {
            boot: Duration::from_secs(day * DAY),
            wall: 2_000_000_000 + i64::try_from(day * DAY).unwrap(),
        }
    }

    fn question(asked: &str, keys: &str) -> Question {
        Question {
            asked: asked.to_owned(),
            keys: keys.to_owned(),
        }
    }

    fn answer(day: u64, update: u8) -> AuthenticAnswer {
        AuthenticAnswer {
            at: Timestamp::of(now(day)),
            running_version: "6.0.10".to_owned(),
            nonce: String::new(),
            extra_fields: None,
            data: STANDARD.encode(json!({ "update": update, "version": "6.0.20" }).to_string()),
            signature: String::new(),
        }
    }

    /// Asked about that, with that answer, and what was kept read again.
    fn asked(records: &Records, about: &Question, day: u64, update: u8) -> Records {
        let mut records = read(records, about, day);
        let at = Timestamp::of(now(day));
        let subject = String::new();
        records.current.begun = Some(LastBegun { at, subject });
        records.current.authentic = Some(answer(day, update));
        records
    }

    fn read(records: &Records, about: &Question, day: u64) -> Records {
        let found = Records::parse(&records.to_bytes(), about, now(day), "a").unwrap();
        assert_eq!(found.problem, None);
        found.records
    }

    fn empty() -> Records {
        Records::new(now(0), "a")
    }

    #[test]
    fn each_question_has_its_record() {
        let (one, other) = (question("one", "k"), question("other", "k"));
        let records = asked(&asked(&empty(), &one, 1, 0), &other, 2, 0);
        assert_eq!(
            read(&records, &one, 3).current.used(),
            Timestamp::of(now(1))
        );
        assert_eq!(
            read(&records, &other, 3).current.used(),
            Timestamp::of(now(2))
        );
        let third = read(&records, &question("third", "k"), 3).current;
        assert!(third.authentic.is_none() && third.begun.is_none());
        // The file tells first what was written last.
        let top: Value = serde_json::from_slice(&records.to_bytes()).unwrap();
        assert_eq!(top["question"]["asked"], "other");
    }

    #[test]
    fn a_warning_outlives_other_keys_and_nothing_else_does() {
        for (update, kept) in [(1, true), (0, false)] {
            let records = asked(&empty(), &question("one", "old"), 1, update);
            let record = read(&records, &question("one", "new"), 2).current;
            assert_eq!(record.authentic.is_some(), kept);
            assert!(record.begun.is_none());
            let record = read(&records, &question("another", "new"), 2).current;
            assert!(record.authentic.is_none());
            // Before there were questions.
            let mut old: Value = serde_json::from_slice(&records.to_bytes()).unwrap();
            for new in ["question", "others", "run", "reminded_in"] {
                old.as_object_mut().unwrap().remove(new);
            }
            old["authentic"]["request_sha256"] = "0".into();
            let bytes = old.to_string().into_bytes();
            let found = Records::parse(&bytes, &question("one", "k"), now(2), "a").unwrap();
            assert_eq!(found.records.current.authentic.is_some(), kept);
            assert!(found.records.current.begun.is_none() && found.records.others.is_empty());
        }
    }

    #[test]
    fn the_least_needed_is_forgotten() {
        let named = |number: usize| question(&format!("{number}"), "k");
        let known = |records: &Records, number| {
            read(records, &named(number), 40)
                .current
                .authentic
                .is_some()
        };
        let mut records = asked(&empty(), &named(0), 1, 1);
        records = asked(&records, &named(1), 2, 0);
        for number in 2..9 {
            records = asked(&records, &named(number), 3, 1);
        }
        assert!((0..9).all(|number| known(&records, number)));
        // Two that are in use stay, whatever else there is.
        records = asked(&records, &named(9), 39, 0);
        records = asked(&records, &named(10), 40, 0);
        assert_eq!(records.others.len(), MOST_OTHERS);
        assert!(known(&records, 9) && known(&records, 10));
        assert!(!known(&records, 1), "the oldest without a warning");
        assert!(!known(&records, 0), "the oldest");
        assert!((2..9).all(|number| known(&records, number)));
    }

    #[test]
    fn the_file_stays_small() {
        let mut records = empty();
        for number in 0..6 {
            records = asked(&records, &question(&format!("{number}"), "k"), 1, 0);
            records.current.authentic.as_mut().unwrap().signature = "A".repeat(256 * 1024);
        }
        records = read(&records, &question("next", "k"), 1);
        assert!(records.to_bytes().len() < 1024 * 1024 && !records.others.is_empty());
    }

    #[test]
    fn one_record_that_cannot_be_spoils_no_other() {
        let (one, other) = (question("one", "k"), question("other", "k"));
        let records = asked(&asked(&empty(), &one, 1, 1), &other, 2, 0);
        for broken in ["/due", "/others/0/due"] {
            let mut value: Value = serde_json::from_slice(&records.to_bytes()).unwrap();
            *value.pointer_mut(broken).unwrap() = json!("what");
            let bytes = value.to_string().into_bytes();
            let (fine, bad) = if broken == "/due" {
                (&one, &other)
            } else {
                (&other, &one)
            };
            let found = |about| Records::parse(&bytes, about, now(3), "a").unwrap();
            assert!(found(fine).problem.is_some());
            assert!(found(fine).records.current.authentic.is_some());
            assert!(found(bad).records.current.authentic.is_none());
        }
        for junk in [&b""[..], b"{", b"[]", b"\xff"] {
            assert!(Records::parse(junk, &one, now(1), "a").is_err());
        }
    }
}
