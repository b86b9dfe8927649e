//! Dates and times as TDS counts them, both ways.
//!
//! Start at [`days_since_1900`] and [`scaled_time`]. The calendar is jiff's; here are only the
//! epochs and units: days from 1900-01-01 or 0001-01-01, 1/300 s, powers of ten of a second.

use jiff::ToSpan;
use jiff::civil::{Date, Time, date};

/// Nanoseconds of a day.
const DAY_NANOSECONDS: u64 = 86_400_000_000_000;
const SECOND_NANOSECONDS: u64 = 1_000_000_000;
/// `datetime` counts a second in 300 parts.
const TICKS_A_SECOND: u64 = 300;

/// Days from 1900-01-01; negative before it.
pub(super) fn days_since_1900(day: Date) -> i32 {
    days_between(date(1900, 1, 1), day)
}

/// The day so many days from 1900-01-01, where the calendar reaches it.
pub(super) fn day_of_1900(days: i64) -> Option<Date> {
    day_after(date(1900, 1, 1), days)
}

/// Days from 0001-01-01, the epoch of `date` and `datetime2`.
pub(super) fn days_since_year_one(day: Date) -> u32 {
    u32::try_from(days_between(date(1, 1, 1), day)).unwrap_or(0)
}

/// The day so many days from 0001-01-01, where the calendar reaches it.
pub(super) fn day_of_year_one(days: u32) -> Option<Date> {
    day_after(date(1, 1, 1), days.into())
}

/// Time of day in units of ten to the minus `scale` seconds, and how many days rounding carried
/// it over midnight (0 or 1).
pub(super) fn scaled_time(time: Time, scale: u8) -> (u64, u8) {
    let unit = unit_nanoseconds(scale);
    round(nanoseconds(time), unit, DAY_NANOSECONDS / unit)
}

/// The time of day that [`scaled_time`] wrote.
pub(super) fn time_of_scaled(units: u64, scale: u8) -> Option<Time> {
    time_of(units.checked_mul(unit_nanoseconds(scale))?)
}

/// Time of day in 1/300 s, and the days carried over midnight.
pub(super) fn ticks(time: Time) -> (u64, u8) {
    let ticks = (nanoseconds(time) * TICKS_A_SECOND + SECOND_NANOSECONDS / 2) / SECOND_NANOSECONDS;
    carry(ticks, 86_400 * TICKS_A_SECOND)
}

/// The time of day of so many 1/300 s, in whole milliseconds as SQL Server shows it (.000, .003,
/// .007).
pub(super) fn time_of_ticks(ticks: u64) -> Option<Time> {
    let milliseconds = ticks.checked_mul(10)?.checked_add(1)? / 3;
    time_of(milliseconds.checked_mul(1_000_000)?)
}

/// Bytes that a time of this scale takes: 3, 4 or 5.
pub(super) const fn time_bytes(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    }
}

/// The next day; the last one stays.
pub(super) fn carried(day: Date, days: u8) -> Date {
    day.saturating_add(i64::from(days).days())
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

fn day_after(epoch: Date, days: i64) -> Option<Date> {
    let span = jiff::Span::new().try_days(days).ok()?;
    epoch.checked_add(span).ok().filter(|day| day.year() >= 1)
}

const fn unit_nanoseconds(scale: u8) -> u64 {
    match scale {
        0 => 1_000_000_000,
        1 => 100_000_000,
        2 => 10_000_000,
        3 => 1_000_000,
        4 => 100_000,
        5 => 10_000,
        6 => 1_000,
        _ => 100,
    }
}

fn nanoseconds(time: Time) -> u64 {
    let of = |value: i8| u64::try_from(value).unwrap_or(0);
    let seconds = of(time.hour()) * 3600 + of(time.minute()) * 60 + of(time.second());
    seconds * SECOND_NANOSECONDS + u64::try_from(time.subsec_nanosecond()).unwrap_or(0)
}

fn time_of(nanoseconds: u64) -> Option<Time> {
    if nanoseconds >= DAY_NANOSECONDS {
        return None;
    }
    let seconds = nanoseconds / SECOND_NANOSECONDS;
    let part = |value: u64| i8::try_from(value).ok();
    let rest = i32::try_from(nanoseconds % SECOND_NANOSECONDS).ok()?;
    Time::new(
        part(seconds / 3600)?,
        part(seconds / 60 % 60)?,
        part(seconds % 60)?,
        rest,
    )
    .ok()
}

const fn round(nanoseconds: u64, unit: u64, units_a_day: u64) -> (u64, u8) {
    carry((nanoseconds + unit / 2) / unit, units_a_day)
}

const fn carry(units: u64, units_a_day: u64) -> (u64, u8) {
    if units >= units_a_day {
        (units - units_a_day, 1)
    } else {
        (units, 0)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn epochs_are_day_zero() {
        assert_eq!(days_since_1900(date(1900, 1, 1)), 0);
        assert_eq!(days_since_1900(date(1753, 1, 1)), -53_690);
        assert_eq!(days_since_year_one(date(9999, 12, 31)), 3_652_058);
        assert_eq!(day_of_year_one(3_652_058), Some(date(9999, 12, 31)));
        assert_eq!(day_of_1900(-53_690), Some(date(1753, 1, 1)));
        assert_eq!(day_of_year_one(u32::MAX), None);
    }

    #[test]
    fn datetime_rounds_to_0_3_and_7_milliseconds() {
        for (written, read) in [(1, 0), (2, 3), (4, 3), (5, 7), (6, 7), (8, 7)] {
            let (ticks, _) = ticks(time(12, 0, 0, written * 1_000_000));
            assert_eq!(
                time_of_ticks(ticks),
                Some(time(12, 0, 0, read * 1_000_000)),
                "{written}"
            );
        }
    }

    #[test]
    fn the_last_moment_of_a_day_rounds_into_the_next() {
        let last = time(23, 59, 59, 999_999_999);
        assert_eq!(ticks(last), (0, 1));
        assert_eq!(scaled_time(last, 0), (0, 1));
        assert_eq!(
            scaled_time(time(23, 59, 59, 999_999_900), 7),
            (863_999_999_999, 0)
        );
        assert_eq!(time_of_scaled(864_000_000_000, 7), None);
    }
}
