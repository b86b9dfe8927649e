//! The date of tape media: five bytes, local time, whole seconds, no zone.
//!
//! Start at [`MediaTime`]. The zone, where known, stands apart in the backup set, in quarter-hours.
//!
//! This file never asks a clock for the time and never converts between zones.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes;

/// A local date and time as media hold it. All zero means "none".
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct MediaTime {
    /// Year, 0 to 16383.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
}

impl MediaTime {
    /// Bytes that a date takes on media.
    pub const BYTES: usize = 5;

    /// Whether this is "none".
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// `None` for the all-zero date, else the date.
    #[must_use]
    pub fn some(self) -> Option<Self> {
        (!self.is_none()).then_some(self)
    }

    /// The date in five big-endian bit fields (14, 4, 5, 5, 6, 6); other bits are cut off.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let packed = FIELDS
            .iter()
            .zip(self.fields())
            .fold(0_u64, |packed, (bits, field)| {
                packed << bits | u64::from(field) & mask(*bits)
            });
        bytes::array_at(&packed.to_be_bytes(), 3)
    }

    /// The date that [`MediaTime::to_bytes`] wrote; impossible months and hours are kept as found.
    #[must_use]
    pub fn from_bytes(raw: [u8; Self::BYTES]) -> Self {
        let mut wide = [0; 8];
        wide[3..].copy_from_slice(&raw);
        let packed = u64::from_be_bytes(wide);
        let field = |shift: u32, bits: u32| packed >> shift & mask(bits);
        let small = |shift, bits| u8::try_from(field(shift, bits)).unwrap_or(0);
        Self {
            year: u16::try_from(field(26, 14)).unwrap_or(0),
            month: small(22, 4),
            day: small(17, 5),
            hour: small(12, 5),
            minute: small(6, 6),
            second: small(0, 6),
        }
    }

    pub(crate) fn read(record: &[u8], offset: usize) -> Self {
        Self::from_bytes(bytes::array_at(record, offset))
    }

    fn fields(self) -> [u16; 6] {
        [
            self.year,
            self.month.into(),
            self.day.into(),
            self.hour.into(),
            self.minute.into(),
            self.second.into(),
        ]
    }
}

const FIELDS: [u32; 6] = [14, 4, 5, 5, 6, 6];

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl fmt::Display for MediaTime {
    /// `2026-11-21T09:30:00`, a local time without zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [year, month, day, hour, minute, second] = self.fields();
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_bytes_of_a_real_shape_read_as_its_date() {
        let time = MediaTime::from_bytes([0x1f, 0x8b, 0x2a, 0xb6, 0x9f]);
        assert_eq!(time.to_string(), "2018-12-21T11:26:31");
        assert_eq!(time.to_bytes(), [0x1f, 0x8b, 0x2a, 0xb6, 0x9f]);
    }

    #[test]
    fn all_zero_is_none() {
        assert_eq!(MediaTime::from_bytes([0; 5]).some(), None);
    }
}
