//! What a character does to the line that it stands in.
//!
//! The standard library knows controls, format characters, separators, what is not assigned, and marks (in `escape_debug`).
//! The tables add three properties of the Unicode Character Database (14.0) that it does not have;
//! by hand, so that no update of a crate changes what is logged.

/// `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt): shown as nothing at all.
const IGNORABLE: [(u32, u32); 17] = [
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x61c, 0x61c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x206f),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfff8),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_0fff),
];

/// Symbols and letters without ink, by their names: BRAILLE PATTERN BLANK, OBJECT REPLACEMENT CHARACTER, EGYPTIAN
/// HIEROGLYPH FULL BLANK and HALF BLANK, KHITAN SMALL SCRIPT FILLER, MUSICAL SYMBOL NULL NOTEHEAD.
const BLANK: [(u32, u32); 5] = [
    (0x2800, 0x2800),
    (0xfffc, 0xfffc),
    (0x1_3441, 0x1_3442),
    (0x1_6fe4, 0x1_6fe4),
    (0x1_d159, 0x1_d159),
];

/// `Canonical_Combining_Class=Overlay` and `General_Category=Enclosing_Mark` (UnicodeData.txt): drawn over and around the
/// character before them.
const OVERLAID: [(u32, u32); 15] = [
    (0x334, 0x338),
    (0x488, 0x489),
    (0x1abe, 0x1abe),
    (0x1cd4, 0x1cd4),
    (0x1ce2, 0x1ce8),
    (0x20d2, 0x20d3),
    (0x20d8, 0x20da),
    (0x20dd, 0x20e0),
    (0x20e2, 0x20e6),
    (0x20ea, 0x20eb),
    (0xa670, 0xa672),
    (0x1_0a39, 0x1_0a39),
    (0x1_6af0, 0x1_6af4),
    (0x1_bc9e, 0x1_bc9e),
    (0x1_d167, 0x1_d169),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharClass {
    /// Ink of its own, or the ordinary blank.
    Plain,
    /// Combines with the character before it.
    Mark,
    /// Not to be seen, or hides what is.
    Deceptive,
}

pub fn of(character: char) -> CharClass {
    if character.is_ascii() {
        let plain = character == ' ' || character.is_ascii_graphic();
        return if plain {
            CharClass::Plain
        } else {
            CharClass::Deceptive
        };
    }
    let code = u32::from(character);
    let among = |table: &[(u32, u32)]| {
        table
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&code))
    };
    if among(&IGNORABLE) || among(&BLANK) || among(&OVERLAID) {
        return CharClass::Deceptive;
    }
    // At the beginning of a text combining characters are escaped, too; inside only what is not printable.
    if character.escape_debug().eq([character]) {
        return CharClass::Plain;
    }
    let mut inside = String::from("a");
    inside.push(character);
    if inside.escape_debug().eq(inside.chars()) {
        CharClass::Mark
    } else {
        CharClass::Deceptive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [&IGNORABLE[..], &BLANK, &OVERLAID] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }

    #[test]
    fn marks_are_known() {
        let plane = ('\0'..='\u{ffff}').map(of);
        let marks = plane
            .filter(|char_class| *char_class == CharClass::Mark)
            .count();
        // Grapheme_Extend of Unicode 13 to 17, in the first plane, without what the tables name.
        assert!((900..1200).contains(&marks), "{marks}");
    }
}
