//! Version numbers: dotted numbers, tolerant of what distributions append to them.

use std::cmp::Ordering;

/// Compares two versions. Missing numbers count as 0, text behind the numbers (`-1+deb12u1`) is
/// ignored, except that a pre-release (`6.0.0.rc1`, `6.0.0-beta.2`) comes before its release.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, left_release) = parse(left);
    let (right, right_release) = parse(right);
    let length = left.len().max(right.len());
    let number = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
    (0..length)
        .map(|index| number(&left, index).cmp(&number(&right, index)))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| left_release.cmp(&right_release))
}

/// The leading numbers, and whether this is a release (`false` sorts first).
fn parse(text: &str) -> (Vec<u64>, bool) {
    let mut rest = text.trim().trim_start_matches(['v', 'V']);
    let mut numbers = Vec::new();
    loop {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, tail) = rest.split_at(end);
        if digits.is_empty() {
            break;
        }
        // Digits only, so the one possible failure is a number too large.
        numbers.push(digits.parse().unwrap_or(u64::MAX));
        rest = tail;
        match tail.strip_prefix('.') {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => rest = next,
            _ => break,
        }
    }
    let suffix = rest
        .trim_start_matches(['.', '-', '~', '_'])
        .to_ascii_lowercase();
    let prerelease = ["alpha", "beta", "pre", "rc"];
    (
        numbers,
        !prerelease.iter().any(|word| suffix.starts_with(word)),
    )
}

/// Whether `range` is one that [`matches`] understands.
pub(crate) fn is_range(range: &str) -> bool {
    range.split(',').all(|condition| {
        let (_, version) = split(condition);
        version.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Conditions joined by commas, all of which must hold: `>=6.0.0,<6.0.18`.
pub(crate) fn matches(range: &str, version: &str) -> bool {
    range.split(',').all(|condition| {
        let (operator, bound) = split(condition);
        let order = compare(version, bound);
        match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => order.is_eq(),
        }
    })
}

fn split(condition: &str) -> (&str, &str) {
    let condition = condition.trim();
    for operator in ["<=", ">=", "<", ">", "="] {
        if let Some(version) = condition.strip_prefix(operator) {
            return (operator, version.trim());
        }
    }
    ("=", condition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_number() {
        let sorted = [
            "",
            "5.9",
            "6.0.0.rc1",
            "6.0",
            "6.0.2",
            "6.0.10",
            "6.1",
            "6.1.99999999999999999999",
        ];
        for pair in sorted.windows(2) {
            assert!(compare(pair[0], pair[1]).is_lt(), "{pair:?}");
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
            assert!(compare(same, "6.0.18").is_eq(), "{same}");
        }
    }

    #[test]
    fn ranges() {
        assert!(matches("<6.0.18", "6.0.17"));
        assert!(!matches("<6.0.18", "6.0.18"));
        assert!(matches(">=6.0.0, <6.0.18", "6.0.0"));
        assert!(!matches(">=6.0.0,<6.0.18", "5.3.7"));
        assert!(matches("<=6.0.18", "6.0.18"));
        assert!(matches("=6.0.1", "6.0.1") && matches("6.0.1", "6.0.1"));
        assert!(!matches(">6.0.1", "6.0.1"));
        assert!(is_range(">=6.0.0,<6.0.18") && !is_range("") && !is_range("<") && !is_range("all"));
    }
}
