//! A tiny DER writer (X.690): what OCSP responses need.

use openssl::asn1::Asn1Object;
use openssl::error::ErrorStack;
use std::time::{SystemTime, UNIX_EPOCH};

const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const CONTEXT: u8 = 0x80;
const CONTEXT_CONSTRUCTED: u8 = 0xa0;

pub fn null() -> Vec<u8> {
    element(NULL, &[])
}

pub fn enumerated(value: u8) -> Vec<u8> {
    element(ENUMERATED, &[value])
}

pub fn octet_string(content: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, content)
}

/// A bit string of whole bytes.
pub fn bit_string(content: &[u8]) -> Vec<u8> {
    const UNUSED_BITS: &[u8] = &[0];
    element(BIT_STRING, &[UNUSED_BITS, content].concat())
}

/// An object identifier, from its numbers with dots.
pub fn object(identifier: &str) -> Result<Vec<u8>, ErrorStack> {
    Ok(element(
        OBJECT,
        Asn1Object::from_str(identifier)?.as_slice(),
    ))
}

pub fn sequence(members: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &members.concat())
}

/// `[tag] IMPLICIT` of something without members.
pub fn implicit(tag: u8, content: &[u8]) -> Vec<u8> {
    element(CONTEXT | tag, content)
}

/// `[tag] EXPLICIT`, or `[tag] IMPLICIT` of a sequence with this one member.
pub fn explicit(tag: u8, member: &[u8]) -> Vec<u8> {
    element(CONTEXT_CONSTRUCTED | tag, member)
}

pub fn generalized_time(time: SystemTime) -> Vec<u8> {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    element(GENERALIZED_TIME, text.as_bytes())
}

/// Year, month and day of the Gregorian calendar.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    const FEBRUARY: usize = 1;
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (1970, days_since_1970);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    months[FEBRUARY] += u64::from(is_leap(year));
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    (year, month as u64 + 1, left + 1)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    append_length(&mut bytes, content.len());
    bytes.extend_from_slice(content);
    bytes
}

/// One byte up to 127; else the number of bytes with the highest bit set, then the bytes.
fn append_length(bytes: &mut Vec<u8>, length: usize) {
    const SHORT: usize = 0x7f;
    const LONG_FORM: u8 = 0x80;
    let big_endian = length.to_be_bytes();
    let used = big_endian.len() - length.leading_zeros() as usize / 8;
    let digits = &big_endian[big_endian.len() - used..];
    if length > SHORT {
        bytes.push(LONG_FORM | used as u8);
    }
    bytes.extend_from_slice(if length == 0 { &[0] } else { digits });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lengths_take_as_many_bytes_as_they_need() {
        for (length, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
        ] {
            let bytes = octet_string(&vec![7; length]);
            assert_eq!(&bytes[..header.len()], header, "{length}");
            assert_eq!(bytes.len(), header.len() + length);
        }
    }

    #[test]
    fn times_of_the_calendar() {
        for (seconds, text) in [
            (0, "19700101000000Z"),
            (951_782_399, "20000228235959Z"),
            (951_782_400, "20000229000000Z"),
            (1_735_689_599, "20241231235959Z"),
            (1_795_366_594, "20261122165634Z"),
            (4_107_542_400, "21000301000000Z"),
        ] {
            let bytes = generalized_time(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(String::from_utf8_lossy(&bytes[2..]), text);
        }
    }
}
