//! Step 4: the form of the answer, before anything in it is believed.

use crate::error::Error;
use crate::json;
use crate::text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// `{"data": D, "signature": S}` (docs/protocol.md, Answer). What D says is not looked at before its signature is verified.
pub struct Envelope {
    /// D as sent: this text is what is signed.
    pub data: String,
    /// S as sent.
    pub signature_text: String,
    pub signature: Vec<u8>,
}

impl Envelope {
    pub fn parse(body: &[u8]) -> Result<Envelope, Error> {
        let object = json::object(body).map_err(|problem| not_agreed(body, &problem))?;
        Envelope::from_texts(field(&object, "data")?, field(&object, "signature")?)
    }

    /// An envelope out of its two texts, as they were sent.
    pub fn from_texts(data: String, signature_text: String) -> Result<Envelope, Error> {
        let signature = STANDARD.decode(&signature_text).map_err(|_| {
            Error::response(
                "the answer's `signature` is not canonical base64 (corrupted signature)",
            )
        })?;
        Ok(Envelope {
            data,
            signature_text,
            signature,
        })
    }

    /// What D decodes to; `None` when it is not canonical base64.
    pub fn decoded(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.data).ok()
    }
}

fn field(object: &Map<String, Value>, name: &str) -> Result<String, Error> {
    let missing =
        |what: &str| Error::response(format!("the answer{what} (missing response fields)"));
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(missing(&format!("'s `{name}` is empty"))),
        Some(_) => Err(missing(&format!("'s `{name}` is not a string"))),
        None => Err(missing(&format!(" has no `{name}`"))),
    }
}

/// How `body` is compressed, by its first bytes; no JSON begins so. Brotli has no mark of its own.
fn compression(body: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 8] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ", "xz"),
        (b"BZh", "bzip2"),
        (b"\x78\x01", "deflate"),
        (b"\x78\x5e", "deflate"),
        (b"\x78\x9c", "deflate"),
        (b"\x78\xda", "deflate"),
    ];
    MARKS
        .into_iter()
        .find(|(mark, _)| body.starts_with(mark))
        .map(|(_, how)| how)
}

fn not_agreed(body: &[u8], problem: &str) -> Error {
    if body.is_empty() {
        return Error::response("the answer is empty");
    }
    if let Some(how) = compression(body) {
        return Error::compressed(&format!(" ({how})"));
    }
    // Some pages begin with a byte order mark.
    let page = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    if page.trim_ascii_start().first() == Some(&b'<') {
        let error = Error::response("the answer is a web page, not the agreed JSON");
        return Error {
            advice: "it looks like a login page (captive portal) or an intercepting proxy: let the server reach the check server directly, or set a proxy",
            ..error
        };
    }
    Error::response(format!("the answer is {}", text::quoted(problem)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    #[test]
    fn the_agreed_form_is_read() {
        let envelope =
            Envelope::parse(br#"{"data":"e30=","signature":"\u0041AA=","more":1}"#).unwrap();
        assert_eq!(envelope.decoded().as_deref(), Some(&b"{}"[..]));
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
            let error = Envelope::parse(page.as_bytes()).err().expect(page);
            assert!(error.advice.contains("login page"), "{page}");
        }
        for other in ["\u{feff}{}", "\u{feff}", "html"] {
            let error = Envelope::parse(other.as_bytes()).err().expect(other);
            assert!(!error.advice.contains("login page"), "{other}");
        }
    }

    #[test]
    fn a_compressed_answer_is_told_as_such() {
        for (body, how) in [
            (&b"\x1f\x8b\x08\0"[..], "gzip"),
            (b"\x28\xb5\x2f\xfd\0", "zstd"),
            (b"\x78\x9c\xab", "deflate"),
        ] {
            let error = Envelope::parse(body).err().expect(how);
            assert_eq!(error.code, Code::Response, "{how}");
            assert!(error.reason.contains("compressed"), "{how}");
            assert!(error.reason.contains(how), "{}", error.reason);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        const FIELDS: &str = "missing response fields";
        const SIGNATURE: &str = "corrupted signature";
        for (bad, phrase) in [
            ("", "empty"),
            ("<html>", "web page"),
            ("[]", "not a JSON object"),
            ("{}", FIELDS),
            (r#"{"data":"e30="}"#, FIELDS),
            (r#"{"data":null,"signature":"AAA="}"#, FIELDS),
            (r#"{"data":"e30=","signature":1}"#, FIELDS),
            (r#"{"data":"","signature":"AAA="}"#, FIELDS),
            (r#"{"data":"e30=","signature":""}"#, FIELDS),
            (r#"{"data":"e30=","signature":"AAB="}"#, SIGNATURE),
            (r#"{"data":"e30=","signature":"AA_="}"#, SIGNATURE),
            (r#"{"data":"e30=","signature":"AAA=="}"#, SIGNATURE),
        ] {
            let error = Envelope::parse(bad.as_bytes()).err().expect(bad);
            assert_eq!(error.code, Code::Response, "{bad}");
            assert!(error.reason.contains(phrase), "{bad}: {}", error.reason);
        }
    }

    #[test]
    fn data_of_another_form_is_kept_as_it_is_until_it_is_verified() {
        for bad in ["e3 0=", "e30", "e3=0", "*"] {
            let envelope = Envelope::from_texts(bad.to_owned(), "AAA=".to_owned())
                .unwrap_or_else(|_| panic!("{bad}"));
            assert!(envelope.decoded().is_none(), "{bad}");
        }
    }
}
