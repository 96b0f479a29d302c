//! Step 4: the form of the answer, before anything in it is believed.

use crate::failure::Failure;
use crate::json;
use crate::text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// `{"data": D, "signature": S}` (contract section 5), both canonical base64.
pub struct Envelope {
    /// D as sent: this text is what is signed.
    pub data: String,
    /// What D decodes to.
    pub decoded: Vec<u8>,
    /// S as sent.
    pub signature_text: String,
    pub signature: Vec<u8>,
}

impl Envelope {
    pub fn parse(body: &[u8]) -> Result<Envelope, Failure> {
        let object = json::object(body).map_err(|problem| not_agreed(body, &problem))?;
        Envelope::from_texts(field(&object, "data")?, field(&object, "signature")?)
    }

    /// An envelope out of its two texts, as they were sent.
    pub fn from_texts(data: String, signature_text: String) -> Result<Envelope, Failure> {
        Ok(Envelope {
            decoded: decoded(&data, "data")?,
            signature: decoded(&signature_text, "signature")?,
            data,
            signature_text,
        })
    }
}

fn field(object: &Map<String, Value>, name: &str) -> Result<String, Failure> {
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(Failure::response(format!("the answer's `{name}` is empty"))),
        Some(_) => Err(Failure::response(format!(
            "the answer's `{name}` is not a string"
        ))),
        None => Err(Failure::response(format!("the answer has no `{name}`"))),
    }
}

fn decoded(text: &str, name: &str) -> Result<Vec<u8>, Failure> {
    STANDARD
        .decode(text)
        .map_err(|_| Failure::response(format!("the answer's `{name}` is not canonical base64")))
}

fn not_agreed(body: &[u8], problem: &str) -> Failure {
    if body.is_empty() {
        return Failure::response("the answer is empty");
    }
    // Some pages begin with a byte order mark.
    let page = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if page.trim_ascii_start().first() == Some(&b'<') {
        let failure = Failure::response("the answer is a web page, not the agreed JSON");
        return Failure {
            advice: "it looks like a login page (captive portal) or an intercepting proxy: let the server reach the check server directly, or set a proxy",
            ..failure
        };
    }
    Failure::response(format!("the answer is {}", text::quoted(problem)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    #[test]
    fn the_agreed_form_is_read() {
        let envelope =
            Envelope::parse(br#"{"data":"e30=","signature":"\u0041AA=","more":1}"#).unwrap();
        assert_eq!(envelope.decoded, b"{}");
        assert_eq!(envelope.signature, [0, 0]);
    }

    #[test]
    fn a_web_page_is_told_as_such() {
        for page in [
            "<html>",
            " \n<!DOCTYPE html>",
            "\u{feff}<html>",
            "\u{feff}\r\n<html>",
        ] {
            let failure = Envelope::parse(page.as_bytes()).err().expect(page);
            assert!(failure.advice.contains("login page"), "{page}");
        }
        for other in ["\u{feff}{}", "\u{feff}", "html"] {
            let failure = Envelope::parse(other.as_bytes()).err().expect(other);
            assert!(!failure.advice.contains("login page"), "{other}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"data":"e30="}"#,
            r#"{"data":null,"signature":"AAA="}"#,
            r#"{"data":"","signature":"AAA="}"#,
            r#"{"data":"e30=","signature":""}"#,
            r#"{"data":"e3 0=","signature":"AAA="}"#,
            r#"{"data":"e30","signature":"AAA="}"#,
            r#"{"data":"e30=","signature":"AAB="}"#,
            r#"{"data":"e30=","signature":"AA_="}"#,
            r#"{"data":"e30=","signature":"AAA=="}"#,
            r#"{"data":"e3=0","signature":"AAA="}"#,
        ] {
            let failure = Envelope::parse(bad.as_bytes()).err().expect(bad);
            assert_eq!(failure.code, Code::Response, "{bad}");
        }
    }
}
