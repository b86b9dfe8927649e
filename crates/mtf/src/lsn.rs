//! The log sequence number: the only notion of "before" that all backups of a database share.
//!
//! Start at [`Lsn`]. On media it is ten bytes; T-SQL shows it as `numeric(25,0)`, and that decimal
//! text is also its serde form, because no number type of JSON holds it.
//!
//! This file never reads media: it only converts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes;

/// A place in a database's log: virtual log file, 512-byte block within it, record within that.
///
/// The derived order is log order. All zero means "none", as on media.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn {
    /// Sequence number of the virtual log file.
    pub vlf: u32,
    /// Offset in the virtual log file, in units of 512 bytes.
    pub block: u32,
    /// Record in the log block, from 1.
    pub slot: u16,
}

/// Why a text is not an LSN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a log sequence number")]
pub struct LsnError(String);

impl Lsn {
    /// "None": what media and msdb hold where there is no LSN.
    pub const ZERO: Self = Self::from_parts(0, 0, 0);

    /// Bytes that an LSN takes on media.
    pub const BYTES: usize = 10;

    /// The LSN made of these three parts.
    #[must_use]
    pub const fn from_parts(vlf: u32, block: u32, slot: u16) -> Self {
        Self { vlf, block, slot }
    }

    /// Whether this is "none".
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// The value that T-SQL shows as `numeric(25,0)`.
    #[must_use]
    pub fn to_decimal(self) -> u128 {
        u128::from(self.vlf) * VLF_UNIT
            + u128::from(self.block) * BLOCK_UNIT
            + u128::from(self.slot)
    }

    /// The LSN whose `numeric(25,0)` value this is, or `None` if a part is out of its range.
    #[must_use]
    pub fn from_decimal(value: u128) -> Option<Self> {
        Some(Self {
            vlf: u32::try_from(value / VLF_UNIT).ok()?,
            block: u32::try_from(value % VLF_UNIT / BLOCK_UNIT).ok()?,
            slot: u16::try_from(value % BLOCK_UNIT).ok()?,
        })
    }

    /// The text `vlf:block:slot` in hexadecimal, 8:8:4 digits, as `fn_dblog` prints it.
    #[must_use]
    pub fn colon(self) -> String {
        format!("{:08x}:{:08x}:{:04x}", self.vlf, self.block, self.slot)
    }

    /// Reads the ten bytes at `offset` of a record; bytes beyond its end count as zero.
    pub(crate) fn read(record: &[u8], offset: usize) -> Self {
        Self {
            vlf: bytes::u32_at(record, offset),
            block: bytes::u32_at(record, offset + 4),
            slot: bytes::u16_at(record, offset + 8),
        }
    }

    /// The ten bytes of this LSN as they stand on media.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..4].copy_from_slice(&self.vlf.to_le_bytes());
        out[4..8].copy_from_slice(&self.block.to_le_bytes());
        out[8..].copy_from_slice(&self.slot.to_le_bytes());
        out
    }

    /// The LSN that [`Lsn::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(raw: [u8; Self::BYTES]) -> Self {
        Self::read(&raw, 0)
    }
}

const VLF_UNIT: u128 = 1_000_000_000_000_000;
const BLOCK_UNIT: u128 = 100_000;

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_decimal(), f)
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    /// Reads the decimal text; signs, blanks and fractions are refused.
    fn from_str(text: &str) -> Result<Self, LsnError> {
        let refused = || LsnError(text.chars().take(64).collect());
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refused());
        }
        text.parse()
            .ok()
            .and_then(Self::from_decimal)
            .ok_or_else(refused)
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decimal_text_is_that_of_tsql() {
        let lsn = Lsn::from_parts(24, 68, 99);
        assert_eq!(lsn.to_string(), "24000000006800099");
        assert_eq!("24000000006800099".parse(), Ok(lsn));
        assert_eq!(lsn.colon(), "00000018:00000044:0063");
    }

    #[test]
    fn the_largest_lsn_survives_text_and_bytes() {
        let lsn = Lsn::from_parts(u32::MAX, u32::MAX, u16::MAX);
        assert_eq!(lsn.to_string().len(), 25);
        assert_eq!(lsn.to_string().parse(), Ok(lsn));
        assert_eq!(Lsn::from_bytes(lsn.to_bytes()), lsn);
    }

    #[test]
    fn texts_that_are_no_lsn_are_refused() {
        let beyond_block = "1999999999900001";
        let beyond_slot = "1000000000099999";
        for text in [
            "",
            "-1",
            "+1",
            " 1",
            "1.0",
            "18:44:63",
            beyond_block,
            beyond_slot,
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn order_is_log_order() {
        let rising = [
            Lsn::ZERO,
            Lsn::from_parts(1, 9, 9),
            Lsn::from_parts(2, 1, 3),
            Lsn::from_parts(2, 2, 1),
        ];
        assert!(rising.is_sorted());
    }
}
