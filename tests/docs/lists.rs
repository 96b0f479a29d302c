//! Keys, codes, functions, log phrases, JSON fields and directives: each list of a document is that of the library.

use crate::{code_spans, files, library, table, text_of};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The first column's code spans.
fn named_in(rows: &[Vec<String>]) -> BTreeSet<String> {
    rows.iter()
        .flat_map(|row| code_spans(&row[0]))
        .map(str::to_owned)
        .collect()
}

fn names(object: &Map<String, Value>) -> BTreeSet<String> {
    object.keys().cloned().collect()
}

/// `psc_inspect_config` tells these besides the keys.
const NO_KEYS: [&str; 2] = ["trust_store", "server_public_keys"];

fn keys() -> BTreeSet<String> {
    let mut keys = names(&library::default_configuration());
    for name in NO_KEYS {
        assert!(keys.remove(name), "{name}");
    }
    keys
}

#[test]
fn psc_inspect_config_has_every_key() {
    let source = text_of("src/config/settings.rs");
    let declared: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": &str = "))
        .map(|(_, value)| value.trim_matches(['"', ';']).to_owned())
        .collect();
    assert_eq!(declared, keys());
}

/// As docs/configuration.md writes a key's default.
fn default_of(key: &str, value: &Value, resources: &str) -> String {
    match value {
        Value::Null if ["passenger_version", "server_identifier"].contains(&key) => {
            "required".to_owned()
        }
        Value::String(text) => match text.strip_prefix(&format!("{resources}/")) {
            Some(name) => format!("`{name}` in `resources_dir`"),
            None => format!("`{text}`"),
        },
        other => other.to_string(),
    }
}

#[test]
fn the_configuration_page_has_every_key_with_its_default() {
    let configuration = library::default_configuration();
    let resources = configuration["resources_dir"].as_str().expect("a path");
    let rows = table("docs/configuration.md", "# Configuration");
    assert_eq!(named_in(&rows), keys());
    for row in rows {
        let key = row[0].trim_matches('`');
        let value = &configuration[key];
        assert_eq!(row[2], default_of(key, value, resources), "{key}");
        let kind = match value {
            Value::Bool(_) => "bool",
            Value::Number(_) => "integer",
            _ => "string",
        };
        assert_eq!(row[1], kind, "{key}");
    }
}

#[test]
fn the_status_page_has_every_field() {
    let rows = table("docs/status.md", "# psc_status");
    assert_eq!(named_in(&rows), names(&library::status()));
    let rows = table("docs/status.md", "# psc_preview_request");
    assert_eq!(named_in(&rows), names(&library::preview()));
}

/// The codes of the header: name and number.
fn codes() -> Vec<(String, i32)> {
    let header = text_of("include/psc.h");
    header
        .lines()
        .filter_map(|line| line.strip_prefix("#define PSC_")?.split_once(' '))
        .filter_map(|(name, number)| {
            let number = number.trim_matches(['(', ')']).parse().ok()?;
            Some((format!("PSC_{name}"), number))
        })
        .collect()
}

#[test]
fn every_code_of_the_header_has_a_sentence() {
    let codes = codes();
    assert!(codes.len() >= 19, "{codes:?}");
    for (name, number) in &codes {
        assert_ne!(library::sentence(*number), "Unknown code.", "{name}");
    }
    let numbers = codes.iter().map(|(_, number)| *number);
    for beyond in [numbers.clone().max(), numbers.min().map(|least| least - 2)] {
        let beyond = beyond.expect("a number") + 1;
        assert_eq!(library::sentence(beyond), "Unknown code.", "{beyond}");
    }
}

/// The comment above each code is what `psc_strerror` says.
#[test]
fn the_header_describes_each_code_as_the_library_does() {
    let header = text_of("include/psc.h");
    for (name, number) in codes() {
        let (before, _) = header
            .split_once(&format!("#define {name} "))
            .expect("the code");
        let (_, comment) = before.rsplit_once("/*").expect("a comment");
        let comment = comment.trim().trim_end_matches("*/").trim();
        let words: Vec<&str> = comment.split_whitespace().collect();
        assert_eq!(words.join(" "), library::sentence(number), "{name}");
    }
}

#[test]
fn the_schema_of_results_has_every_code() {
    let schema: Value = serde_json::from_str(&text_of("docs/result.schema.json")).expect("JSON");
    let properties = &schema["properties"];
    let names: Vec<String> = codes().into_iter().map(|(name, _)| name).collect();
    assert_eq!(properties["name"]["enum"], serde_json::json!(names));
    let numbers = || codes().into_iter().map(|(_, number)| number);
    assert_eq!(
        properties["code"]["minimum"].as_i64(),
        numbers().min().map(i64::from)
    );
    assert_eq!(
        properties["code"]["maximum"].as_i64(),
        numbers().max().map(i64::from)
    );
}

/// What a call comes to that made no check, or ended one: no line of the log has it for a reason.
const OF_CALLS: [&str; 7] = [
    "PSC_ERR_INVALID_ARGUMENT",
    "PSC_ERR_CONFIG",
    "PSC_ERR_STATE",
    "PSC_ERR_REENTRANT",
    "PSC_ERR_FORKED",
    "PSC_ERR_CANCELLED",
    "PSC_ERR_TIMEOUT",
];

#[test]
fn the_log_page_has_every_failure_of_a_check() {
    let rows = table("docs/log-messages.md", "## Reasons of failures");
    let listed = named_in(&rows);
    let failures: BTreeSet<String> = codes()
        .into_iter()
        .filter(|(name, number)| *number < 0 && !OF_CALLS.contains(&name.as_str()))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(listed, failures);
}

/// All source files of the library, where a text that goes on in the next line is one.
fn source() -> String {
    let mut source = String::new();
    for file in files(&["src"], &[".rs"]) {
        let text = text_of(&file);
        let mut parts = text.split("\\\n");
        source.push_str(parts.next().unwrap_or_default());
        for part in parts {
            source.push_str(part.trim_start());
        }
    }
    source
}

/// A phrase that nobody writes is one that nobody will find.
#[test]
fn every_phrase_of_the_log_page_is_one_that_psc_writes() {
    let source = source();
    let page = "docs/log-messages.md";
    let phrases = named_in(&table(page, "# What psc writes"));
    for phrase in &phrases {
        assert!(source.contains(phrase.as_str()), "{phrase}");
    }
    for row in table(page, "## Reasons of failures") {
        for phrase in code_spans(&row[1]) {
            let composed = phrase.starts_with("HTTP ");
            assert!(composed || source.contains(phrase), "{phrase}");
        }
    }
}

/// Protected for a message that is still to come.
const RESERVED: &str = "security support for";

/// The phrases that nobody but psc may put into a line, which is what makes them worth a search.
#[test]
fn every_phrase_that_psc_protects_is_on_the_log_page() {
    let source = text_of("src/text.rs");
    let (_, list) = source.split_once("PHRASES").expect("the list");
    let (list, _) = list.split_once("];").expect("its end");
    let page = text_of("docs/log-messages.md").to_lowercase();
    let phrases: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(phrases.len() >= 8, "{phrases:?}");
    for phrase in phrases {
        assert!(phrase == RESERVED || page.contains(phrase), "{phrase}");
    }
}

/// The names in a text that begin so.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.len() > prefix.len() && word.starts_with(prefix))
        .collect()
}

#[test]
fn the_documents_name_no_function_or_macro_that_the_header_lacks() {
    let header = text_of("include/psc.h");
    let mut known = words(&header, "psc_");
    known.extend(words(&header, "PSC_"));
    for page in files(
        &[
            "docs",
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "CHANGELOG.md",
        ],
        &[".md"],
    ) {
        let text = text_of(&page);
        let missing: Vec<&str> = words(&text, "psc_")
            .into_iter()
            .chain(words(&text, "PSC_"))
            .filter(|name| !known.contains(name))
            .filter(|name| !name.starts_with("psc_disable_security") && !name.ends_with('_'))
            // A variable of the tests' environment.
            .filter(|name| *name != "PSC_LONG")
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", page.display());
    }
}

/// The wrapper has a member for every function, but for those that ask the library for its version.
#[test]
fn the_wrapper_calls_every_function() {
    let (header, wrapper) = (text_of("include/psc.h"), text_of("include/psc.hpp"));
    for name in words(&header, "psc_") {
        let is_function = header.contains(&format!("{name}(struct "))
            || header.contains(&format!("{name}(psc_"))
            || header.contains(&format!("{name}(const "));
        assert!(
            !is_function || wrapper.contains(&format!("{name}(")),
            "{name}"
        );
    }
}

/// The texts in the module's source that begin so: its directives.
fn directives(folder: &str, prefixes: [&str; 2]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(&[folder], &[".c"]) {
        for text in text_of(&file).split('"').skip(1).step_by(2) {
            let is_name = text
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_');
            if is_name && prefixes.iter().any(|prefix| text.starts_with(prefix)) {
                found.insert(text.to_owned());
            }
        }
    }
    found
}

/// The first word of each code span in the first column.
fn documented(page: &str, after: &str, first: char) -> BTreeSet<String> {
    named_in(&table(page, after))
        .iter()
        .filter_map(|span| span.split(' ').next())
        .filter(|word| word.starts_with(first))
        .map(str::to_owned)
        .filter(|word| word.len() > 3)
        .collect()
}

#[test]
fn each_modules_page_has_its_directives() {
    assert_eq!(
        documented("examples-c/nginx/README.md", "## Directives", 'p'),
        directives(
            "examples-c/nginx",
            ["psc_security_update_check_", "psc_disable_"]
        )
        .into_iter()
        .chain(["psc_status".to_owned()])
        .collect()
    );
    assert_eq!(
        documented("examples-c/apache/README.md", "## Configuration", 'P'),
        directives("examples-c/apache", ["PscSecurityUpdate", "PscDisable"])
            .into_iter()
            .chain(["PscStatus".to_owned()])
            .collect()
    );
}

/// Keys for which the modules have no directive: what they are given is enough for a web server.
const WITHOUT_DIRECTIVE: [&str; 6] = [
    "client_certificate_path",
    "license_path",
    "license_public_key_path",
    "program_name",
    "require_request_binding",
    "server_public_key_path",
];

#[test]
fn the_modules_set_every_key_but_those_that_are_left_out_on_purpose() {
    for folder in ["examples-c/nginx", "examples-c/apache"] {
        let source: String = files(&[folder], &[".c"]).iter().map(text_of).collect();
        let left_out: BTreeSet<String> = keys()
            .into_iter()
            .filter(|key| {
                let escaped = format!("\\\"{key}\\\":");
                !source.contains(&format!("\"{key}\"")) && !source.contains(&escaped)
            })
            .collect();
        let expected: BTreeSet<String> = WITHOUT_DIRECTIVE.map(str::to_owned).into();
        assert_eq!(left_out, expected, "{folder}");
    }
}
