//! Schedules: the five fields of `man 5 crontab`, and the instants at which they come in a time zone.
//!
//! Start at [`Schedule::parse`] and [`Schedule::next_after`]. The `cron` crate counts over time without a zone;
//! the mapping to instants is done here, because its own is wrong where clocks change. This file never asks
//! what time it is.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Timelike as _, Utc};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::Timestamp;

/// Sunday is 0, as in a crontab; 7 is folded onto it.
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error("a schedule has five fields, this one has {0}")]
    Fields(usize),
    /// A field that no crontab would take.
    #[error("`{0}` is not a {1}")]
    Field(String, &'static str),
    /// A date that is in no calendar, the 30th of February.
    #[error("`{0}` never comes")]
    Never(String),
}

/// When something is due: minute, hour, day of month, month, weekday, in local time.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Two where day of month and weekday are both given: a crontab then means either of them.
    parts: Vec<cron::Schedule>,
    /// Whether it goes on through every hour, and so also through an hour that clocks show twice.
    is_hourly: bool,
}

/// The next `count` instants after `after` at which the expression comes in `zone`. A time that clocks skip
/// comes at the first instant that they show; one that they show twice comes once, unless the hour's field
/// begins with `*`: then time simply goes on.
pub fn next_runs(
    expression: &str,
    after: Timestamp,
    zone: &TimeZone,
    count: usize,
) -> Result<Vec<Timestamp>, ScheduleError> {
    let schedule = Schedule::parse(expression)?;
    let next = |at: &Timestamp| schedule.next_after(*at, zone);
    Ok(
        std::iter::successors(schedule.next_after(after, zone), next)
            .take(count)
            .collect(),
    )
}

impl Schedule {
    /// Reads an expression as a crontab does: weekdays are 0 to 7 or names, Sunday is 0 and 7.
    pub fn parse(expression: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields(fields.len()));
        };
        for (field, what) in [
            (minute, "minute"),
            (hour, "hour"),
            (day, "day of month"),
            (month, "month"),
        ] {
            plain(field, what)?;
        }
        let weekdays = weekdays(weekday)?;
        let part =
            |day: &str, weekdays: &str| cron_part(minute, hour, day, month, weekdays, expression);
        let parts = if day.starts_with('*') || weekday.starts_with('*') {
            vec![part(day, &weekdays)?]
        } else {
            vec![part(day, "*")?, part("*", &weekdays)?]
        };
        let schedule = Self {
            parts,
            is_hourly: hour.starts_with('*'),
        };
        // Eight years hold every pair of date and weekday that a calendar has, but for 1896 and its like.
        let from = civil::date(2024, 1, 1).at(0, 0, 0, 0);
        if schedule.next_civil(from).is_none() {
            return Err(ScheduleError::Never(expression.to_owned()));
        }
        Ok(schedule)
    }

    /// The first instant after `after` at which the schedule comes in `zone`; none past the year 2100.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = jiff::Timestamp::from_millisecond(after.millis()).ok()?;
        loop {
            // Between two changes of the clocks local time and time run together, so the search is plain there.
            let offset = zone.to_offset(from);
            let change = zone.following(from).next().map(|change| change.timestamp());
            let found = self.before_change(offset.to_datetime(from), offset, change, zone);
            if let Some(at) = found {
                return Some(Timestamp::from_millis(at.as_millisecond()));
            }
            let change = change?;
            if self.comes_at_change(change, offset, zone.to_offset(change)) {
                return Some(Timestamp::from_millis(change.as_millisecond()));
            }
            self.next_civil(offset.to_datetime(change))?;
            from = change;
        }
    }

    /// The first local time after `local` that stands before the next change of the clocks.
    fn before_change(
        &self,
        mut local: civil::DateTime,
        offset: Offset,
        change: Option<jiff::Timestamp>,
        zone: &TimeZone,
    ) -> Option<jiff::Timestamp> {
        loop {
            local = self.next_civil(local)?;
            let at = offset.to_timestamp(local).ok()?;
            if change.is_some_and(|change| at >= change) {
                return None;
            }
            if self.is_hourly || !is_second_showing(local, offset, zone) {
                return Some(at);
            }
        }
    }

    /// Whether the schedule comes at the very instant at which clocks change: by a local time that they skip
    /// there, or by the one that they then show.
    fn comes_at_change(&self, change: jiff::Timestamp, before: Offset, after: Offset) -> bool {
        let shown = after.to_datetime(change);
        let skips_from = before.to_datetime(change).min(shown);
        let is_shown_again = after < before;
        let next = skips_from
            .checked_sub(jiff::Span::new().seconds(1))
            .ok()
            .and_then(|just_before| self.next_civil(just_before));
        next.is_some_and(|next| next <= shown) && (self.is_hourly || !is_shown_again)
    }

    /// The first local time after `local`, zones apart.
    fn next_civil(&self, local: civil::DateTime) -> Option<civil::DateTime> {
        let after = to_chrono(local)?;
        let next = |part: &cron::Schedule| part.after(&after).next();
        self.parts
            .iter()
            .filter_map(next)
            .min()
            .and_then(from_chrono)
    }
}

/// Whether clocks show this local time for the second time at this offset.
fn is_second_showing(local: civil::DateTime, offset: Offset, zone: &TimeZone) -> bool {
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Fold { after, .. } => after == offset,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => false,
    }
}

/// One expression for the `cron` crate, which wants seconds first.
fn cron_part(
    minute: &str,
    hour: &str,
    day: &str,
    month: &str,
    weekdays: &str,
    whole: &str,
) -> Result<cron::Schedule, ScheduleError> {
    format!("0 {minute} {hour} {day} {month} {weekdays}")
        .parse()
        .map_err(|_| {
            ScheduleError::Field(whole.to_owned(), "schedule: a value is out of its range")
        })
}

/// Refuses what the `cron` crate takes and a crontab does not, or takes for something else: `?`, names other
/// than months', a step without a range, a range that runs backwards.
fn plain(field: &str, what: &'static str) -> Result<(), ScheduleError> {
    let bad = || ScheduleError::Field(field.to_owned(), what);
    let is_value = |text: &str| {
        let is_number =
            !text.is_empty() && text.len() <= 2 && text.chars().all(|c| c.is_ascii_digit());
        is_number
            || (what == "month" && text.len() == 3 && text.chars().all(|c| c.is_ascii_alphabetic()))
    };
    for item in field.split(',') {
        let (range, step) = split_step(item);
        let is_range = range
            .split_once('-')
            .is_some_and(|(from, to)| is_value(from) && is_value(to));
        let is_open = range == "*" || is_range;
        let is_step =
            step.is_none_or(|step| is_open && step.parse::<u8>().is_ok_and(|step| step > 0));
        if !is_step || !(is_open || is_value(range)) {
            return Err(bad());
        }
    }
    Ok(())
}

fn split_step(item: &str) -> (&str, Option<&str>) {
    item.split_once('/')
        .map_or((item, None), |(range, step)| (range, Some(step)))
}

/// A crontab's weekdays as names, because the `cron` crate counts them from 1.
fn weekdays(field: &str) -> Result<String, ScheduleError> {
    if field == "*" {
        return Ok(field.to_owned());
    }
    let mut is_due = [false; 7];
    for item in field.split(',') {
        let days =
            weekday_range(item).ok_or_else(|| ScheduleError::Field(field.to_owned(), "weekday"))?;
        for day in days {
            is_due[day % 7] = true;
        }
    }
    let names = WEEKDAYS.iter().zip(is_due).filter(|(_, is_due)| *is_due);
    Ok(names.map(|(name, _)| *name).collect::<Vec<_>>().join(","))
}

/// `3`, `wed`, `1-5`, `mon-fri`, `*/2` or `1-5/2`, as days from 0 to 7.
fn weekday_range(item: &str) -> Option<impl Iterator<Item = usize>> {
    let (range, step) = split_step(item);
    let (from, to) = match range.split_once('-') {
        Some((from, to)) => (weekday(from)?, weekday(to)?),
        None if range == "*" => (0, 6),
        // A step needs a range to step through.
        None if step.is_some() => return None,
        None => (weekday(range)?, weekday(range)?),
    };
    let step = match step {
        Some(step) => step.parse().ok().filter(|step| *step > 0)?,
        None => 1,
    };
    (from <= to).then(|| (from..=to).step_by(step))
}

fn weekday(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let by_name = WEEKDAYS.iter().position(|name| *name == lower);
    by_name.or_else(|| match text.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(usize::from(digit - b'0')),
        _ => None,
    })
}

/// Local time in chrono's words; its UTC stands for "no zone".
fn to_chrono(local: civil::DateTime) -> Option<DateTime<Utc>> {
    let field = |value: i8| u32::try_from(value).ok();
    let date = NaiveDate::from_ymd_opt(
        i32::from(local.year()),
        field(local.month())?,
        field(local.day())?,
    )?;
    let time = date.and_hms_opt(
        field(local.hour())?,
        field(local.minute())?,
        field(local.second())?,
    )?;
    time.and_utc()
        .checked_add_signed(TimeDelta::nanoseconds(i64::from(local.subsec_nanosecond())))
}

fn from_chrono(time: DateTime<Utc>) -> Option<civil::DateTime> {
    let field = |value: u32| i8::try_from(value).ok();
    civil::DateTime::new(
        i16::try_from(time.year()).ok()?,
        field(time.month())?,
        field(time.day())?,
        field(time.hour())?,
        field(time.minute())?,
        field(time.second())?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests;
