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
mod tests {
    use super::*;

    /// Rules rather than names, since a bare machine has no tz database.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

    fn zone(rule: &str) -> TimeZone {
        TimeZone::posix(rule).expect("a rule of POSIX")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    /// The next local times of an expression, each with its offset.
    fn next(expression: &str, after: &str, zone: &TimeZone, count: usize) -> Vec<String> {
        next_runs(expression, at(after), zone, count)
            .expect("valid")
            .into_iter()
            .map(|at| {
                let at = jiff::Timestamp::from_millisecond(at.millis()).expect("in range");
                at.to_zoned(zone.clone())
                    .strftime("%a %d %H:%M%:z")
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn weekdays_are_those_of_a_crontab() {
        for (weekday, first) in [
            ("0", "Sun 22"),
            ("7", "Sun 22"),
            ("sun", "Sun 22"),
            ("1", "Mon 23"),
            ("6", "Sat 21"),
            ("Fri", "Fri 27"),
            ("1-5", "Mon 23"),
            ("mon-fri/2", "Mon 23"),
            ("5-7", "Sat 21"),
            ("2,4", "Tue 24"),
            ("*/3", "Sat 21"),
        ] {
            let found = next(
                &format!("30 2 * * {weekday}"),
                "2026-11-21T00:00:00Z",
                &TimeZone::UTC,
                1,
            );
            assert_eq!(found, [format!("{first} 02:30+00:00")], "{weekday}");
        }
    }

    #[test]
    fn what_no_crontab_takes_is_refused() {
        for text in [
            "",
            "* * * *",
            "0 * * * * *",
            "@daily",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "? * * * *",
            "5/15 * * * *",
            "*/0 * * * *",
            "*/-1 * * * *",
            "9-3 * * * *",
            "* * * * fri-mon",
            "* * L * *",
            "* * * * 1#2",
            "* * * * 5L",
            "1,,2 * * * *",
            "* * * foo *",
            "1- * * * *",
            "* * * * monday",
            "999999999999999999999 * * * *",
            "*/99999999999 * * * *",
            "30 2 30 2 *",
            "* * * * *\u{a0}x",
        ] {
            assert!(Schedule::parse(text).is_err(), "`{text}` was taken");
        }
    }

    #[test]
    fn day_of_month_and_weekday_mean_either_where_both_are_given() {
        let found = next("0 3 13 * fri", "2026-11-01T00:00:00Z", &TimeZone::UTC, 4);
        assert_eq!(
            found,
            [
                "Fri 06 03:00+00:00",
                "Fri 13 03:00+00:00",
                "Fri 20 03:00+00:00",
                "Fri 27 03:00+00:00"
            ]
        );
        let found = next("0 3 */2 * fri", "2026-11-01T00:00:00Z", &TimeZone::UTC, 2);
        assert_eq!(
            found,
            ["Fri 13 03:00+00:00", "Fri 27 03:00+00:00"],
            "a field that begins with `*` narrows"
        );
    }

    #[test]
    fn a_time_that_clocks_skip_comes_once_at_the_first_that_they_show() {
        let berlin = zone(BERLIN);
        let found = next("30 2 * * *", "2026-03-28T12:00:00Z", &berlin, 2);
        assert_eq!(found, ["Sun 29 03:00+02:00", "Mon 30 02:30+02:00"]);
        let found = next("*/30 2,3 * * *", "2026-03-28T12:00:00Z", &berlin, 3);
        assert_eq!(
            found,
            [
                "Sun 29 03:00+02:00",
                "Sun 29 03:30+02:00",
                "Mon 30 02:00+02:00"
            ]
        );
    }

    #[test]
    fn a_time_that_clocks_show_twice_comes_once() {
        let berlin = zone(BERLIN);
        let found = next("0,30 2 * * *", "2026-10-24T12:00:00Z", &berlin, 3);
        assert_eq!(
            found,
            [
                "Sun 25 02:00+02:00",
                "Sun 25 02:30+02:00",
                "Mon 26 02:00+01:00"
            ]
        );
    }

    #[test]
    fn what_goes_on_every_hour_leaves_no_hole_where_clocks_go_back() {
        let berlin = zone(BERLIN);
        let found = next("*/30 * * * *", "2026-10-25T00:00:00Z", &berlin, 4);
        assert_eq!(
            found,
            [
                "Sun 25 02:30+02:00",
                "Sun 25 02:00+01:00",
                "Sun 25 02:30+01:00",
                "Sun 25 03:00+01:00"
            ]
        );
    }

    #[test]
    fn a_change_by_half_an_hour_is_followed() {
        // Lord Howe moves by half an hour.
        let found = next("15 2 * * *", "2026-10-03T00:00:00Z", &zone(LORD_HOWE), 1);
        assert_eq!(found, ["Sun 04 02:30+11:00"]);
    }

    #[test]
    fn the_29th_of_february_comes() {
        assert_eq!(
            next("0 0 29 2 *", "2026-01-01T00:00:00Z", &TimeZone::UTC, 1),
            ["Tue 29 00:00+00:00"]
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]
        #[test]
        fn runs_agree_with_a_minute_by_minute_reading(
            from in 0_i64..100_000,
            minute in proptest::sample::select(vec!["*/15", "0", "7,37", "20-25"]),
            hour in proptest::sample::select(vec!["*", "*/2", "1", "2", "0-3", "23"]),
            rule in proptest::sample::select(vec![BERLIN, NEW_YORK, LORD_HOWE, "UTC0"]),
        ) {
            let zone = zone(rule);
            // A day from before a change of the clocks on, in the spring or autumn of these zones.
            let starts = ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-03-07T12:00:00Z", "2026-10-31T20:00:00Z", "2026-04-04T08:00:00Z"];
            let after = at(starts[usize::try_from(from % 5).expect("small")]).plus_millis(from * 997);
            let expression = format!("{minute} {hour} * * *");
            let found = next_runs(&expression, after, &zone, 5).expect("valid");
            proptest::prop_assert_eq!(found, by_hand(&expression, after, &zone, 5), "{}", expression);
        }
    }

    /// The rules of [`next_runs`] the slow way: every minute of time is asked whether its local time, or one
    /// that clocks skipped just before it, is due and has not been shown before.
    fn by_hand(
        expression: &str,
        after: Timestamp,
        zone: &TimeZone,
        count: usize,
    ) -> Vec<Timestamp> {
        let schedule = Schedule::parse(expression).expect("valid");
        let is_due = |local: civil::DateTime| {
            let before = local
                .checked_sub(jiff::Span::new().seconds(1))
                .expect("in range");
            schedule.next_civil(before) == Some(local)
        };
        let mut found = Vec::new();
        let mut minute = after.millis() / 60_000;
        while found.len() < count {
            minute += 1;
            let at = jiff::Timestamp::from_millisecond(minute * 60_000).expect("in range");
            let local = |at: jiff::Timestamp| zone.to_datetime(at);
            let previous = at
                .checked_sub(jiff::SignedDuration::from_mins(1))
                .expect("in range");
            let (here, mut missed) = (local(at), local(previous));
            let mut due = is_due(here);
            // Local times between the minute before and this one were skipped.
            while missed < here {
                missed = missed
                    .checked_add(jiff::Span::new().minutes(1))
                    .expect("in range");
                due |= is_due(missed);
            }
            if due && (schedule.is_hourly || !was_shown(here, at, zone)) {
                found.push(Timestamp::from_millis(minute * 60_000));
            }
        }
        found
    }

    /// Whether clocks have shown this local time in the three hours before.
    fn was_shown(local: civil::DateTime, at: jiff::Timestamp, zone: &TimeZone) -> bool {
        (1..=180).any(|minutes| {
            let earlier = at.checked_sub(jiff::SignedDuration::from_mins(minutes));
            zone.to_datetime(earlier.expect("in range")) == local
        })
    }
}
