//! What waits for the host's callbacks, in order, and how much of it there was no room for.

use super::level::WARNING;
use crate::outcome::Outcome;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::ffi::CString;

/// Lines that wait at most; when there are more, the least important are dropped and counted.
const MAX_LINES: usize = 512;
/// Results that wait at most, of up to some hundred kilobytes each; when there are more, the oldest are dropped and counted.
const MAX_RESULTS: usize = 16;

/// For the log callback, or for the result callback.
pub enum Entry {
    Line(i32, CString),
    Result(Box<Outcome>),
}

impl Entry {
    fn level(&self) -> Option<i32> {
        match self {
            Entry::Line(level, _) => Some(*level),
            Entry::Result(_) => None,
        }
    }
}

#[derive(Default)]
pub struct Queue {
    entries: VecDeque<Entry>,
    lost_lines: u64,
    lost_results: u64,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn push_line(&mut self, level: i32, line: CString) {
        self.entries.push_back(Entry::Line(level, line));
        let lines = self.entries.iter().filter_map(Entry::level);
        if lines.count() <= MAX_LINES {
            return;
        }
        // The oldest of the least important: a flood of debug lines does not cost an update its line.
        let lines = self.entries.iter().map(Entry::level).enumerate();
        let least = lines
            .filter_map(|(position, level)| Some((position, level?)))
            .min_by_key(|(_, level)| Reverse(*level));
        if let Some((position, _)) = least {
            self.entries.remove(position);
            self.lost_lines = self.lost_lines.saturating_add(1);
        }
    }

    pub fn push_result(&mut self, outcome: Outcome) {
        self.entries.push_back(Entry::Result(Box::new(outcome)));
        let results = || self.entries.iter().filter(|entry| entry.level().is_none());
        if results().count() <= MAX_RESULTS {
            return;
        }
        // The oldest: what is known by now counts, and an update that is known is repeated.
        let mut entries = self.entries.iter();
        if let Some(position) = entries.position(|entry| entry.level().is_none()) {
            self.entries.remove(position);
            self.lost_results = self.lost_results.saturating_add(1);
        }
    }

    /// What comes next; after the last one, that some were lost.
    pub fn pop(&mut self) -> Option<Entry> {
        self.entries.pop_front().or_else(|| self.take_loss())
    }

    fn take_loss(&mut self) -> Option<Entry> {
        let lines = std::mem::take(&mut self.lost_lines);
        let lost = match (lines, std::mem::take(&mut self.lost_results)) {
            (0, 0) => return None,
            (lines, 0) => format!("{lines} log records"),
            (0, results) => format!("{results} results"),
            (lines, results) => format!("{lines} log records and {results} results"),
        };
        let text = format!("{lost} were lost: the host did not take them in time");
        Some(Entry::Line(WARNING, CString::new(text).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::{ERROR, NOTICE, TRACE};
    use super::*;
    use crate::code::Code;
    use serde_json::Value;

    fn log(queue: &mut Queue, level: i32, text: &str) {
        queue.push_line(level, CString::new(text).unwrap());
    }

    fn hand_over(queue: &mut Queue, next_check: u64) {
        queue.push_result(Outcome {
            code: Code::Ok,
            message: String::new(),
            version: None,
            notice: None,
            next_check,
            http_status: 0,
            age: 0,
            json: Value::Null,
        });
    }

    /// Lines as level and text; results as their number.
    fn drained(queue: &mut Queue) -> Vec<(Option<i32>, String)> {
        let shown = |entry| match entry {
            Entry::Line(level, text) => (Some(level), text.into_string().unwrap()),
            Entry::Result(outcome) => (None, outcome.next_check.to_string()),
        };
        std::iter::from_fn(|| queue.pop()).map(shown).collect()
    }

    #[test]
    fn a_full_queue_loses_the_least_important_lines_first_and_the_oldest_of_them() {
        let mut queue = Queue::default();
        let flood = |queue: &mut Queue, first: usize| {
            for number in first..first + MAX_LINES {
                log(queue, TRACE, &number.to_string());
            }
        };
        flood(&mut queue, 0);
        log(&mut queue, ERROR, "update");
        hand_over(&mut queue, 7);
        flood(&mut queue, MAX_LINES);
        log(&mut queue, NOTICE, "no update");
        let delivered = drained(&mut queue);
        let expected = [
            (Some(ERROR), "update".to_owned()),
            (None, "7".to_owned()),
            (Some(TRACE), (MAX_LINES + 2).to_string()),
        ];
        assert_eq!(delivered[..3], expected);
        let lost = format!(
            "{} log records were lost: the host did not take them in time",
            MAX_LINES + 2
        );
        let expected = [
            (Some(TRACE), (2 * MAX_LINES - 1).to_string()),
            (Some(NOTICE), "no update".to_owned()),
            (Some(WARNING), lost),
        ];
        assert_eq!(delivered[MAX_LINES - 1..], expected);
        assert!(drained(&mut queue).is_empty());
    }

    #[test]
    fn in_a_queue_of_what_matters_there_is_no_room_for_less() {
        let mut queue = Queue::default();
        for _ in 0..MAX_LINES {
            log(&mut queue, ERROR, "update");
        }
        log(&mut queue, TRACE, "sending");
        let delivered = drained(&mut queue);
        assert!(delivered.iter().all(|(level, _)| *level <= Some(WARNING)));
        assert_eq!(delivered.len(), MAX_LINES + 1);
    }

    #[test]
    fn of_too_many_results_the_oldest_are_lost() {
        let mut queue = Queue::default();
        for number in 0..1000 {
            log(&mut queue, ERROR, "update");
            hand_over(&mut queue, number);
        }
        let delivered = drained(&mut queue);
        let results: Vec<&str> = delivered
            .iter()
            .filter(|(level, _)| level.is_none())
            .map(|(_, number)| number.as_str())
            .collect();
        assert_eq!(results.len(), MAX_RESULTS);
        assert_eq!((results[0], results[15]), ("984", "999"));
        let lost = "488 log records and 984 results were lost: the host did not take them in time";
        assert_eq!(delivered.last(), Some(&(Some(WARNING), lost.to_owned())));
        for number in 0..=16 {
            hand_over(&mut queue, number);
        }
        let lost = "1 results were lost: the host did not take them in time";
        assert_eq!(drained(&mut queue).pop().unwrap().1, lost);
    }
}
