//! Bodies that are not the agreed JSON. Each public function is one fault.

use crate::envelope::Envelope;
use crate::json::quote;

pub fn empty(_: &Envelope) -> Vec<u8> {
    Vec::new()
}

pub fn text(_: &Envelope) -> Vec<u8> {
    b"no update".into()
}

pub fn html(_: &Envelope) -> Vec<u8> {
    b"<!DOCTYPE html>\n<html><head><title>Log in</title></head><body>Welcome to our network.</body></html>\n".into()
}

pub fn null(_: &Envelope) -> Vec<u8> {
    b"null".into()
}

pub fn number(_: &Envelope) -> Vec<u8> {
    b"200".into()
}

pub fn string(envelope: &Envelope) -> Vec<u8> {
    quote(&envelope.text()).into_bytes()
}

pub fn array(envelope: &Envelope) -> Vec<u8> {
    format!("[{}]", envelope.text()).into_bytes()
}

pub fn bom(envelope: &Envelope) -> Vec<u8> {
    format!("\u{feff}{}", envelope.text()).into_bytes()
}

pub fn utf16(envelope: &Envelope) -> Vec<u8> {
    format!("\u{feff}{}", envelope.text())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

pub fn white_space(envelope: &Envelope) -> Vec<u8> {
    format!(" \r\n\t{}\r\n", envelope.text()).into_bytes()
}

pub fn trailing_bytes(envelope: &Envelope) -> Vec<u8> {
    format!("{}x", envelope.text()).into_bytes()
}

pub fn trailing_nul(envelope: &Envelope) -> Vec<u8> {
    format!("{}\0", envelope.text()).into_bytes()
}

pub fn two_objects(envelope: &Envelope) -> Vec<u8> {
    format!("{0}{0}", envelope.text()).into_bytes()
}

pub fn comments(envelope: &Envelope) -> Vec<u8> {
    prepend("/* none */", envelope)
}

pub fn single_quotes(envelope: &Envelope) -> Vec<u8> {
    envelope.text().replace('"', "'").into_bytes()
}

pub fn trailing_comma(envelope: &Envelope) -> Vec<u8> {
    envelope.text().replace('}', ",}").into_bytes()
}

pub fn unknown_field(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":{"more":[1,2,{"null":null}]},"#, envelope)
}

/// The good member comes last.
pub fn duplicate_data(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""data":"e30=","#, envelope)
}

/// The good member comes last.
pub fn duplicate_signature(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""signature":"AAAA","#, envelope)
}

pub fn duplicate_unknown(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":0,"extra":0,"#, envelope)
}

pub fn data_missing(envelope: &Envelope) -> Vec<u8> {
    format!(r#"{{"signature":{}}}"#, quote(&envelope.signature)).into_bytes()
}

pub fn data_null(envelope: &Envelope) -> Vec<u8> {
    with_data("null", envelope)
}

pub fn data_number(envelope: &Envelope) -> Vec<u8> {
    with_data("1", envelope)
}

pub fn data_1e999(envelope: &Envelope) -> Vec<u8> {
    with_data("1e999", envelope)
}

/// The signed object itself instead of its base64.
pub fn data_object(envelope: &Envelope) -> Vec<u8> {
    with_data("{}", envelope)
}

pub fn data_nul(envelope: &Envelope) -> Vec<u8> {
    with_data(&format!("\"{}\\u0000\"", envelope.data), envelope)
}

/// Every character of `data` and `signature` as an escape.
pub fn escaped(envelope: &Envelope) -> Vec<u8> {
    let escape =
        |text: &str| -> String { text.bytes().map(|byte| format!("\\u{byte:04X}")).collect() };
    // Of the whole `data`, that could exceed 256 KiB with a long log; half of it does as well.
    let (left, right) = envelope.data.split_at(envelope.data.len() / 2);
    let data = escape(left) + right;
    format!(
        r#"{{"data":"{data}","signature":"{}"}}"#,
        escape(&envelope.signature)
    )
    .into_bytes()
}

pub fn signature_missing(envelope: &Envelope) -> Vec<u8> {
    format!(r#"{{"data":{}}}"#, quote(&envelope.data)).into_bytes()
}

pub fn signature_null(envelope: &Envelope) -> Vec<u8> {
    with_signature("null", envelope)
}

pub fn signature_number(envelope: &Envelope) -> Vec<u8> {
    with_signature("1", envelope)
}

pub fn signature_empty(envelope: &Envelope) -> Vec<u8> {
    with_signature("\"\"", envelope)
}

pub fn leading_zero(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":01,"#, envelope)
}

pub fn nan(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":NaN,"#, envelope)
}

pub fn minus_zero(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":-0,"#, envelope)
}

pub fn number_40_digits(envelope: &Envelope) -> Vec<u8> {
    prepend(
        r#""extra":1234567890123456789012345678901234567890,"#,
        envelope,
    )
}

pub fn number_1e999(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":1e999,"#, envelope)
}

pub fn invalid_utf8(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = prepend(r#""extra":"?","#, envelope);
    if let Some(byte) = bytes.iter_mut().find(|byte| **byte == b'?') {
        *byte = 0xff;
    }
    bytes
}

pub fn raw_control(envelope: &Envelope) -> Vec<u8> {
    prepend("\"extra\":\"\u{1b}[31m\n\",", envelope)
}

pub fn raw_nul(envelope: &Envelope) -> Vec<u8> {
    prepend("\"extra\":\"\0\",", envelope)
}

pub fn lone_surrogate(envelope: &Envelope) -> Vec<u8> {
    prepend(r#""extra":"\ud800","#, envelope)
}

pub fn deep_1000(envelope: &Envelope) -> Vec<u8> {
    prepend(
        &format!("\"extra\":{}{},", "[".repeat(1000), "]".repeat(1000)),
        envelope,
    )
}

pub fn deep_100000(envelope: &Envelope) -> Vec<u8> {
    prepend(
        &format!("\"extra\":{}{},", "[".repeat(100_000), "]".repeat(100_000)),
        envelope,
    )
}

pub fn deep_objects(envelope: &Envelope) -> Vec<u8> {
    prepend(
        &format!(
            "\"extra\":{}0{},",
            "{\"\":".repeat(40_000),
            "}".repeat(40_000)
        ),
        envelope,
    )
}

/// Brackets that never close.
pub fn deep_open(_: &Envelope) -> Vec<u8> {
    "[".repeat(200_000).into_bytes()
}

/// A million members, far beyond 256 KiB.
pub fn many_keys(envelope: &Envelope) -> Vec<u8> {
    let keys: String = (0..1_000_000)
        .map(|number| format!("\"{number}\":0,"))
        .collect();
    prepend(&keys, envelope)
}

/// One member name of 1 MB.
pub fn long_key(envelope: &Envelope) -> Vec<u8> {
    prepend(&format!("\"{}\":0,", "k".repeat(1_000_000)), envelope)
}

/// White space up to the very limit of 256 KiB.
pub fn largest(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = envelope.text().into_bytes();
    bytes.resize(256 * 1024, b' ');
    bytes
}

/// One byte beyond the limit.
pub fn too_large(envelope: &Envelope) -> Vec<u8> {
    let mut bytes = largest(envelope);
    bytes.push(b' ');
    bytes
}

fn with_data(json: &str, envelope: &Envelope) -> Vec<u8> {
    format!(
        r#"{{"data":{json},"signature":{}}}"#,
        quote(&envelope.signature)
    )
    .into_bytes()
}

fn with_signature(json: &str, envelope: &Envelope) -> Vec<u8> {
    format!(r#"{{"data":{},"signature":{json}}}"#, quote(&envelope.data)).into_bytes()
}

/// `part` right behind the first brace.
fn prepend(part: &str, envelope: &Envelope) -> Vec<u8> {
    envelope
        .text()
        .replacen('{', &format!("{{{part}"), 1)
        .into_bytes()
}
