//! Version numbers: dotted numbers, tolerant of what distributions append to them. By hand, because version crates either
//! insist on three numbers or let pass what a bound must not have.

use std::cmp::Ordering;

/// What runs, or the bound of a range.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    numbers: Vec<u64>,
    stage: Stage,
}

/// What stands behind the numbers, as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `-rc.2`: the words in the order in which they come, and their number.
    Pre(usize, u64),
    Release,
}

const STAGES: [&str; 7] = ["dev", "snapshot", "alpha", "beta", "preview", "pre", "rc"];

impl Version {
    /// Of what runs. Text behind the numbers (`-1+deb12u1`) is ignored, except that a pre-release (`6.0.0.rc1`,
    /// `6.0.0-beta.2`) comes before its release.
    pub fn lenient(text: &str) -> Version {
        let text = text.trim().trim_start_matches(['v', 'V']);
        Version::read(text).0
    }

    /// Of a bound, which must be understood to its last character. The error is the place of the first that is not, in bytes.
    pub fn strict(text: &str) -> Result<Version, usize> {
        let (version, rest) = Version::read(text);
        let fits = text.starts_with(|first: char| first.is_ascii_digit())
            && version.numbers.iter().all(|number| *number < u64::MAX);
        match (fits, rest) {
            (true, "") => Ok(version),
            (true, rest) => Err(text.len() - rest.len()),
            (false, _) => Err(0),
        }
    }

    /// Whether there is anything to compare.
    pub fn has_numbers(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// And what it has not read.
    fn read(text: &str) -> (Version, &str) {
        let mut numbers = Vec::new();
        let mut rest = text;
        while let Some((number, behind)) = number(rest) {
            numbers.push(number);
            rest = behind;
            match behind.strip_prefix('.') {
                Some(next) if number_begins(next) => rest = next,
                _ => break,
            }
        }
        let (stage, rest) = stage(rest).unwrap_or((Stage::Release, rest));
        (Version { numbers, stage }, rest)
    }
}

/// Compares number by number; missing ones count as 0.
pub(crate) fn compare(left: &Version, right: &Version) -> Ordering {
    let length = left.numbers.len().max(right.numbers.len());
    let number = |version: &Version, index: usize| version.numbers.get(index).copied().unwrap_or(0);
    (0..length)
        .map(|index| number(left, index).cmp(&number(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| left.stage.cmp(&right.stage))
}

fn number_begins(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

fn number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, behind) = text.split_at(end);
    // Digits only, so the one possible failure is a number too large.
    (!digits.is_empty()).then(|| (digits.parse().unwrap_or(u64::MAX), behind))
}

/// `-rc.2`: a separator or none, a word of [`STAGES`], a separator or none, a number or none.
fn stage(text: &str) -> Option<(Stage, &str)> {
    let separators = ['.', '-', '~', '_'];
    let words = text.strip_prefix(separators).unwrap_or(text);
    let is_first = |word: &str| {
        words
            .get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let position = STAGES.iter().position(|word| is_first(word))?;
    let behind = &words[STAGES[position].len()..];
    let (count, behind) =
        number(behind.strip_prefix(separators).unwrap_or(behind)).unwrap_or((0, behind));
    Some((Stage::Pre(position, count), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(left: &str, right: &str) -> Ordering {
        compare(&Version::lenient(left), &Version::lenient(right))
    }

    #[test]
    fn versions_sort_by_number() {
        let sorted = [
            "5.9",
            "6.0.0-dev",
            "6.0.0~alpha3",
            "6.0.0-beta.1",
            "6.0.0-beta.2",
            "6.0.0.rc",
            "6.0.0.rc1",
            "6.0.0-RC2",
            "6.0",
            "6.0.2",
            "6.0.10",
            "6.1",
            "6.1.99999999999999999999",
        ];
        for pair in sorted.windows(2) {
            assert!(order(pair[0], pair[1]).is_lt(), "{pair:?}");
        }
    }

    #[test]
    fn missing_numbers_and_suffixes_do_not_count() {
        for same in [
            "6.0.18",
            "v6.0.18",
            "6.0.18.0",
            "6.0.18-1+deb12u1",
            " 6.0.18~bookworm1",
        ] {
            assert!(order(same, "6.0.18").is_eq(), "{same}");
        }
        assert!(order("6.0.0-rc1-1+deb12u1", "6.0.0.rc.1").is_eq());
        assert!(!Version::lenient("master").has_numbers());
    }

    #[test]
    fn a_bound_is_understood_to_its_last_character() {
        for good in ["6", "6.0.18", "6.0.0.rc1", "6.0.0-beta.2", "6.0.0~RC", "0"] {
            assert!(Version::strict(good).is_ok(), "{good}");
        }
        for (bad, place) in [
            ("", 0),
            ("v6", 0),
            ("all", 0),
            ("99999999999999999999", 0),
            ("6.", 1),
            ("6..1", 1),
            ("6.x", 1),
            ("6.0.18-1", 6),
            ("6.0.18+deb12u1", 6),
            ("6.0.0-rc1x", 9),
            ("6.0.0-rc-", 8),
            ("6.0.0é", 5),
        ] {
            assert_eq!(Version::strict(bad).err(), Some(place), "{bad}");
        }
    }
}
