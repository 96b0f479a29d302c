//! Which versions an advisory concerns: `>=6.0.0,<6.0.18 || >=5.0.0,<5.3.7`.
//!
//! A range that is read other than it was meant gives a signed "no update" to those whom it was meant for. So it is
//! understood to its last character, or refused.

use crate::version::{Version, compare};
use std::fmt;

/// Alternatives, one of which has to hold.
#[derive(Clone, Debug)]
pub(crate) struct Range(Vec<Alternative>);

/// Conditions, all of which have to hold.
#[derive(Clone, Debug)]
struct Alternative(Vec<Condition>);

#[derive(Clone, Debug)]
struct Condition {
    operator: Operator,
    bound: Version,
    /// As it was written, for what is told to clients.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

const OPERATORS: [(&str, Operator); 5] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
];

impl Operator {
    fn bounds_below(self) -> bool {
        matches!(
            self,
            Operator::Greater | Operator::GreaterOrEqual | Operator::Equal
        )
    }

    fn bounds_above(self) -> bool {
        matches!(
            self,
            Operator::Less | Operator::LessOrEqual | Operator::Equal
        )
    }

    fn includes_bound(self) -> bool {
        matches!(
            self,
            Operator::LessOrEqual | Operator::GreaterOrEqual | Operator::Equal
        )
    }
}

impl Range {
    /// The error names the first character that is not understood, or the part that nothing can be in.
    pub fn parse(text: &str) -> Result<Range, String> {
        let mut alternatives = Vec::new();
        let mut place = 0;
        for part in text.split("||") {
            let alternative = Alternative::parse(part).map_err(|wrong| match wrong {
                Wrong::At(inside) => not_understood(text, place + inside),
                Wrong::Empty => format!("no version can be in {:?}", part.trim()),
            })?;
            alternatives.push(alternative);
            place += part.len() + "||".len();
        }
        Ok(Range(alternatives))
    }

    /// What runs is concerned as well when it has no numbers to compare (`master`): better one warning too many.
    pub fn contains(&self, running: &str) -> bool {
        let running = Version::lenient(running);
        !running.has_numbers()
            || self
                .0
                .iter()
                .any(|alternative| alternative.contains(&running))
    }
}

/// Why an alternative is refused.
enum Wrong {
    /// The place of a character, in bytes.
    At(usize),
    Empty,
}

impl Alternative {
    fn parse(text: &str) -> Result<Alternative, Wrong> {
        let mut conditions = Vec::new();
        let mut place = 0;
        for part in text.split(',') {
            let condition = Condition::parse(part).map_err(|inside| Wrong::At(place + inside))?;
            conditions.push(condition);
            place += part.len() + ",".len();
        }
        let alternative = Alternative(conditions);
        if alternative.is_possible() {
            Ok(alternative)
        } else {
            Err(Wrong::Empty)
        }
    }

    fn contains(&self, running: &Version) -> bool {
        self.0.iter().all(|condition| condition.holds(running))
    }

    /// Whether each lower bound lies below each upper one.
    fn is_possible(&self) -> bool {
        let below = self
            .0
            .iter()
            .filter(|condition| condition.operator.bounds_below());
        below.clone().all(|lower| {
            let mut above = self
                .0
                .iter()
                .filter(|condition| condition.operator.bounds_above());
            above.all(|upper| {
                let order = compare(&lower.bound, &upper.bound);
                let both = lower.operator.includes_bound() && upper.operator.includes_bound();
                order.is_lt() || order.is_eq() && both
            })
        })
    }
}

impl Condition {
    /// The error is the place of the character that is not understood.
    fn parse(text: &str) -> Result<Condition, usize> {
        let blanks = |text: &str| text.len() - text.trim_start_matches(' ').len();
        let start = blanks(text);
        let written = text.trim_matches(' ');
        let found = OPERATORS.iter().find(|(sign, _)| written.starts_with(sign));
        let (sign, operator) = *found.unwrap_or(&("", Operator::Equal));
        let behind = &written[sign.len()..];
        let version = start + sign.len() + blanks(behind);
        let bound =
            Version::strict(behind.trim_start_matches(' ')).map_err(|inside| version + inside)?;
        Ok(Condition {
            operator,
            bound,
            text: format!("{sign}{}", behind.trim_start_matches(' ')),
        })
    }

    fn holds(&self, running: &Version) -> bool {
        let order = compare(running, &self.bound);
        match self.operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            Operator::GreaterOrEqual => order.is_ge(),
            Operator::Equal => order.is_eq(),
        }
    }
}

fn not_understood(text: &str, place: usize) -> String {
    let found = match text.get(place..).and_then(|rest| rest.chars().next()) {
        Some(character) => format!("{character:?}"),
        None => "the end".to_owned(),
    };
    let number = text.get(..place).map_or(0, |before| before.chars().count()) + 1;
    format!(
        "not understood at character {number} ({found}) of {text:?}: conditions such as \">=6.0.0,<6.0.18\" are joined by commas, and alternatives by ||"
    )
}

/// As it is read again.
impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |alternative: &Alternative| {
            let conditions = alternative
                .0
                .iter()
                .map(|condition| condition.text.as_str());
            conditions.collect::<Vec<_>>().join(",")
        };
        let alternatives: Vec<String> = self.0.iter().map(joined).collect();
        formatter.write_str(&alternatives.join(" || "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(range: &str, version: &str) -> bool {
        Range::parse(range).unwrap().contains(version)
    }

    #[test]
    fn conditions() {
        assert!(matches("<6.0.18", "6.0.17"));
        assert!(!matches("<6.0.18", "6.0.18"));
        assert!(matches(">=6.0.0, <6.0.18", "6.0.0"));
        assert!(!matches(">=6.0.0,<6.0.18", "5.3.7"));
        assert!(matches("<=6.0.18", "6.0.18"));
        assert!(matches("=6.0.1", "6.0.1") && matches("6.0.1", "6.0.1"));
        assert!(!matches(">6.0.1", "6.0.1"));
        assert!(matches("< 6.0.0-rc2", "6.0.0-rc1") && !matches("<6.0.0-rc2", "6.0.0-rc2"));
        assert!(matches("<6.0.18", "6.0.17-1+deb12u1"));
        assert!(matches(">=6.0.0,<6.0.18", "master"));
    }

    #[test]
    fn alternatives() {
        let range = ">=6.0.0,<6.0.18 || >=5.0.0,<5.3.7";
        for (version, inside) in [
            ("4.9", false),
            ("5.0.0", true),
            ("5.3.6", true),
            ("5.3.7", false),
            ("6.0.0", true),
            ("6.0.17", true),
            ("6.0.18", false),
        ] {
            assert_eq!(matches(range, version), inside, "{version}");
            assert_eq!(
                matches(&range.replace(' ', ""), version),
                inside,
                "{version}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (range, character) in [
            (">=6.0.0 <6.0.20", "8 (' ')"),
            ("<6.0.18 ||", "11 (the end)"),
            ("|| <6.0.18", "1 ('|')"),
            ("<6.0.18 | <5.3.7", "8 (' ')"),
            ("<6.0.18,", "9 (the end)"),
            ("<6.0.18,,>5", "9 (',')"),
            ("", "1 (the end)"),
            ("<", "2 (the end)"),
            ("all", "1 ('a')"),
            ("==6.0.1", "2 ('=')"),
            ("!=6.0.1", "1 ('!')"),
            ("~>6.0", "1 ('~')"),
            ("^6.0", "1 ('^')"),
            ("<6.0.x", "5 ('.')"),
            ("<6.0.*", "5 ('.')"),
            ("5.0.0 - 5.3.7", "6 (' ')"),
            ("<6.0.18-1", "8 ('-')"),
            ("<6.0.18;>5", "8 (';')"),
            ("<6.0.18\t", "8 ('\\t')"),
            ("<6.0.18 and >5", "8 (' ')"),
            ("≤6.0.18", "1 ('≤')"),
            ("<6.0.18 || <5,é", "15 ('é')"),
        ] {
            let error = Range::parse(range).unwrap_err();
            let expected = format!("at character {character} of");
            assert!(error.contains(&expected), "{range}: {error}");
        }
    }

    #[test]
    fn what_nothing_can_be_in_is_refused() {
        for range in [
            "<5.3.7,>=6.0.0",
            "<6.0.18 || >6,<6",
            "=6.0.1,=6.0.2",
            ">6.0.1,<=6.0.1",
            "=6,<6",
        ] {
            let error = Range::parse(range).unwrap_err();
            assert!(error.contains("no version can be in"), "{range}: {error}");
        }
        for range in [">=6,<=6", "=6,=6.0", ">6.0.0-rc1,<6", "<6,<5", ">5,>6"] {
            assert!(Range::parse(range).is_ok(), "{range}");
        }
    }

    /// Every range of two conditions in two alternatives over some bounds: it means what a comparison of tuples says, however
    /// it is spaced, and so does what is made of it for clients.
    #[test]
    fn ranges_mean_what_they_say() {
        let bounds = [(5, 0, 0), (5, 3, 7), (6, 0, 0), (6, 0, 18)];
        let versions = [
            (4, 9, 9),
            (5, 0, 0),
            (5, 3, 6),
            (5, 3, 7),
            (5, 9, 0),
            (6, 0, 0),
            (6, 0, 17),
            (6, 0, 18),
            (7, 0, 0),
        ];
        let written = |(a, b, c): (u64, u64, u64)| format!("{a}.{b}.{c}");
        type Holds = fn(&(u64, u64, u64), &(u64, u64, u64)) -> bool;
        let signs: [(&str, Holds); 6] = [
            ("<", |v, b| v < b),
            ("<=", |v, b| v <= b),
            (">", |v, b| v > b),
            (">=", |v, b| v >= b),
            ("=", |v, b| v == b),
            ("", |v, b| v == b),
        ];
        let conditions: Vec<(&str, Holds, (u64, u64, u64))> = signs
            .iter()
            .flat_map(|(sign, holds)| bounds.map(|bound| (*sign, *holds, bound)))
            .collect();
        let mut understood = 0;
        for (index, one) in conditions.iter().enumerate() {
            for other in &conditions {
                let third = conditions[(index * 7 + 3) % conditions.len()];
                let text = |condition: &(&str, Holds, (u64, u64, u64)), blank: &str| {
                    format!("{}{blank}{}", condition.0, written(condition.2))
                };
                let ranges = ["", " ", "  "].map(|blank| {
                    format!(
                        "{blank}{}{blank},{blank}{}{blank}||{blank}{}{blank}",
                        text(one, blank),
                        text(other, blank),
                        text(&third, blank)
                    )
                });
                let means = |version: &(u64, u64, u64)| {
                    one.1(version, &one.2) && other.1(version, &other.2)
                        || third.1(version, &third.2)
                };
                let [range, spaced, wide] = ranges.map(|range| Range::parse(&range));
                let Ok(range) = range else {
                    assert!(spaced.is_err() && wide.is_err());
                    continue;
                };
                understood += 1;
                let again = Range::parse(&range.to_string()).unwrap();
                assert_eq!(again.to_string(), range.to_string());
                for range in [&range, &spaced.unwrap(), &wide.unwrap(), &again] {
                    for version in &versions {
                        assert_eq!(
                            range.contains(&written(*version)),
                            means(version),
                            "{range}: {version:?}"
                        );
                    }
                }
            }
        }
        assert!(understood > 200, "{understood}");
    }

    /// A character more, less or another at any place: refused, or every character of it is in what was understood.
    #[test]
    fn nothing_is_passed_over() {
        let range = ">=6.0.0-rc1,<6.0.18 || >=5.0.0,<5.3.7";
        let without_blanks = |text: &str| text.replace(' ', "");
        for place in 0..=range.len() {
            for more in [
                "<", "=", "|", ",", " ", ".", "-", "v", "0", "x", "\t", "é", "||", "rc", "\u{0}",
            ] {
                let longer = format!("{}{more}{}", &range[..place], &range[place..]);
                let other = format!(
                    "{}{more}{}",
                    &range[..place],
                    range.get(place + 1..).unwrap_or("")
                );
                let shorter = format!(
                    "{}{}",
                    &range[..place],
                    range.get(place + 1..).unwrap_or("")
                );
                for text in [longer, other, shorter] {
                    if let Ok(understood) = Range::parse(&text) {
                        assert_eq!(
                            without_blanks(&understood.to_string()),
                            without_blanks(&text)
                        );
                    }
                }
            }
        }
    }
}
