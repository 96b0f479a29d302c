//! The advisory list and what it says about a version.

use crate::error::Error;
use crate::range::Range;
use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) struct Advisories {
    pub latest: String,
    older_than_latest: Range,
    backoff: Option<i64>,
    entries: Vec<Advisory>,
}

#[derive(Clone, Debug)]
struct Advisory {
    affected: Range,
    fixed_in: String,
    identifiers: Vec<String>,
    text: String,
    severity: Option<String>,
    url: Option<String>,
}

/// What a client is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    /// The recommended version; `None`: no update.
    pub version: Option<String>,
    pub log: Option<String>,
    pub severity: Option<String>,
    pub url: Option<String>,
    pub affected: Option<String>,
    pub backoff: Option<i64>,
}

/// From bad to worst.
const SEVERITIES: [&str; 4] = ["low", "moderate", "high", "critical"];

impl Advisories {
    pub fn parse(json: &str) -> Result<Advisories, Error> {
        let list =
            crate::json::parse(json.as_bytes()).map_err(|cause| Error::at("not JSON", cause))?;
        no_other_keys(&list, &["latest", "backoff", "advisories"])?;
        let backoff = match list.get("backoff") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_i64()
                    .ok_or_else(|| Error::new("`backoff` must be an integer (minutes)"))?,
            ),
        };
        let entries = list
            .get("advisories")
            .and_then(Value::as_array)
            .ok_or_else(|| Error::new("`advisories` must be an array"))?;
        let latest = required(&list, "latest")?;
        Ok(Advisories {
            older_than_latest: Range::parse(&format!("<{latest}"))
                .map_err(|cause| Error::at("`latest`", cause))?,
            latest,
            backoff,
            entries: entries
                .iter()
                .enumerate()
                .map(|(index, entry)| {
                    Advisory::parse(entry)
                        .map_err(|cause| Error::at(format!("advisories[{index}]"), cause))
                })
                .collect::<Result<_, _>>()?,
        })
    }

    pub fn verdict(&self, running: &str) -> Verdict {
        let hits: Vec<&Advisory> = self
            .entries
            .iter()
            .filter(|entry| entry.affected.contains(running))
            .collect();
        if hits.is_empty() {
            self.no_update()
        } else {
            self.update_for(&hits)
        }
    }

    pub fn no_update(&self) -> Verdict {
        Verdict {
            backoff: self.backoff,
            ..Verdict::default()
        }
    }

    /// An update whatever runs: every advisory of the list applies.
    pub fn update(&self) -> Verdict {
        let made_up = Advisory {
            affected: self.older_than_latest.clone(),
            fixed_in: self.latest.clone(),
            identifiers: vec!["CVE-0000-0000".into()],
            text: "Made up by the reference server on request.".into(),
            severity: None,
            url: None,
        };
        let all: Vec<&Advisory> = self.entries.iter().collect();
        if all.is_empty() {
            self.update_for(&[&made_up])
        } else {
            self.update_for(&all)
        }
    }

    fn update_for(&self, hits: &[&Advisory]) -> Verdict {
        let lines: Vec<String> = hits.iter().map(|hit| hit.line()).collect();
        let ranges: Vec<String> = hits.iter().map(|hit| hit.affected.to_string()).collect();
        let worst = hits.iter().max_by_key(|hit| hit.rank());
        Verdict {
            version: Some(self.latest.clone()),
            log: Some(lines.join("\n")),
            severity: worst.and_then(|hit| hit.severity.clone()),
            url: worst.and_then(|hit| hit.url.clone()),
            affected: Some(ranges.join(" || ")),
            backoff: self.backoff,
        }
    }
}

impl Advisory {
    fn parse(entry: &Value) -> Result<Advisory, Error> {
        let keys = [
            "affected",
            "fixed_in",
            "identifiers",
            "text",
            "severity",
            "url",
        ];
        no_other_keys(entry, &keys)?;
        let fixed_in = required(entry, "fixed_in")?;
        let affected = optional(entry, "affected")?.unwrap_or_else(|| format!("<{fixed_in}"));
        let affected = Range::parse(&affected).map_err(|cause| Error::at("`affected`", cause))?;
        let identifiers = match entry.get("identifiers") {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => strings(value)
                .ok_or_else(|| Error::new("`identifiers` must be an array of strings"))?,
        };
        let severity = optional(entry, "severity")?;
        if let Some(unknown) = severity
            .as_deref()
            .filter(|text| !SEVERITIES.contains(text))
        {
            return Err(Error::new(format!(
                "`severity` must be one of {}, not {unknown:?}",
                SEVERITIES.join(", ")
            )));
        }
        Ok(Advisory {
            affected,
            fixed_in,
            identifiers,
            text: required(entry, "text")?,
            severity,
            url: optional(entry, "url")?,
        })
    }

    /// As the product's own service words it: one line, unless the text has several.
    fn line(&self) -> String {
        let mut line = format!("- [Fixed in {}]", self.fixed_in);
        for identifier in &self.identifiers {
            line.push_str(&format!(" [{identifier}]"));
        }
        line.push(' ');
        line.push_str(&self.text);
        line
    }

    /// Without a severity it is `None`, below all others.
    fn rank(&self) -> Option<usize> {
        let severity = self.severity.as_deref()?;
        SEVERITIES.iter().position(|level| *level == severity)
    }
}

/// A misspelt key would be an advisory that says less than it was meant to.
fn no_other_keys(value: &Value, known: &[&str]) -> Result<(), Error> {
    let Value::Object(object) = value else {
        return Err(Error::new("must be an object"));
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Error::new(format!("unknown key {key:?}"))),
        None => Ok(()),
    }
}

fn required(object: &Value, key: &str) -> Result<String, Error> {
    match optional(object, key)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Error::new(format!("`{key}` is required"))),
    }
}

fn optional(object: &Value, key: &str) -> Result<Option<String>, Error> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::new(format!("`{key}` must be a string"))),
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_list() {
        let list = Advisories::parse(include_str!("sample-advisories.json")).unwrap();
        let verdict = list.verdict("6.0.16");
        assert_eq!(verdict.version.as_deref(), Some("6.0.20"));
        assert_eq!(verdict.severity.as_deref(), Some("high"));
        assert_eq!(
            verdict.affected.as_deref(),
            Some("<6.0.18 || >=6.0.15,<6.0.20")
        );
        let log = verdict.log.unwrap();
        assert_eq!(log.lines().count(), 2);
        assert!(
            log.starts_with("- [Fixed in 6.0.18] [CVE-2025-1234] Sample: a crafted"),
            "{log}"
        );
        assert!(list.verdict("6.0.20").version.is_none());
        assert_eq!(list.verdict("6.0.10").log.unwrap().lines().count(), 1);
        assert_eq!(list.update().log.unwrap().lines().count(), 2);
    }

    #[test]
    fn affected_defaults_to_older_than_the_fix() {
        let list = Advisories::parse(
            r#"{"latest":"2.0","backoff":-60,"advisories":[{"fixed_in":"1.5","text":"x y"}]}"#,
        );
        let list = list.unwrap();
        assert_eq!(
            list.verdict("1.4").log.as_deref(),
            Some("- [Fixed in 1.5] x y")
        );
        assert!(list.verdict("1.5").version.is_none());
        assert_eq!(list.verdict("1.5").backoff, Some(-60));
    }

    /// What the server writes to clients it reads again, and it means the same.
    #[test]
    fn ranges_that_the_server_writes_are_read() {
        let told = |affected: &str, running: &str| {
            let list = format!(
                r#"{{"latest":"6.0.20","advisories":[{{"text":"x","fixed_in":"6.0.20","affected":{affected:?}}}]}}"#
            );
            let list = Advisories::parse(&list).unwrap();
            list.verdict(running).affected
        };
        let list = r#"{"latest":"6.0.20","advisories":[
            {"text":"x","fixed_in":"6.0.18","affected":">=6.0.0, <6.0.18 || >= 5.0.0,<5.3.7"},
            {"text":"y","fixed_in":"6.0.20"}]}"#;
        let list = Advisories::parse(list).unwrap();
        let written = list.verdict("5.3.6").affected.unwrap();
        assert_eq!(written, ">=6.0.0,<6.0.18 || >=5.0.0,<5.3.7 || <6.0.20");
        assert_eq!(told(&written, "5.3.6").as_deref(), Some(&*written));
        assert_eq!(told(&written, "6.0.20"), None);
        let one = ">=6.0.0,<6.0.18 || >=5.0.0,<5.3.7";
        assert_eq!(told(one, "5.3.6").as_deref(), Some(one));
        assert_eq!(told(one, "6.0.17").as_deref(), Some(one));
        assert_eq!(told(one, "5.3.7"), None);
    }

    #[test]
    fn the_worst_severity_counts() {
        let entry = |severity: &str| {
            format!(r#"{{"text":"x","fixed_in":"1","severity":{severity},"url":{severity}}}"#)
        };
        for (one, other) in [
            ("null", r#""low""#),
            (r#""low""#, r#""moderate""#),
            (r#""moderate""#, r#""high""#),
            (r#""high""#, r#""critical""#),
        ] {
            for pair in [[one, other], [other, one]] {
                let entries = pair.map(entry).join(",");
                let list = format!(r#"{{"latest":"1","advisories":[{entries}]}}"#);
                let verdict = Advisories::parse(&list).unwrap().update();
                let worst = other.trim_matches('"');
                assert_eq!(verdict.severity.as_deref(), Some(worst));
                assert_eq!(verdict.url.as_deref(), Some(worst));
            }
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (json, part) in [
            ("[", "not JSON"),
            ("{}", "advisories"),
            ("[]", "object"),
            (
                r#"{"latest":"1","latest":"2","advisories":[]}"#,
                "duplicate",
            ),
            (r#"{"latest":"1","advisories":[],"back_off":1}"#, "back_off"),
            (
                r#"{"latest":"1","advisories":["x"]}"#,
                "advisories[0]: must be",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1","serverity":"low"}]}"#,
                "serverity",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1","severity":"medium"}]}"#,
                "low, moderate, high, critical",
            ),
            (r#"{"advisories":[]}"#, "latest"),
            (r#"{"latest":"1","advisories":[],"backoff":"1"}"#, "backoff"),
            (
                r#"{"latest":"1","advisories":[{"text":"x"}]}"#,
                "advisories[0]: `fixed_in`",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1","affected":"old"}]}"#,
                "advisories[0]: `affected`: not understood at character 1 ('o')",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1","affected":">=6.0.0 <6.0.20"}]}"#,
                "advisories[0]: `affected`: not understood at character 8 (' ')",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1.x"}]}"#,
                "advisories[0]: `affected`: not understood at character 3 ('.') of \"<1.x\"",
            ),
            (
                r#"{"latest":"new","advisories":[]}"#,
                "`latest`: not understood",
            ),
            (
                r#"{"latest":"1","advisories":[{"text":"x","fixed_in":"1","severity":3}]}"#,
                "severity",
            ),
        ] {
            let error = Advisories::parse(json).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
