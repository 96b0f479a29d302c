//! Text that leaves psc: printable, on one line, bounded.

/// The longest log record in bytes: nginx cuts its own lines at 2048, prefix included.
pub const LONGEST_RECORD: usize = 1900;

const CUT: &str = " [cut]";

/// Replaces whatever is not printable (controls, bidirectional marks, line separators) by an escape. Combining characters
/// stay, since whole scripts are written with them, but not in front, where they would change the text before them.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => out.push(character),
            mark if !out.is_empty() && is_printable_inside(mark) => out.push(mark),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}

/// [`str::escape_debug`] escapes combining characters at the beginning only, [`char::escape_debug`] always.
fn is_printable_inside(character: char) -> bool {
    let inside = format!("a{character}");
    !character.is_ascii() && inside.escape_debug().eq(inside.chars())
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

/// A log record out of any text.
pub fn record(text: &str) -> String {
    cut(&printable(text), LONGEST_RECORD)
}

/// Foreign text for use inside a sentence: printable and short.
pub fn quoted(text: &str) -> String {
    cut(&printable(text), 200)
}

/// A span for people: "23 h 59 min", "10 min", "45 s".
pub fn span(seconds: u64) -> String {
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
            "❤\u{fe0f}",
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
        assert_eq!(span(45), "45 s");
        assert_eq!(span(600), "10 min");
        assert_eq!(span(86_400), "24 h");
        assert_eq!(span(86_399), "23 h 59 min");
    }
}
