//! What the owner of the schedule does next, from what is remembered.

use crate::state::record::{Moment, Record};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Check,
    Remind,
    WarnOfSilence,
    Wait(Duration),
}

/// `start`: when the first check after a start may be made, since boot. `known_update`: an update for the running
/// version is known.
pub fn next(record: &Record, start: Duration, known_update: bool, now: Now) -> Step {
    let due = record.due.map_or(start, |due| since_boot(due).max(start));
    let reminder = known_update.then(|| {
        record.reminded.map_or(Duration::ZERO, |reminded| {
            since_boot(reminded.after(REMINDER))
        })
    });
    // Nobody has failed to answer who was not asked.
    let silent = record.has_failed() && !record.silence_warned;
    let silence = silent.then(|| since_boot(heard(record).after(LONG_SILENCE)));
    let steps = [
        (Some(due), Step::Check),
        (reminder, Step::Remind),
        (silence, Step::WarnOfSilence),
    ];
    let mut wait = Duration::MAX;
    for (time, step) in steps {
        match time {
            Some(time) if time <= now.boot => return step,
            Some(time) => wait = wait.min(time.saturating_sub(now.boot)),
            None => {}
        }
    }
    Step::Wait(wait)
}

/// The last authentic answer, or the beginning.
pub fn heard(record: &Record) -> Moment {
    record
        .authentic
        .as_ref()
        .map_or(record.since, |known| known.at)
}

/// How long a process waits that found another to be the owner, the `tries`-th time in a row: a little at first, then until
/// the owner should have done its next `step`, so that its death is noticed.
pub fn candidate_wait(step: Step, tries: usize, random: &dyn Fn(u64) -> u64) -> Duration {
    let grace = Duration::from_secs(CANDIDATE_GRACE.saturating_add(random(CANDIDATE_GRACE)));
    match (CANDIDATE.get(tries), step) {
        (Some(seconds), _) => Duration::from_secs(*seconds),
        (None, Step::Wait(wait)) => wait.saturating_add(grace),
        (None, _) => grace,
    }
}

fn since_boot(moment: Moment) -> Duration {
    Duration::from_secs(u64::try_from(moment.boot).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Retry;
    use crate::schedule::plan::Ending;
    use crate::state::record::Last;

    const DAY: u64 = 86_400;

    fn at(boot: u64) -> Now {
        Now {
            boot: Duration::from_secs(boot),
            wall: 0,
        }
    }

    fn moment(boot: u64) -> Moment {
        Moment::of(at(boot))
    }

    fn wait(seconds: u64) -> Step {
        Step::Wait(Duration::from_secs(seconds))
    }

    #[test]
    fn the_first_check_waits_for_the_start_delay() {
        let record = Record::new(at(1000), "");
        let start = Duration::from_secs(1002);
        assert_eq!(next(&record, start, false, at(1000)), wait(2));
        assert_eq!(next(&record, start, false, at(1002)), Step::Check);
    }

    #[test]
    fn a_restart_keeps_the_due_time() {
        let mut record = Record::new(at(1000), "");
        record.due = Some(moment(1000 + DAY));
        let start = Duration::from_secs(1002);
        assert_eq!(next(&record, start, false, at(1500)), wait(DAY - 500));
        assert_eq!(next(&record, start, false, at(1000 + DAY)), Step::Check);
        let restarted = Duration::from_secs(2 * DAY + 10);
        assert_eq!(next(&record, restarted, false, at(2 * DAY)), wait(10));
    }

    #[test]
    fn three_days_of_suspend_are_one_check() {
        let mut record = Record::new(at(0), "");
        record.due = Some(moment(DAY));
        let resumed = at(4 * DAY);
        assert_eq!(next(&record, Duration::ZERO, false, resumed), Step::Check);
        record.due = Some(moment(5 * DAY));
        assert_eq!(next(&record, Duration::ZERO, false, resumed), wait(DAY));
    }

    #[test]
    fn a_known_update_is_repeated_daily() {
        let mut record = Record::new(at(0), "");
        record.due = Some(moment(3 * DAY));
        assert_eq!(next(&record, Duration::ZERO, true, at(5)), Step::Remind);
        record.reminded = Some(moment(5));
        assert_eq!(next(&record, Duration::ZERO, true, at(6)), wait(DAY - 1));
        assert_eq!(
            next(&record, Duration::ZERO, true, at(5 + DAY)),
            Step::Remind
        );
        assert_eq!(
            next(&record, Duration::ZERO, false, at(5 + DAY)),
            wait(2 * DAY - 5)
        );
    }

    #[test]
    fn a_long_silence_is_one_warning() {
        let mut record = Record::new(at(0), "");
        record.due = Some(moment(20 * DAY));
        assert_eq!(
            next(&record, Duration::ZERO, false, at(7 * DAY)),
            wait(13 * DAY)
        );
        record.last = Some(Last {
            at: moment(DAY),
            code: Some(-8),
            message: None,
            ending: Ending::Failed(Retry::Unanswered),
        });
        assert_eq!(
            next(&record, Duration::ZERO, false, at(7 * DAY - 1)),
            wait(1)
        );
        assert_eq!(
            next(&record, Duration::ZERO, false, at(7 * DAY)),
            Step::WarnOfSilence
        );
        record.silence_warned = true;
        assert_eq!(
            next(&record, Duration::ZERO, false, at(7 * DAY)),
            wait(13 * DAY)
        );
    }

    #[test]
    fn candidates_look_soon_and_then_after_the_owners_next_step() {
        let seconds = |step, tries| candidate_wait(step, tries, &|n| n).as_secs();
        let later = wait(DAY);
        assert_eq!(
            [0, 1, 2, 3, 4].map(|tries| seconds(later, tries)),
            [1, 5, 30, 60, DAY + 60]
        );
        assert_eq!(seconds(Step::Check, 0), 1);
        assert_eq!(seconds(Step::Check, 9), 60);
    }
}
