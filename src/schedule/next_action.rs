//! What the owner of the schedule does next, from what is remembered.

use crate::error::Retry;
use crate::state::record::{Completion, HostRun, LastCheck, Record};
use crate::state::timestamp::Timestamp;
use crate::sys::clock::Now;
use std::time::Duration;

/// A known update is repeated once a day.
const REMINDER: u64 = 24 * 3600;
/// No authentic answer for so long is worth a warning.
pub const LONG_SILENCE: u64 = 7 * 24 * 3600;
/// Waits of a process that is not the owner, in seconds: its predecessor may be leaving just now.
const CANDIDATE: [u64; 4] = [1, 5, 30, 60];
/// How much later than the owner others look at a check that is due, plus a random part of the same length.
const CANDIDATE_GRACE: u64 = 30;

/// Waits before a record that could not be written is tried again, in seconds.
const SAVE_AGAIN: [u64; 4] = [60, 300, 900, 3600];
/// ... and from then on.
const SAVE_RARELY: u64 = 6 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Check,
    Remind,
    WarnOfSilence,
    Wait(Duration),
}

/// How soon after the last check another one may be due because it is about something else: two versions that take turns
/// on one directory, or a crash loop, must not make a check loop.
const OTHER_SUBJECT: u64 = 3600;

/// The calendar and the time since boot have moved by so many seconds against each other: the clock was set.
const CLOCK_SET: u64 = 60;
/// How long after that the check is made which has failed because of the clock, at most, so that not every host that was
/// wrong asks at the same time; and how often it is looked for. Both together are less than an hour.
const AFTER_CLOCK: u64 = 20 * 60;
const AFTER_CLOCK_AT_MOST: i64 = 20 * 60;
const CLOCK_LOOK: Duration = Duration::from_secs(20 * 60);

/// Makes the record tell when this process, which makes the checks, will make the next one. False: it does so already.
/// `first`: when the first check of this run of the host may be made. `subject`: whom a check asks now.
/// `random(n)` gives a number from 0 to n.
pub fn reconcile(
    record: &mut Record,
    first: &HostRun,
    subject: &str,
    now: Now,
    random: &dyn Fn(u64) -> u64,
) -> bool {
    let told = |record: &Record| {
        (
            record.next_check().map(|next| next.boot),
            record.run.clone(),
        )
    };
    let before = told(record);
    if let (Some(due), Some(soon)) = (record.due, due_for(record, subject)) {
        record.due = Some(if soon.boot < due.boot { soon } else { due });
    }
    if clock_was_set(record, now)
        && record
            .due
            .is_some_and(|due| due.until(now) > AFTER_CLOCK_AT_MOST)
    {
        record.due = Some(Timestamp::of(now).after(random(AFTER_CLOCK)));
    }
    let (due, start) = (record.due, first.first);
    record.start = Some(start).filter(|start| due.is_none_or(|due| start.boot > due.boot));
    record.run = Some(first.clone());
    told(record) != before
}

/// When the first check may be made of a process that follows another one of the same run: as that one had planned it. Who
/// begins anew each time would never come to it where processes live for a second.
pub fn inherited(record: &Record, run: &str) -> Option<Timestamp> {
    record
        .run
        .as_ref()
        .filter(|planned| planned.id == run)
        .map(|planned| planned.first)
}

fn has_failed_for_the_clock(record: &Record) -> bool {
    let last = record.last.as_ref().map(|last| last.completion);
    last == Some(Completion::Failed(Retry::Clock))
}

fn clock_was_set(record: &Record, now: Now) -> bool {
    let difference = |time: Timestamp| time.wall.saturating_sub(time.boot);
    let moved = |last: &LastCheck| difference(last.at).abs_diff(difference(Timestamp::of(now)));
    has_failed_for_the_clock(record)
        && record
            .last
            .as_ref()
            .is_some_and(|last| moved(last) > CLOCK_SET)
}

/// When a check about `subject` is due because the last one was about something else.
fn due_for(record: &Record, subject: &str) -> Option<Timestamp> {
    let asked_to_wait = record
        .last
        .as_ref()
        .is_some_and(|last| matches!(last.completion, Completion::Failed(Retry::After(_))));
    let begun = record.begun.as_ref().filter(|_| !asked_to_wait)?;
    (begun.subject != subject).then(|| begun.at.after(OTHER_SUBJECT))
}

/// `start`: when the first check after a start may be made, since boot. `known_update`: an update for the running
/// version is known.
pub fn decide(record: &Record, start: Duration, known_update: bool, now: Now) -> Action {
    let due = record.due.map_or(start, |due| since_boot(due).max(start));
    let reminder = known_update.then(|| {
        record.reminded.map_or(Duration::ZERO, |reminded| {
            since_boot(reminded.after(REMINDER))
        })
    });
    // Nobody has failed to answer who was not asked.
    let silent = record.has_failed() && !record.silence_warned;
    let silence = silent.then(|| since_boot(last_authentic(record).after(LONG_SILENCE)));
    let actions = [
        (Some(due), Action::Check),
        (reminder, Action::Remind),
        (silence, Action::WarnOfSilence),
    ];
    let mut wait = if has_failed_for_the_clock(record) {
        CLOCK_LOOK
    } else {
        Duration::MAX
    };
    for (time, action) in actions {
        match time {
            Some(time) if time <= now.boot => return action,
            Some(time) => wait = wait.min(time.saturating_sub(now.boot)),
            None => {}
        }
    }
    Action::Wait(wait)
}

/// The last authentic answer, or the beginning.
pub fn last_authentic(record: &Record) -> Timestamp {
    record
        .authentic
        .as_ref()
        .map_or(record.since, |known| known.at)
}

/// How long until a record that could not be written is tried again, the `tries`-th time in a row.
pub fn save_wait(tries: usize) -> Duration {
    Duration::from_secs(SAVE_AGAIN.get(tries).copied().unwrap_or(SAVE_RARELY))
}

/// How long a process waits that found another to be the owner, the `tries`-th time in a row: a little at first, then until
/// the owner should have done its next `action`, so that its death is noticed.
pub fn candidate_wait(action: Action, tries: usize, random: &dyn Fn(u64) -> u64) -> Duration {
    let grace = Duration::from_secs(CANDIDATE_GRACE.saturating_add(random(CANDIDATE_GRACE)));
    match (CANDIDATE.get(tries), action) {
        (Some(seconds), _) => Duration::from_secs(*seconds),
        (None, Action::Wait(wait)) => wait.saturating_add(grace),
        (None, _) => grace,
    }
}

/// For comparing it with the clock.
pub fn since_boot(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.boot).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::record::LastBegun;

    fn run(boot: u64) -> HostRun {
        HostRun {
            id: "run".to_owned(),
            first: time(boot),
        }
    }

    const DAY: u64 = 86_400;

    fn at(boot: u64) -> Now {
        Now {
            boot: Duration::from_secs(boot),
            wall: 0,
        }
    }

    fn time(boot: u64) -> Timestamp {
        Timestamp::of(at(boot))
    }

    fn reconciled(record: &mut Record, first: u64, subject: &str, now: Now) -> bool {
        reconcile(record, &run(first), subject, now, &|most| most)
    }

    fn wait(seconds: u64) -> Action {
        Action::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn the_first_check_waits_for_the_start_delay() {
        let record = Record::new(at(1000), "");
        let start = Duration::from_secs(1002);
        assert_eq!(decide(&record, start, false, at(1000)), wait(2));
        assert_eq!(decide(&record, start, false, at(1002)), Action::Check);
    }

    #[test]
    fn a_restart_keeps_the_due_time() {
        let mut record = Record::new(at(1000), "");
        record.due = Some(time(1000 + DAY));
        let start = Duration::from_secs(1002);
        assert_eq!(decide(&record, start, false, at(1500)), wait(DAY - 500));
        assert_eq!(decide(&record, start, false, at(1000 + DAY)), Action::Check);
        let restarted = Duration::from_secs(2 * DAY + 10);
        assert_eq!(decide(&record, restarted, false, at(2 * DAY)), wait(10));
    }

    /// A record of a check at 1000, with the next in a day.
    fn attempted(completion: Completion) -> Record {
        let mut record = Record::new(at(1000), "");
        record.begun = Some(LastBegun {
            at: time(1000),
            subject: "one".to_owned(),
        });
        record.last = Some(LastCheck {
            at: time(1000),
            code: Some(-10),
            message: None,
            completion,
        });
        record.due = Some(time(1000 + DAY));
        record
    }

    #[test]
    fn another_subject_is_due_an_hour_after_the_last_check() {
        let failed = |retry| attempted(Completion::Failed(retry));
        let next_boot = |record: &Record| record.next_check().map(|next| next.boot);
        for (mut record, subject, due) in [
            (failed(Retry::Interval), "one", 87_400),
            (failed(Retry::Interval), "other", 4600),
            (
                attempted(Completion::Authentic { backoff_minutes: 0 }),
                "other",
                4600,
            ),
            // The server has asked for it.
            (failed(Retry::After(DAY)), "other", 87_400),
        ] {
            assert!(reconciled(&mut record, 2000, subject, at(2000)));
            assert_eq!(record.due.map(|due| due.boot), Some(due));
            assert!(!reconciled(&mut record, 2000, subject, at(2000)));
            // Not sooner than the start allows, nor later than it would have been anyway.
            reconciled(&mut record, 5000, subject, at(2000));
            assert_eq!(next_boot(&record), Some(due.max(5000)));
            record.due = Some(time(1600));
            reconciled(&mut record, 0, subject, at(2000));
            assert_eq!(next_boot(&record), Some(1600));
        }
        // Of a time when it was not noted what a check is about.
        let mut record = failed(Retry::Interval);
        record.begun = None;
        reconciled(&mut record, 0, "other", at(2000));
        assert_eq!(next_boot(&record), Some(87_400));
    }

    /// Not sooner for anything but the clock, which is looked at meanwhile.
    #[test]
    fn what_the_clock_has_made_fail_is_tried_again_when_it_was_set() {
        let set = |boot: u64, wall: i64| Now {
            boot: Duration::from_secs(boot),
            wall,
        };
        // At 1000 since boot the clock said 1970.
        for (retry, wall, due, look) in [
            (Retry::Clock, 1000, 1000 + DAY, 1200),
            (Retry::Clock, 1059, 1000 + DAY, 1200),
            (Retry::Clock, 1_700_000_000, 2000 + 1200, 1200),
            (Retry::Clock, -1_700_000_000, 2000 + 1200, 1200),
            (Retry::Interval, 1_700_000_000, 1000 + DAY, DAY - 1000),
        ] {
            let mut record = attempted(Completion::Failed(retry));
            if let Some(last) = &mut record.last {
                last.at.wall = 0;
            }
            let now = set(2000, wall);
            reconciled(&mut record, 0, "one", now);
            assert_eq!(
                record.due.map(|due| due.boot),
                Some(i64::try_from(due).unwrap())
            );
            assert_eq!(decide(&record, Duration::ZERO, false, now), wait(look));
            // It stays so, and is made then.
            let now = set(2600, wall + 600);
            reconciled(&mut record, 0, "one", now);
            assert_eq!(
                record.due.map(|due| due.boot),
                Some(i64::try_from(due).unwrap())
            );
            let then = set(due, wall + i64::try_from(due - 2000).unwrap());
            assert_eq!(decide(&record, Duration::ZERO, false, then), Action::Check);
        }
        assert!(CLOCK_LOOK.as_secs() + AFTER_CLOCK < 3600);
    }

    #[test]
    fn the_start_is_told_where_it_counts() {
        let mut record = Record::new(at(1000), "");
        assert!(reconciled(&mut record, 1300, "", at(2000)));
        assert_eq!(record.next_check(), Some(time(1300)));
        // Another process's start is not this one's.
        assert!(reconciled(&mut record, 1200, "", at(2000)));
        assert_eq!(record.next_check(), Some(time(1200)));
        record.due = Some(time(DAY));
        reconciled(&mut record, 1300, "", at(2000));
        assert_eq!(record.next_check(), Some(time(DAY)));
        assert!(!reconciled(&mut record, 1300, "", at(2000)));
        // The next one of this run goes on with it, another run begins anew.
        assert_eq!(inherited(&record, "run"), Some(time(1300)));
        assert_eq!(inherited(&record, "another"), None);
    }

    #[test]
    fn what_cannot_be_written_is_tried_less_and_less_often() {
        let waits = [0, 1, 2, 3, 4, 9].map(|tries| save_wait(tries).as_secs());
        assert_eq!(waits, [60, 300, 900, 3600, 21_600, 21_600]);
    }

    #[test]
    fn three_days_of_suspend_are_one_check() {
        let mut record = Record::new(at(0), "");
        record.due = Some(time(DAY));
        let resumed = at(4 * DAY);
        assert_eq!(
            decide(&record, Duration::ZERO, false, resumed),
            Action::Check
        );
        record.due = Some(time(5 * DAY));
        assert_eq!(decide(&record, Duration::ZERO, false, resumed), wait(DAY));
    }

    #[test]
    fn a_known_update_is_repeated_daily() {
        let mut record = Record::new(at(0), "");
        record.due = Some(time(3 * DAY));
        assert_eq!(decide(&record, Duration::ZERO, true, at(5)), Action::Remind);
        record.reminded = Some(time(5));
        assert_eq!(decide(&record, Duration::ZERO, true, at(6)), wait(DAY - 1));
        assert_eq!(
            decide(&record, Duration::ZERO, true, at(5 + DAY)),
            Action::Remind
        );
        assert_eq!(
            decide(&record, Duration::ZERO, false, at(5 + DAY)),
            wait(2 * DAY - 5)
        );
    }

    #[test]
    fn a_long_silence_is_one_warning() {
        let mut record = Record::new(at(0), "");
        record.due = Some(time(20 * DAY));
        assert_eq!(
            decide(&record, Duration::ZERO, false, at(7 * DAY)),
            wait(13 * DAY)
        );
        record.last = Some(LastCheck {
            at: time(DAY),
            code: Some(-8),
            message: None,
            completion: Completion::Failed(Retry::Unanswered),
        });
        assert_eq!(
            decide(&record, Duration::ZERO, false, at(7 * DAY - 1)),
            wait(1)
        );
        assert_eq!(
            decide(&record, Duration::ZERO, false, at(7 * DAY)),
            Action::WarnOfSilence
        );
        record.silence_warned = true;
        assert_eq!(
            decide(&record, Duration::ZERO, false, at(7 * DAY)),
            wait(13 * DAY)
        );
    }

    #[test]
    fn candidates_look_soon_and_then_after_the_owners_next_step() {
        let seconds = |action, tries| candidate_wait(action, tries, &|n| n).as_secs();
        let later = wait(DAY);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|tries| seconds(later, tries)),
            [1, 5, 30, 60, DAY + 60]
        );
        assert_eq!(seconds(Action::Check, 0), 1);
        assert_eq!(seconds(Action::Check, 9), 60);
    }
}
