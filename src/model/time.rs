//! Two kinds of time that are never compared with each other: ours ([`Timestamp`]) and a server's
//! ([`ServerLocal`], what msdb holds). Order between servers comes from LSNs and marks only.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// An instant in UTC, to the millisecond, from `World`'s clock; JSON: `2026-11-21T02:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant that many milliseconds after 1970-01-01 UTC, kept within years 1970 to 9998.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, 253_370_764_799_999))
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant and `millis` more.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// This instant and that much more.
    #[must_use]
    pub fn plus(self, more: std::time::Duration) -> Self {
        self.plus_millis(i64::try_from(more.as_millis()).unwrap_or(i64::MAX))
    }

    /// The instant in names of files and objects, `2026_11_21_02_00_00_007`.
    #[must_use]
    pub fn file_stamp(self) -> String {
        self.civil_utc()
            .strftime("%Y_%m_%d_%H_%M_%S_%3f")
            .to_string()
    }

    /// The civil date and time in UTC.
    #[must_use]
    pub fn civil_utc(self) -> civil::DateTime {
        jiff::Timestamp::from_millisecond(self.0)
            .expect("kept within jiff's range by from_millis")
            .to_zoned(TimeZone::UTC)
            .datetime()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.civil_utc().strftime("%Y-%m-%dT%H:%M:%S%.3f"))
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Self::from_millis(at.as_millisecond()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

/// A time as a server's msdb holds it: civil, in that server's zone, with the offset that the survey saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerLocal {
    /// The civil time on the server.
    pub civil: civil::DateTime,
    /// The server's offset from UTC in minutes when the survey asked; none where nobody said.
    pub offset_minutes: Option<i16>,
}

impl ServerLocal {
    /// The time in UTC as far as its server knew: for comparing two times of one server, and for nothing else. A time
    /// without an offset is taken as it is.
    #[must_use]
    pub fn civil_utc(self) -> civil::DateTime {
        let minutes = i64::from(self.offset_minutes.unwrap_or_default());
        self.civil
            .saturating_sub(jiff::Span::new().minutes(minutes))
    }
}

impl fmt::Display for ServerLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil.strftime("%Y-%m-%d %H:%M:%S"))?;
        self.offset_minutes.map_or(Ok(()), |minutes| {
            let sign = if minutes < 0 { '-' } else { '+' };
            let size = minutes.unsigned_abs();
            write!(f, " {sign}{:02}:{:02}", size / 60, size % 60)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_back_what_it_prints() {
        let at = Timestamp::from_millis(1_795_226_400_123);
        assert_eq!(at.to_string(), "2026-11-21T02:00:00.123Z");
        assert_eq!(at.to_string().parse::<Timestamp>().expect("own text"), at);
    }

    #[test]
    fn a_servers_time_shows_its_offset() {
        let civil = civil::date(2026, 11, 21).at(9, 30, 0, 0);
        let text = |offset_minutes| {
            ServerLocal {
                civil,
                offset_minutes,
            }
            .to_string()
        };
        assert_eq!(text(Some(-210)), "2026-11-21 09:30:00 -03:30");
        assert_eq!(text(None), "2026-11-21 09:30:00");
    }
}
