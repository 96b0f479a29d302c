//! PEM files (RFC 7468), read by psc itself: OpenSSL's reader would ask for a pass phrase on the terminal, and cannot say
//! which block is damaged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;
use zeroize::Zeroizing;

const LINE: usize = 64;
/// Letters in a line outside of any block that are no comment.
const SHORTEST_STRAY: usize = 40;

pub struct Pem {
    pub blocks: Vec<Block>,
    /// The first line outside of any block that was meant to be part of one.
    pub stray: Option<usize>,
}

pub struct Block {
    pub label: String,
    /// Of its beginning, from 1.
    pub line: usize,
    /// What it decodes to. It may be secret.
    pub der: Result<Zeroizing<Vec<u8>>, Damage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Encrypted,
    NoEnd,
    OtherEnd,
    NotBase64,
}

impl Damage {
    /// As the end of a sentence about the block.
    pub fn text(self) -> &'static str {
        match self {
            Damage::Encrypted => "is encrypted, and psc asks nobody for a password",
            Damage::NoEnd => "does not end",
            Damage::OtherEnd => "has BEGIN and END lines that do not match",
            Damage::NotBase64 => "is not base64",
        }
    }
}

impl Pem {
    pub fn read(bytes: &[u8]) -> Pem {
        let text = without_mark(bytes);
        let mut pem = Pem {
            blocks: Vec::new(),
            stray: None,
        };
        let mut open: Option<Open> = None;
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii_end();
            if let Some(label) = label(line, b"-----BEGIN ") {
                let before = open.replace(Open {
                    label: label.to_owned(),
                    line: number,
                    lines: Vec::new(),
                });
                pem.blocks
                    .extend(before.map(|open| open.ended(Err(Damage::NoEnd))));
            } else if let Some(end) = label(line, b"-----END ") {
                match open.take() {
                    Some(open) => {
                        let der = open.der(end);
                        pem.blocks.push(open.ended(der));
                    }
                    None => pem.note_stray(number),
                }
            } else if let Some(open) = &mut open {
                open.lines.push(line);
            } else if is_stray(line) {
                pem.note_stray(number);
            }
        }
        pem.blocks
            .extend(open.map(|open| open.ended(Err(Damage::NoEnd))));
        pem
    }

    fn note_stray(&mut self, line: usize) {
        self.stray = self.stray.or(Some(line));
    }
}

/// A block whose end is not read yet.
struct Open<'a> {
    label: String,
    line: usize,
    lines: Vec<&'a [u8]>,
}

impl Open<'_> {
    fn der(&self, end: &str) -> Result<Zeroizing<Vec<u8>>, Damage> {
        let is_header = |line: &&[u8]| line.contains(&b':');
        let asks = |line: &[u8]| line.windows(9).any(|word| word == b"ENCRYPTED");
        if self.label.contains("ENCRYPTED")
            || self
                .lines
                .iter()
                .filter(|line| is_header(line))
                .any(|line| asks(line))
        {
            return Err(Damage::Encrypted);
        }
        if end != self.label {
            return Err(Damage::OtherEnd);
        }
        let length = self.lines.iter().map(|line| line.len()).sum();
        // With room for all of it no copy is left behind by a growing buffer.
        let mut base64 = Zeroizing::new(Vec::with_capacity(length));
        for line in self.lines.iter().filter(|line| !is_header(line)) {
            base64.extend_from_slice(line.trim_ascii());
        }
        let mut der = Zeroizing::new(Vec::with_capacity(length));
        match STANDARD.decode_vec(base64.as_slice(), &mut der) {
            Ok(()) => Ok(der),
            Err(_) => Err(Damage::NotBase64),
        }
    }

    fn ended(self, der: Result<Zeroizing<Vec<u8>>, Damage>) -> Block {
        Block {
            label: self.label,
            line: self.line,
            der,
        }
    }
}

/// Editors of Windows write a byte order mark, or UTF-16 with one.
fn without_mark(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| match pair {
            [first, second] => unit([*first, *second]),
            _ => 0,
        });
        let text =
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(text.collect::<String>().into_bytes())
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => Cow::Borrowed(bytes),
    }
}

fn label<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok()
}

/// Between blocks there may be comments, but nothing that was meant to be a block.
fn is_stray(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let is_rule = line.iter().all(|byte| *byte == b'=');
    line.windows(5).any(|dashes| dashes == b"-----") && !line.iter().all(|byte| *byte == b'-')
        || line.len() >= SHORTEST_STRAY && !is_rule && line.iter().all(is_base64)
}

/// Bytes that a block takes at most.
pub fn encoded_length(der: &[u8]) -> usize {
    der.len()
        .saturating_mul(3)
        .saturating_div(2)
        .saturating_add(200)
}

/// Appends a block. With room for it in `out` no copy of a secret is left behind.
pub fn encode(label: &str, der: &[u8], out: &mut Vec<u8>) {
    let mut base64 = Zeroizing::new(String::with_capacity(encoded_length(der)));
    STANDARD.encode_string(der, &mut base64);
    out.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in base64.as_bytes().chunks(LINE) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(label: &str, der: &[u8]) -> String {
        let mut out = Vec::new();
        encode(label, der, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn ders(bytes: &[u8]) -> Vec<Result<Vec<u8>, Damage>> {
        let blocks = Pem::read(bytes).blocks.into_iter();
        blocks
            .map(|block| block.der.map(|der| der.to_vec()))
            .collect()
    }

    #[test]
    fn blocks_are_read_with_comments_and_any_ends_of_lines() {
        let der: Vec<u8> = (0..200).collect();
        let pem = text("X", &der);
        let all = format!(
            "\u{feff}{pem}\n# comment\n======\n{}{}",
            pem.replace('\n', " \r\n"),
            text("Y", b"")
        );
        let read = Pem::read(all.as_bytes());
        let seen: Vec<_> = read
            .blocks
            .iter()
            .map(|block| (block.label.as_str(), block.line))
            .collect();
        assert_eq!(seen, [("X", 1), ("X", 11), ("Y", 18)]);
        assert_eq!(read.stray, None);
        assert_eq!(
            ders(all.as_bytes()),
            [Ok(der.clone()), Ok(der.clone()), Ok(vec![])]
        );
        for wide in [
            [
                &[0xff, 0xfe][..],
                &pem.encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>(),
            ]
            .concat(),
            [
                &[0xfe, 0xff][..],
                &pem.encode_utf16()
                    .flat_map(u16::to_be_bytes)
                    .collect::<Vec<_>>(),
            ]
            .concat(),
        ] {
            assert_eq!(ders(&wide), [Ok(der.clone())]);
        }
        // Latin letters in a comment, as old bundles have them.
        assert_eq!(ders(&[b"# F\xf6o\n", pem.as_bytes()].concat()), [Ok(der)]);
    }

    #[test]
    fn damage_is_told_and_hides_no_other_block() {
        let good = text("X", b"good");
        for (bad, damage) in [
            (good.replace("X---", "ENCRYPTED X---"), Damage::Encrypted),
            (
                good.replacen(
                    '\n',
                    "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
                    1,
                ),
                Damage::Encrypted,
            ),
            (good.replace("END X", "END Y"), Damage::OtherEnd),
            (good.replace("-----END X-----\n", ""), Damage::NoEnd),
            (good.replace("==", "="), Damage::NotBase64),
        ] {
            let all = format!("{good}{bad}{good}");
            let expected = [Ok(b"good".to_vec()), Err(damage), Ok(b"good".to_vec())];
            assert_eq!(ders(all.as_bytes()), expected, "{bad}");
        }
        let cut = format!("{good}{}", &good[..20]);
        assert_eq!(
            ders(cut.as_bytes()),
            [Ok(b"good".to_vec()), Err(Damage::NoEnd)]
        );
    }

    #[test]
    fn what_was_meant_to_be_a_block_is_noticed() {
        let good = text("X", &[0; 40]);
        for (stray, line) in [
            (format!("{good}-----END X-----\n"), 4),
            (good.replace("-----BEGIN", " -----BEGIN"), 1),
            (good.replacen("-----BEGIN X-----\n", "", 1), 1),
        ] {
            assert_eq!(Pem::read(stray.as_bytes()).stray, Some(line), "{stray}");
        }
        let comments = format!("{good}\n----------\n{}\n", "=".repeat(70));
        assert_eq!(Pem::read(comments.as_bytes()).stray, None);
    }
}
