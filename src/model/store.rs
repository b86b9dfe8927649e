//! Stores by name, and the copies of pieces that they hold.
//!
//! Start at [`PieceCopy`]: which store, and the how-manieth copy there, since no object is ever overwritten and what
//! replaces a damaged one needs a key of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Characters of a store's name.
const NAME_CHARACTERS_MAX: usize = 40;

/// The name of a store: 1 to 40 of a-z, 0-9, `-` and `_`, a letter or digit first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreName(String);

/// A text that names no store, or no copy in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a store's name: use 1 to 40 of a-z, 0-9, `-` and `_`, a letter or digit first"
)]
pub struct StoreNameError(String);

/// One copy of a piece. Text form: `cloud` for the first in that store, `cloud#2` for the second.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PieceCopy {
    /// The store that holds it.
    pub store: StoreName,
    /// 1 for the first copy there; each that replaces a damaged one has the next number.
    pub number: u32,
}

impl StoreName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for StoreName {
    /// `main`, the name of a store that was not given one.
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl PieceCopy {
    /// The first copy in a store.
    #[must_use]
    pub const fn first(store: StoreName) -> Self {
        Self { store, number: 1 }
    }

    /// The key of a stripe in this copy: its own, and with `.copy<number>` behind it from the second on.
    #[must_use]
    pub fn key(&self, stripe_key: &str) -> String {
        match self.number {
            0 | 1 => stripe_key.to_owned(),
            number => format!("{stripe_key}.copy{number}"),
        }
    }
}

impl FromStr for StoreName {
    type Err = StoreNameError;

    fn from_str(text: &str) -> Result<Self, StoreNameError> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let first_is_plain = text
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        if first_is_plain && text.len() <= NAME_CHARACTERS_MAX && text.chars().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(StoreNameError(text.chars().take(80).collect()))
        }
    }
}

impl FromStr for PieceCopy {
    type Err = StoreNameError;

    fn from_str(text: &str) -> Result<Self, StoreNameError> {
        let Some((store, number)) = text.split_once('#') else {
            return text.parse().map(Self::first);
        };
        let number: Option<u32> = number.parse().ok().filter(|number| *number > 1);
        Ok(Self {
            store: store.parse()?,
            number: number.ok_or_else(|| StoreNameError(text.chars().take(80).collect()))?,
        })
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PieceCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            0 | 1 => self.store.fmt(f),
            number => write!(f, "{}#{number}", self.store),
        }
    }
}

impl TryFrom<String> for StoreName {
    type Error = StoreNameError;

    fn try_from(text: String) -> Result<Self, StoreNameError> {
        text.parse()
    }
}

impl TryFrom<String> for PieceCopy {
    type Error = StoreNameError;

    fn try_from(text: String) -> Result<Self, StoreNameError> {
        text.parse()
    }
}

impl From<StoreName> for String {
    fn from(name: StoreName) -> Self {
        name.0
    }
}

impl From<PieceCopy> for String {
    fn from(copy: PieceCopy) -> Self {
        copy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_reads_back_what_it_prints_and_has_a_key_of_its_own() {
        for (text, key) in [("cloud", "a.bak"), ("cloud#2", "a.bak.copy2")] {
            let copy: PieceCopy = text.parse().expect("a copy");
            assert_eq!(copy.to_string(), text);
            assert_eq!(copy.key("a.bak"), key);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "Cloud",
            "-a",
            "a b",
            "../x",
            "a#1",
            "a#x",
            "a#",
            &"a".repeat(41),
        ] {
            assert!(text.parse::<PieceCopy>().is_err(), "{text}");
        }
    }
}
