//! When the next check is due (docs/protocol.md, When the next check is due), as one saturating function.

use crate::error::Retry;
use crate::state::record::Completion;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
/// Bounds of the wait after an authentic answer.
const SHORTEST: u64 = 12 * HOUR;
const LONGEST: u64 = 7 * 24 * HOUR;
/// The shortest wait that a `Retry-After` can ask for.
const SHORTEST_RETRY_AFTER: u64 = 10 * MINUTE;
/// Waits after the first, second and third error in a row that no server answered; then the interval.
const UNANSWERED: [u64; 3] = [10 * MINUTE, HOUR, 6 * HOUR];

/// Seconds until the next check. `unanswered`: failures in a row that no server answered, this one included.
/// `random(n)` gives a number from 0 to n.
pub fn until_next_check(
    completion: Completion,
    interval: u64,
    unanswered: u32,
    random: &dyn Fn(u64) -> u64,
) -> u64 {
    match completion {
        Completion::Authentic { backoff_minutes } => {
            let wait = interval
                .saturating_add_signed(backoff_minutes.saturating_mul(60))
                .clamp(SHORTEST, LONGEST);
            let tenth = wait / 10;
            wait.saturating_sub(tenth)
                .saturating_add(random(tenth.saturating_mul(2)))
                .clamp(SHORTEST, LONGEST)
        }
        // Nothing unauthenticated makes a check come sooner, so jitter only adds.
        Completion::Failed(Retry::Unanswered) => {
            let nth = usize::try_from(unanswered)
                .unwrap_or(usize::MAX)
                .saturating_sub(1);
            later(UNANSWERED.get(nth).copied().unwrap_or(interval), random)
        }
        Completion::Failed(Retry::After(seconds)) => {
            later(seconds.clamp(SHORTEST_RETRY_AFTER, LONGEST), random).min(LONGEST)
        }
        Completion::Failed(Retry::Clock | Retry::Interval) => later(interval, random),
    }
}

fn later(wait: u64, random: &dyn Fn(u64) -> u64) -> u64 {
    wait.saturating_add(random(wait / 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * HOUR;

    fn bounds(completion: Completion, interval: u64, unanswered: u32) -> (u64, u64) {
        (
            until_next_check(completion, interval, unanswered, &|_| 0),
            until_next_check(completion, interval, unanswered, &|highest| highest),
        )
    }

    #[test]
    fn authentic_answers() {
        let table: [(i64, u64, u64, u64); 22] = [
            // backoff in minutes, interval, earliest, latest
            (0, DAY, 77_760, 95_040),
            (60, DAY, 81_000, 99_000),
            (-60, DAY, 74_520, 91_080),
            (-720, DAY, SHORTEST, 47_520),
            (-1440, DAY, SHORTEST, 47_520),
            (-1441, DAY, SHORTEST, 47_520),
            (-2000, DAY, SHORTEST, 47_520),
            (1440, DAY, 155_520, 190_080),
            (8_640, DAY, 544_320, LONGEST),
            (35_791_395, DAY, 544_320, LONGEST),
            (1_000_000_000, DAY, 544_320, LONGEST),
            (i64::from(i32::MAX), DAY, 544_320, LONGEST),
            (i64::from(i32::MIN) + 1, DAY, SHORTEST, 47_520),
            (i64::from(i32::MIN), DAY, SHORTEST, 47_520),
            (71_582_788, DAY, 544_320, LONGEST),
            (i64::MAX, DAY, 544_320, LONGEST),
            (i64::MIN, DAY, SHORTEST, 47_520),
            (i64::MAX / 60 + 1, DAY, 544_320, LONGEST),
            (0, SHORTEST, SHORTEST, 47_520),
            (0, LONGEST, 544_320, LONGEST),
            (i64::MIN, LONGEST, SHORTEST, 47_520),
            (i64::MAX, SHORTEST, 544_320, LONGEST),
        ];
        for (backoff_minutes, interval, earliest, latest) in table {
            assert_eq!(
                bounds(Completion::Authentic { backoff_minutes }, interval, 0),
                (earliest, latest),
                "backoff {backoff_minutes}, interval {interval}"
            );
        }
    }

    #[test]
    fn failures() {
        let unanswered = Completion::Failed(Retry::Unanswered);
        let after = |seconds| Completion::Failed(Retry::After(seconds));
        let table = [
            (unanswered, 1, 600, 660),
            (unanswered, 2, 3_600, 3_960),
            (unanswered, 3, 21_600, 23_760),
            (unanswered, 4, DAY, 95_040),
            (unanswered, u32::MAX, DAY, 95_040),
            (after(0), 0, 600, 660),
            (after(600), 0, 600, 660),
            (after(3_600), 0, 3_600, 3_960),
            (after(LONGEST), 0, LONGEST, LONGEST),
            (after(u64::MAX), 0, LONGEST, LONGEST),
            (Completion::Failed(Retry::Interval), 0, DAY, 95_040),
            (Completion::Failed(Retry::Interval), 9, DAY, 95_040),
        ];
        for (completion, count, earliest, latest) in table {
            assert_eq!(
                bounds(completion, DAY, count),
                (earliest, latest),
                "{completion:?} {count}"
            );
        }
    }

    #[test]
    fn any_backoff_stays_within_the_bounds() {
        for exponent in 0..63 {
            for offset in -1..=1_i64 {
                for sign in [-1, 1] {
                    let backoff_minutes = sign * ((1_i64 << exponent).saturating_add(offset));
                    for interval in [SHORTEST, DAY, LONGEST] {
                        let (low, high) =
                            bounds(Completion::Authentic { backoff_minutes }, interval, 0);
                        assert!(SHORTEST <= low && low <= high && high <= LONGEST);
                    }
                }
            }
        }
    }
}
