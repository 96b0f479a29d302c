//! Text that leaves psc: printable, on one line, bounded.

mod char_class;

use char_class::CharClass;

/// The longest log line in bytes: nginx cuts its own lines at 2048, prefix included.
pub const MAX_LOG_LINE: usize = 1900;

/// Marks that may follow one character: the scripts that are in use stack no more, and more of them would smear the lines
/// above and below.
const MAX_MARKS: usize = 4;

/// What monitoring greps for (docs/log-messages.md) and only psc may say, in lower case.
const PHRASES: [&str; 8] = [
    "no update found",
    "security update is available",
    "additional security update check information",
    "security update check failed",
    "strongly recommend upgrading",
    "forged signature",
    "replay attack",
    "security support for",
];

const CUT: &str = " [cut]";

/// Replaces by an escape whatever is not printable (controls, bidirectional marks, line separators), cannot be seen, or
/// strikes through what stands beside it. Combining characters stay, since whole scripts are written with them, but not in
/// front, where they would change the text before them, nor in heaps.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0_usize;
    for character in text.chars() {
        match char_class::of(character) {
            CharClass::Plain => {
                out.push(character);
                marks = 0;
            }
            CharClass::Mark if marks < MAX_MARKS && !out.is_empty() => {
                out.push(character);
                marks = marks.saturating_add(1);
            }
            CharClass::Mark | CharClass::Deceptive => push_escape(&mut out, character),
        }
    }
    out
}

fn push_escape(out: &mut String, character: char) {
    if character.is_control() {
        out.extend(character.escape_debug()); // \n, \t
    } else {
        out.extend(character.escape_unicode());
    }
}

/// At most `limit` bytes of `text`, cut between characters and marked as cut.
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    for character in text.chars() {
        let needed = out
            .len()
            .saturating_add(character.len_utf8())
            .saturating_add(CUT.len());
        if needed > limit {
            break;
        }
        out.push(character);
    }
    out.push_str(CUT);
    out
}

/// A log line out of any text.
pub fn log_line(text: &str) -> String {
    cut(&printable(text), MAX_LOG_LINE)
}

/// What others have written (a server, a certificate, libcurl about either), for use in a log line: printable, and none of
/// psc's own phrases: `no\u{20}update found`.
pub fn untrusted(text: &str) -> String {
    let mut out = printable(text);
    let lower = out.to_ascii_lowercase();
    let blanks = PHRASES.iter().flat_map(|phrase| {
        let first_blank = phrase.find(' ').unwrap_or(0);
        let found = lower.match_indices(phrase);
        found.map(move |(at, _)| at.saturating_add(first_blank))
    });
    let mut blanks: Vec<usize> = blanks.collect();
    blanks.sort_unstable();
    blanks.dedup();
    // From the end, so that the places before stay what they are.
    for blank in blanks.into_iter().rev() {
        out.replace_range(blank..=blank, "\\u{20}");
    }
    out
}

/// Untrusted text for use inside a sentence: as [`untrusted`], and short.
pub fn quoted(text: &str) -> String {
    cut(&untrusted(text), 200)
}

/// As [`duration`], of a past that a wrong clock may have made longer than anybody believes.
pub fn capped_duration(seconds: u64) -> String {
    const YEAR: u64 = 366 * 24 * 3600;
    if seconds > YEAR {
        return "more than a year".to_owned();
    }
    duration(seconds)
}

/// A span for people: "23 h 59 min", "10 min", "45 s".
pub fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, (seconds % 3600) / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        (_, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unprintable_is_left() {
        let text = printable("a\n\u{1b}[31m\u{202e}\u{9b}\u{0}b \u{2028}%n%s \"q\" é");
        assert_eq!(
            text,
            "a\\n\\u{1b}[31m\\u{202e}\\u{9b}\\0b \\u{2028}%n%s \"q\" é"
        );
    }

    #[test]
    fn letters_with_marks_stay_as_they_are() {
        for text in [
            "Cafe\u{301}",
            "सुरक्षा अद्यतन",
            "ความปลอดภัย",
            "שָׁלוֹם",
            "བསྒྲུབས",
            "❤",
        ] {
            assert_eq!(printable(text), text);
        }
        assert_eq!(printable("\u{301}a"), "\\u{301}a");
        let invisible = "a\u{200d}\u{200e}\u{ad}\u{feff}\u{2029}\u{e0041}\u{e000}\u{378}";
        assert_eq!(
            printable(invisible),
            "a\\u{200d}\\u{200e}\\u{ad}\\u{feff}\\u{2029}\\u{e0041}\\u{e000}\\u{378}"
        );
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        for hidden in [
            0x0020_u32, 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b, 0x180f, 0x200b, 0x2060,
            0x2065, 0x2800, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff0, 0xfffc, 0x13441,
            0x16fe4, 0x1d159, 0xe0001, 0xe0100, 0xe01ef, 0xe0fff, 0xa0, 0x1680, 0x2003, 0x202f,
            0x205f, 0x3000,
        ] {
            let hidden = char::from_u32(hidden).unwrap();
            let shown = printable(&format!("a{hidden}b"));
            // The one blank that is what it looks like.
            let expected = match hidden {
                ' ' => "a b".to_owned(),
                other => format!("a{}b", other.escape_unicode()),
            };
            assert_eq!(shown, expected);
        }
        assert_eq!(printable("❤\u{fe0f}"), "❤\\u{fe0f}");
    }

    #[test]
    fn nothing_is_struck_through_or_buried() {
        for over in [
            '\u{334}',
            '\u{336}',
            '\u{338}',
            '\u{488}',
            '\u{1cd4}',
            '\u{1ce2}',
            '\u{20d2}',
            '\u{20d8}',
            '\u{20dd}',
            '\u{20e0}',
            '\u{20e5}',
            '\u{20e6}',
            '\u{20eb}',
            '\u{a670}',
            '\u{1d167}',
        ] {
            let shown = printable(&format!("6{over}.0"));
            assert_eq!(shown, format!("6{}.0", over.escape_unicode()));
        }
        let heap = printable(&format!("a{}b\u{301}", "\u{301}".repeat(6)));
        let expected = "a\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}b\u{301}";
        assert_eq!(heap, expected);
        assert_eq!(printable(&heap), heap, "a second time nothing changes");
    }

    #[test]
    fn psc_alone_says_its_phrases() {
        assert_eq!(
            untrusted("CN=No Update Found, no update found; é no update found"),
            "CN=No\\u{20}Update Found, no\\u{20}update found; é no\\u{20}update found"
        );
        for phrase in PHRASES {
            let shown = untrusted(&format!("x{phrase}\u{336}, {}", phrase.to_uppercase()));
            assert!(!shown.to_ascii_lowercase().contains(phrase), "{shown}");
            assert!(phrase.contains(' '), "{phrase}");
            assert!(!log_line(&shown).to_ascii_lowercase().contains(phrase));
            assert!(!quoted(&shown).to_ascii_lowercase().contains(phrase));
        }
        let other = "no update was found: SSL certificate problem";
        assert_eq!(untrusted(other), other);
    }

    #[test]
    fn cut_keeps_whole_characters_and_the_limit() {
        let long = "é".repeat(1000);
        for limit in [10, 11, 200] {
            let short = cut(&long, limit);
            assert!(short.len() <= limit && short.ends_with(CUT));
        }
        assert_eq!(cut("short", 10), "short");
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(duration(45), "45 s");
        assert_eq!(duration(600), "10 min");
        assert_eq!(duration(86_400), "24 h");
        assert_eq!(duration(86_399), "23 h 59 min");
    }
}
