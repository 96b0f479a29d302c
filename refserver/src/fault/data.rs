//! Changes to the signed object that take more than another JSON text, and other ways to encode it.
//! Each public function is one fault.

use crate::envelope::{Data, encode};
use crate::json::quote;

pub fn nonce_prefix(data: &mut Data, nonce: &str) {
    let prefix: String = nonce.chars().take(nonce.len() - 1).collect();
    data.set("nonce", quote(&prefix));
}

pub fn nonce_longer(data: &mut Data, nonce: &str) {
    data.set("nonce", quote(&format!("{nonce}=")));
}

/// Upper and lower case exchanged.
pub fn nonce_case(data: &mut Data, nonce: &str) {
    let exchange = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    data.set(
        "nonce",
        quote(&nonce.chars().map(exchange).collect::<String>()),
    );
}

/// The right nonce in escapes.
pub fn nonce_escaped(data: &mut Data, nonce: &str) {
    let text: String = nonce
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    data.set("nonce", format!("\"{text}\""));
}

pub fn version_missing(data: &mut Data, _: &str) {
    data.set("update", "1");
    data.remove("version");
}

pub fn version_10kb(data: &mut Data, _: &str) {
    data.set("update", "1");
    data.set("version", quote(&"6.".repeat(5 * 1024)));
}

/// 100,000 bytes in 2000 lines. Twice in base64 that is well below the limit.
pub fn log_long(data: &mut Data, _: &str) {
    let line = format!("- [Fixed in 6.0.18] {}\n", "x".repeat(29));
    data.set("log", quote(&line.repeat(2000)));
}

/// One line of 150,000 bytes.
pub fn log_long_line(data: &mut Data, _: &str) {
    data.set("log", quote(&"x".repeat(150_000)));
}

/// An answer above 256 KiB.
pub fn log_too_long(data: &mut Data, _: &str) {
    data.set("log", quote(&"- too long\n".repeat(27_000)));
}

pub fn many_keys(data: &mut Data, _: &str) {
    for number in 0..2000 {
        data.set(&format!("key{number}"), "0");
    }
}

pub fn nul_inside(text: String) -> Vec<u8> {
    format!("{text}\0{{\"update\":0}}").into_bytes()
}

pub fn trailing_bytes(text: String) -> Vec<u8> {
    format!("{text}x").into_bytes()
}

pub fn two_objects(text: String) -> Vec<u8> {
    format!("{text}{text}").into_bytes()
}

pub fn duplicate_key(text: String) -> Vec<u8> {
    prepend("\"update\":0", &text).into_bytes()
}

pub fn bom(text: String) -> Vec<u8> {
    format!("\u{feff}{text}").into_bytes()
}

pub fn comments(text: String) -> Vec<u8> {
    prepend_raw("/* none */", &text).into_bytes()
}

pub fn invalid_utf8(text: String) -> Vec<u8> {
    let mut bytes = prepend("\"extra\":\"?\"", &text).into_bytes();
    if let Some(byte) = bytes.iter_mut().find(|byte| **byte == b'?') {
        *byte = 0xff;
    }
    bytes
}

pub fn lone_surrogate(text: String) -> Vec<u8> {
    prepend(r#""extra":"\ud800""#, &text).into_bytes()
}

pub fn raw_control(text: String) -> Vec<u8> {
    prepend("\"extra\":\"\u{1}\"", &text).into_bytes()
}

pub fn deep(text: String) -> Vec<u8> {
    prepend(
        &format!("\"extra\":{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        &text,
    )
    .into_bytes()
}

pub fn array(text: String) -> Vec<u8> {
    format!("[{text}]").into_bytes()
}

pub fn string(text: String) -> Vec<u8> {
    quote(&text).into_bytes()
}

pub fn null(_: String) -> Vec<u8> {
    b"null".into()
}

pub fn empty(_: String) -> Vec<u8> {
    Vec::new()
}

pub fn text(_: String) -> Vec<u8> {
    b"no update".into()
}

pub fn base64_not(_: &str) -> String {
    "this is not base64!".into()
}

pub fn base64_plain(text: &str) -> String {
    text.into()
}

pub fn base64_space(text: &str) -> String {
    in_the_middle(&encode(text.as_bytes()), " ")
}

pub fn base64_newline(text: &str) -> String {
    in_the_middle(&encode(text.as_bytes()), "\n")
}

pub fn base64_tab(text: &str) -> String {
    in_the_middle(&encode(text.as_bytes()), "\t")
}

pub fn base64_final_newline(text: &str) -> String {
    encode(text.as_bytes()) + "\n"
}

pub fn base64_padding_inside(text: &str) -> String {
    in_the_middle(&encode(text.as_bytes()), "====")
}

pub fn base64_extra_padding(text: &str) -> String {
    encode(text.as_bytes()) + "="
}

pub fn base64_no_padding(text: &str) -> String {
    encode(padded(text).as_bytes()).trim_end_matches('=').into()
}

pub fn base64_unused_bits(text: &str) -> String {
    set_unused_bits(&encode(padded(text).as_bytes()))
}

pub fn base64_urlsafe(text: &str) -> String {
    // Some of these six characters end up in `+` and `/`, wherever they stand.
    url_alphabet(&encode(prepend("\"extra\":\">>>???\"", text).as_bytes()))
}

pub fn url_alphabet(base64: &str) -> String {
    base64.replace('+', "-").replace('/', "_")
}

pub fn without_padding(base64: &str) -> String {
    base64.trim_end_matches('=').into()
}

pub fn with_newline(base64: &str) -> String {
    in_the_middle(base64, "\n")
}

/// The character before the padding, one higher.
pub fn set_unused_bits(base64: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let body = base64.trim_end_matches('=');
    let padding = base64.len() - body.len();
    let mut characters = body.chars();
    let last = characters
        .next_back()
        .and_then(|last| ALPHABET.find(last))
        .unwrap_or(0);
    // The unused bits of canonical base64 are 0, so this stays inside the alphabet.
    let next = ALPHABET.chars().nth(last + 1).unwrap_or('B');
    format!("{}{next}{}", characters.as_str(), "=".repeat(padding))
}

/// White space behind the first brace, so that the length is one that base64 pads with `==`.
fn padded(text: &str) -> String {
    prepend_raw(&" ".repeat((4 - text.len() % 3) % 3), text)
}

fn in_the_middle(text: &str, part: &str) -> String {
    // Base64 is ASCII: every index is a character's; a multiple of 4 keeps the groups whole.
    let (left, right) = text.split_at(text.len() / 8 * 4);
    format!("{left}{part}{right}")
}

/// `member` becomes the object's first.
fn prepend(member: &str, object: &str) -> String {
    prepend_raw(&format!("{member},"), object)
}

fn prepend_raw(part: &str, object: &str) -> String {
    object.replacen('{', &format!("{{{part}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn every_odd_encoding_is_refused_by_a_strict_decoder() {
        let encoders = [
            base64_not,
            base64_plain,
            base64_space,
            base64_newline,
            base64_tab,
            base64_final_newline,
            base64_padding_inside,
            base64_extra_padding,
            base64_no_padding,
            base64_unused_bits,
            base64_urlsafe,
        ];
        for text in ["{\"a\":0}", "{\"a\":10}", "{\"a\":100}"] {
            for (index, encode) in encoders.iter().enumerate() {
                assert!(
                    STANDARD.decode(encode(text)).is_err(),
                    "encoder {index} of {text}"
                );
            }
            assert_eq!(padded(text).len() % 3, 1);
        }
        assert_eq!(set_unused_bits("YQ=="), "YR==");
    }
}
