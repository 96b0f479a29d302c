//! Which question a configuration asks the check server: what is stored under one question answers no other.

use serde::{Deserialize, Serialize};

/// As digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Product, version and integration.
    pub asked: String,
    /// The pinned keys.
    pub keys: String,
}

impl Question {
    /// Stands for it where a number is needed: 31 bits, as positions in a file have everywhere.
    pub fn number(&self) -> u32 {
        let digits = |text: &str| {
            let digits = text
                .get(..8)
                .and_then(|text| u32::from_str_radix(text, 16).ok());
            digits.unwrap_or(0)
        };
        (digits(&self.asked) ^ digits(&self.keys)) >> 1
    }
}
