//! What a schedule makes due: the jobs, and what the file says of each.
//!
//! Start at [`Job`]. When a job is due is for `service::due` to say; this file only holds what was asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::model::Timestamp;

/// Work that comes round; the order is that of beginning where several are due at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Fulls of all members.
    Full,
    /// Differentials of all members.
    Differential,
    /// A mark and logs.
    Log,
    /// Fulls of the databases beside the group.
    Companions,
    /// Stored copies proven again.
    Scrub,
    /// What no rule keeps is let go.
    Prune,
    /// The restore of a whole Point rehearsed.
    Drill,
}

impl Job {
    /// Every job, in the order of beginning.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Differential,
        Self::Log,
        Self::Companions,
        Self::Scrub,
        Self::Prune,
        Self::Drill,
    ];

    /// Its key in `[schedule]`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Differential => "differential",
            Self::Log => "log",
            Self::Companions => "companions",
            Self::Scrub => "scrub",
            Self::Prune => "prune",
            Self::Drill => "drill",
        }
    }
}

/// When which job is due.
#[derive(Clone, Debug, Default)]
pub struct ScheduleConfig {
    /// The jobs that come round; the others are done when a person says so.
    pub jobs: BTreeMap<Job, JobConfig>,
}

/// When one job is due.
#[derive(Clone, Debug)]
pub struct JobConfig {
    /// The expression as written.
    pub expression: String,
    /// What it means.
    pub schedule: Schedule,
    /// Whose local time it is.
    pub zone: TimeZone,
    /// Up to this much later, by chance: agents of many groups then do not all begin at once.
    pub jitter: Duration,
    /// Hours of the day outside of which it does not begin, be it late or tried again; none: any hour.
    pub window: Option<DayWindow>,
    /// Whether what was missed is made up for, once, as soon as it may be.
    pub catch_up: bool,
    /// How many bytes a scrub reads back; none: everything.
    pub budget_bytes: Option<u64>,
    /// What makes fulls due beside their time.
    pub triggers: TriggersConfig,
}

/// What makes fulls due beside their time; a broken chain does so whatever stands here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TriggersConfig {
    /// All logs that a member has stored since its newest full, in bytes.
    pub log_since_bytes: Option<u64>,
    /// How old a member's newest full may become.
    pub age: Option<Duration>,
}

/// Some hours of each day, in local time; it may span midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayWindow {
    /// When it opens.
    pub from: civil::Time,
    /// When it closes; this moment is no part of it.
    pub until: civil::Time,
}

impl JobConfig {
    /// A job of this schedule with nothing of its own.
    #[must_use]
    pub fn of(expression: &str, schedule: Schedule, zone: TimeZone) -> Self {
        Self {
            expression: expression.to_owned(),
            schedule,
            zone,
            jitter: Duration::ZERO,
            window: None,
            catch_up: true,
            budget_bytes: None,
            triggers: TriggersConfig::default(),
        }
    }

    /// The first instant after `after` at which the expression comes.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next_after(after, &self.zone)
    }

    /// The zone as people name it.
    #[must_use]
    pub fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or("local time")
    }
}

impl DayWindow {
    /// Whether it is open at this time of day; one without length always is.
    #[must_use]
    pub fn holds(&self, time: civil::Time) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&time)
        } else {
            time >= self.from || time < self.until
        }
    }

    /// The first instant from `from` on at which it is open.
    #[must_use]
    pub fn opens(&self, from: Timestamp, zone: &TimeZone) -> Timestamp {
        let Ok(instant) = jiff::Timestamp::from_millisecond(from.millis()) else {
            return from;
        };
        let local = zone.to_datetime(instant);
        if self.holds(local.time()) {
            return from;
        }
        let days = std::iter::successors(Some(local.date()), |day| day.tomorrow().ok());
        // A day on which clocks skip the opening opens with the first time that they show after it.
        let openings = days.take(3).filter_map(|day| {
            let opening = zone.to_ambiguous_timestamp(day.to_datetime(self.from));
            opening.compatible().ok()
        });
        let mut later = openings.filter(|opening| *opening >= instant);
        later
            .next()
            .map_or(from, |at| Timestamp::from_millis(at.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i8, until: i8) -> DayWindow {
        DayWindow {
            from: civil::time(from, 0, 0, 0),
            until: civil::time(until, 0, 0, 0),
        }
    }

    #[test]
    fn a_window_may_span_midnight() {
        let night = window(22, 6);
        for (hour, is_open) in [(21, false), (22, true), (0, true), (5, true), (6, false)] {
            assert_eq!(night.holds(civil::time(hour, 0, 0, 0)), is_open, "{hour}");
        }
        assert!(window(3, 3).holds(civil::time(12, 0, 0, 0)));
    }

    #[test]
    fn a_closed_window_opens_at_its_next_beginning() {
        let at = |text: &str| -> Timestamp { text.parse().expect("a timestamp") };
        let night = window(22, 6);
        for (from, opens) in [
            ("2026-11-21T12:00:00Z", "2026-11-21T22:00:00Z"),
            ("2026-11-21T23:00:00Z", "2026-11-21T23:00:00Z"),
            ("2026-11-21T06:00:00Z", "2026-11-21T22:00:00Z"),
        ] {
            assert_eq!(night.opens(at(from), &TimeZone::UTC), at(opens), "{from}");
        }
        assert_eq!(
            window(1, 2).opens(at("2026-11-21T12:00:00Z"), &TimeZone::UTC),
            at("2026-11-22T01:00:00Z")
        );
    }
}
