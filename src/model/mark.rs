//! Marks: the named marked transactions that make one moment on several hosts.
//!
//! Start at [`MarkName::stamp`]. Stamps are UTC and strictly rising, whatever the clock does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Lsn, MemberName, Timestamp};

/// `BEGIN TRAN` takes transaction names of at most this many characters.
const MARK_NAME_CHARACTERS_MAX: usize = 32;

/// The first part of a group's mark names, 1 to 8 letters, digits: BizTalk's parameter is `nvarchar(8)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkPrefix(String);

/// A mark's name, `PFX_yyyy_MM_dd_HH_mm_ss_fff` in UTC; always compared case-sensitively.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkName(String);

/// A name that cannot be a mark's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkNameError {
    /// Not 1 to 8 ASCII letters and digits.
    #[error("`{0}` is not a mark prefix: use 1 to 8 letters and digits")]
    Prefix(String),
    /// Longer than a transaction name, empty, or with other characters than letters, digits and `_`.
    #[error("`{0}` is not a mark name: use 1 to 32 letters, digits and `_`")]
    Name(String),
}

/// Where a mark stands in one member's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMark {
    /// The member.
    pub member: MemberName,
    /// The mark's LSN in that member's log, from `msdb.dbo.logmarkhistory`.
    pub lsn: Lsn,
    /// The fork that the log was on: after a forced failover the same LSN may come again on another. None where an
    /// older version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork_guid: Option<Uuid>,
}

/// A mark that every member committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its name.
    pub name: MarkName,
    /// When Stopmark asked for it.
    pub placed_at: Timestamp,
    /// Its place in every member's log, in the order of the members' names.
    pub members: Vec<MemberMark>,
}

impl MarkPrefix {
    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MarkName {
    /// The name of a mark placed at `now`, later than `last` (when there was one) even if the clock is not:
    /// the stamp is `max(now, last + 1 ms)`, returned beside the name for the next call.
    #[must_use]
    pub fn stamp(
        prefix: &MarkPrefix,
        now: Timestamp,
        last: Option<Timestamp>,
    ) -> (Self, Timestamp) {
        let at = last.map_or(now, |last| now.max(last.plus_millis(1)));
        let stamp = at.civil_utc().strftime("%Y_%m_%d_%H_%M_%S_%3f");
        (Self(format!("{}_{stamp}", prefix.0)), at)
    }

    /// The name as SQL Server holds it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instant in the name, when it is one that [`Self::stamp`] made.
    #[must_use]
    pub fn stamped_at(&self) -> Option<Timestamp> {
        let (_, stamp) = self.0.split_once('_')?;
        let civil = jiff::civil::DateTime::strptime("%Y_%m_%d_%H_%M_%S_%f", stamp).ok()?;
        let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Timestamp::from_millis(at.as_millisecond()))
    }
}

impl FromStr for MarkPrefix {
    type Err = MarkNameError;

    fn from_str(text: &str) -> Result<Self, MarkNameError> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric());
        if plain && (1..=8).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MarkNameError::Prefix(text.to_owned()))
        }
    }
}

impl FromStr for MarkName {
    type Err = MarkNameError;

    fn from_str(text: &str) -> Result<Self, MarkNameError> {
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if plain && (1..=MARK_NAME_CHARACTERS_MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(MarkNameError::Name(text.to_owned()))
        }
    }
}

impl fmt::Display for MarkPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MarkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MarkPrefix {
    type Error = MarkNameError;

    fn try_from(text: String) -> Result<Self, MarkNameError> {
        text.parse()
    }
}

impl From<MarkPrefix> for String {
    fn from(prefix: MarkPrefix) -> Self {
        prefix.0
    }
}

impl TryFrom<String> for MarkName {
    type Error = MarkNameError;

    fn try_from(text: String) -> Result<Self, MarkNameError> {
        text.parse()
    }
}

impl From<MarkName> for String {
    fn from(name: MarkName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix() -> MarkPrefix {
        "BTS".parse().expect("valid")
    }

    #[test]
    fn a_mark_name_carries_its_stamp_in_utc() {
        let at = Timestamp::from_millis(1_795_226_400_007);
        let (name, stamp) = MarkName::stamp(&prefix(), at, None);
        assert_eq!(name.as_str(), "BTS_2026_11_21_02_00_00_007");
        assert_eq!((stamp, name.stamped_at()), (at, Some(at)));
    }

    #[test]
    fn stamps_rise_even_when_the_clock_steps_back() {
        let late = Timestamp::from_millis(1_795_226_400_007);
        let early = Timestamp::from_millis(1_795_226_000_000);
        let (_, stamp) = MarkName::stamp(&prefix(), early, Some(late));
        assert_eq!(stamp, late.plus_millis(1));
    }

    #[test]
    fn the_longest_prefix_still_fits_a_transaction_name() {
        let (name, _) = MarkName::stamp(
            &"ABCDEFGH".parse().expect("valid"),
            Timestamp::from_millis(0),
            None,
        );
        assert_eq!(name.as_str().len(), 32);
        assert!(name.as_str().parse::<MarkName>().is_ok());
    }

    #[test]
    fn names_that_could_inject_are_refused() {
        for text in ["", "a b", "a'b", "a]b", &"x".repeat(33)] {
            assert!(text.parse::<MarkName>().is_err(), "{text}");
        }
        assert!("TOOLONGPREFIX".parse::<MarkPrefix>().is_err());
    }
}
