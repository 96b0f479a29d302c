//! The server's text as data. Real texts have a line per issue: `- [Fixed in 6.0.18] [CVE-2025-1234] what it is`.
//!
//! Parsing is tolerant and loses nothing: lines of another form continue the item before them, and a text without
//! any such line is one item.

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

/// `[- ][tag] [tag]… text`; a line without a leading tag is no item of its own.
fn item(line: &str) -> Option<Advisory> {
    let mut rest = line.trim_start_matches(['-', '*', '•']).trim_start();
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
    (tags > 0).then_some(advisory)
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
    fn other_texts_are_one_item() {
        let items = parse("Please upgrade.\nSoon.");
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].text, "Please upgrade.\nSoon.");
        assert!(parse(" \n ").is_empty());
        assert_eq!(parse("[unclosed")[0].text, "[unclosed");
        assert_eq!(parse("- [é] x")[0].identifiers, ["é"]);
    }
}
