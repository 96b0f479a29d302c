//! What the programs of c-tests print: a JSON object a line, as c-tests/harness.h writes them.

use serde_json::{Map, Value};
use std::fmt::Write;

/// A log line: its level and text.
pub type LogLine = (i32, String);

/// Everything that a program printed.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    pub log: Vec<LogLine>,
    /// The members of all other objects; of two with the same name the later one.
    pub values: Map<String, Value>,
    /// For a person, and to search for what must not be there: texts stand in it as they are, not escaped.
    pub text: String,
}

impl Printed {
    pub fn parse(printed: &str) -> Printed {
        let mut all = Printed::default();
        for object in objects(printed) {
            all.text += &readable(&object);
            match log_line(&object) {
                Some(line) => all.log.push(line),
                None => all.values.extend(object),
            }
        }
        all
    }

    /// None where it was not printed, or null.
    pub fn text_of(&self, name: &str) -> Option<String> {
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        Some(value.as_str().expect("a text").to_string())
    }

    pub fn number_of<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        let number = self.values.get(name)?.as_i64().expect("a number");
        T::try_from(number).ok()
    }
}

pub fn objects(printed: &str) -> Vec<Map<String, Value>> {
    let object =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    printed.lines().map(object).collect()
}

/// The object's log line, if it is one.
pub fn log_line(object: &Map<String, Value>) -> Option<LogLine> {
    let level = object.get("level")?.as_i64().expect("a level");
    let message = object["message"].as_str().expect("a message");
    Some((i32::try_from(level).expect("a level"), message.to_string()))
}

/// A name and a value a line.
pub fn readable(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in object {
        let done = match value {
            Value::String(value) => writeln!(text, "{name} {value}"),
            value => writeln!(text, "{name} {value}"),
        };
        done.expect("a text grows");
    }
    text
}
