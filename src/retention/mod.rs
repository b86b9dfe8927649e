//! Retention: which Points are kept, by which rule, and which pieces nobody needs any more.
//!
//! Start at [`verdict`]. Rules keep and never let go; a Point goes when no rule keeps it, and a piece when no kept
//! Point needs it and no chain goes on from it. [`without`] says what is left of the sets afterwards.
//!
//! This room never talks to a store or a clock, and never judges whether a mark is a Point: `chain` does.

mod candidates;
mod companions;
mod pruned;
mod rules;
mod running;
mod verdict;

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::model::{MarkName, MemberName, Timestamp};

pub use pruned::{PiecesOf, PrunedSet, without};
pub use verdict::{Fate, History, PieceVerdict, PointVerdict, Verdict, verdict};

/// A person's word that a Point stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The mark.
    pub mark: MarkName,
    /// Why, in the person's words.
    pub reason: String,
    /// Who.
    pub by: String,
    /// Until when; none: until it is unpinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Pin {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A stretch of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A day.
    Day,
    /// Monday to Sunday, as ISO 8601 counts weeks.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Period {
    /// Which one holds this instant in that zone: `2026-11-21`, `2026-W47`, `2026-11`, `2026`.
    #[must_use]
    pub fn of(self, at: Timestamp, zone: &TimeZone) -> String {
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.millis()) else {
            return String::new(); // Timestamps are within jiff's range.
        };
        let date = instant.to_zoned(zone.clone()).date();
        match self {
            Self::Day => date.to_string(),
            Self::Week => {
                let week = date.iso_week_date();
                format!("{}-W{:02}", week.year(), week.week())
            }
            Self::Month => date.strftime("%Y-%m").to_string(),
            Self::Year => date.strftime("%Y").to_string(),
        }
    }
}

/// The rule that keeps a Point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Kept {
    /// Nobody said what may go.
    NoPolicy,
    /// The newest of all: the group's standing.
    Newest,
    /// The newest whose pieces were all read back: whatever the policy, one proven Point stays.
    Proven,
    /// The newest with a member that the newest of all is without.
    NewestWith {
        /// The member, of best effort.
        member: MemberName,
    },
    /// Among the newest so many.
    Last {
        /// Its place, 1 for the newest.
        nth: u32,
        /// How many are kept.
        of: u32,
    },
    /// Not old enough.
    Young {
        /// When it will be, if newer ones come.
        until: Timestamp,
    },
    /// The newest of a day, week, month or year.
    Calendar {
        /// Which kind.
        period: Period,
        /// Which one, as [`Period::of`] writes it.
        name: String,
        /// Its place among those that have a Point, 1 for the newest.
        nth: u32,
        /// How many are kept.
        of: u32,
    },
    /// Somebody pinned it.
    Pinned {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when; none: until it is unpinned.
        until: Option<Timestamp>,
    },
    /// It passed a drill.
    Drilled {
        /// Its place among those that did, 1 for the newest.
        nth: u32,
        /// How many are kept.
        of: u32,
    },
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("no `[retention]`"),
            Self::Newest => f.write_str("the newest"),
            Self::Proven => f.write_str("the newest proven one"),
            Self::NewestWith { member } => write!(f, "the newest with `{member}`"),
            Self::Last { nth, of } => write!(f, "last {nth} of {of}"),
            Self::Young { until } => write!(f, "until {}", minute(*until)),
            Self::Calendar { name, nth, of, .. } => write!(f, "{name} ({nth} of {of})"),
            Self::Pinned { by, reason, until } => {
                write!(f, "pinned by {by}")?;
                until.map_or(Ok(()), |until| write!(f, " until {}", minute(until)))?;
                write!(f, ": {reason}")
            }
            Self::Drilled { nth, of } => write!(f, "drilled {nth} of {of}"),
        }
    }
}

/// An instant to the minute, in UTC.
fn minute(at: Timestamp) -> impl fmt::Display {
    at.civil_utc().strftime("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests;
