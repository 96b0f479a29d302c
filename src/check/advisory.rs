//! The server's text as data. Real texts have a line per issue: `- [Fixed in 6.0.18] [CVE-2025-1234] what it is`.
//!
//! Parsing is tolerant: a line with a bullet or a tag starts an item, others continue the item before them, and a text
//! without any such line is one item.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    pub fixed_in: Option<String>,
    /// CVE and other identifiers.
    pub identifiers: Vec<String>,
    pub text: String,
}

const FIXED_IN: &str = "fixed in ";

pub fn parse(notice: &str) -> Vec<Advisory> {
    let mut advisories: Vec<Advisory> = Vec::new();
    for line in notice
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        match (item(line), advisories.last_mut()) {
            (Some(advisory), _) => advisories.push(advisory),
            (None, Some(last)) => {
                last.text.push('\n');
                last.text.push_str(line);
            }
            (None, None) => advisories.push(Advisory {
                fixed_in: None,
                identifiers: Vec::new(),
                text: line.to_owned(),
            }),
        }
    }
    advisories
}

const BULLETS: [char; 3] = ['-', '*', '•'];

/// `[- ][tag] [tag]… text`; a line with neither a bullet nor a tag is no item of its own.
fn item(line: &str) -> Option<Advisory> {
    let mut rest = line.trim_start_matches(BULLETS).trim_start();
    // With a blank: `-1` and `--help` are words. What such a line says must not be credited to the fix before it.
    let has_bullet = line
        .strip_prefix(BULLETS)
        .is_some_and(|after| after.starts_with(char::is_whitespace));
    let mut advisory = Advisory {
        fixed_in: None,
        identifiers: Vec::new(),
        text: String::new(),
    };
    let mut tags = 0_u32;
    while let Some((tag, after)) = rest
        .strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
    {
        let tag = tag.trim();
        match tag.split_at_checked(FIXED_IN.len()) {
            Some((start, version))
                if start.eq_ignore_ascii_case(FIXED_IN) && advisory.fixed_in.is_none() =>
            {
                advisory.fixed_in = Some(version.trim().to_owned());
            }
            _ => advisory.identifiers.extend(
                tag.split([',', ' '])
                    .filter(|identifier| !identifier.is_empty())
                    .map(str::to_owned),
            ),
        }
        tags = tags.saturating_add(1);
        rest = after.trim_start();
    }
    rest.clone_into(&mut advisory.text);
    (has_bullet || tags > 0).then_some(advisory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_texts_become_items() {
        let items = parse(
            "\n- [Fixed in 6.0.18] [CVE-2025-1234] One thing.\n  and more of it\n- [Fixed in 6.0.19] [CVE-1, CVE-2] Two.\n",
        );
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].fixed_in.as_deref(), Some("6.0.18"));
        assert_eq!(items[0].identifiers, ["CVE-2025-1234"]);
        assert_eq!(items[0].text, "One thing.\nand more of it");
        assert_eq!(items[1].identifiers, ["CVE-1", "CVE-2"]);
    }

    #[test]
    fn a_bullet_starts_an_item() {
        let items = parse("- [Fixed in 6.0.18] One.\n- Two,\n  and its end.\n* Three\n\t•\tFour\n");
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(texts, ["One.", "Two,\nand its end.", "Three", "Four"]);
        assert!(items[1..].iter().all(|item| item.fixed_in.is_none()));
        let words = parse("- [CVE-1] Call it with\n--help or\n-1, *now*\n-");
        assert_eq!(words.len(), 1);
        assert_eq!(words[0].text, "Call it with\n--help or\n-1, *now*\n-");
    }

    #[test]
    fn other_texts_are_one_item() {
        let items = parse("Please upgrade.\nSoon.");
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].text, "Please upgrade.\nSoon.");
        assert!(parse(" \n ").is_empty());
        assert_eq!(parse("[unclosed")[0].text, "[unclosed");
        assert_eq!(parse("- [é] x")[0].identifiers, ["é"]);
    }
}
