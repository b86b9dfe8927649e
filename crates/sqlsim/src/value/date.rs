//! Dates and times as text, and back; and the arithmetic of `DATEADD` and its kin.
//!
//! Start at [`parse`], [`format()`](fn@format) and [`DatePart`]. There is no clock here and no time
//! zone but the offset that a text names itself.

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, ToSpan};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// What a text says: a civil time, and the offset in minutes where one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The civil time; 1900-01-01 where only a time is written, midnight where only a date is.
    pub time: DateTime,
    /// Minutes east of UTC.
    pub offset_minutes: Option<i16>,
}

/// Day zero of `datetime`.
#[must_use]
pub fn epoch() -> DateTime {
    jiff::civil::date(1900, 1, 1).at(0, 0, 0, 0)
}

/// Reads the forms that SQL Server reads under `us_english`: ISO with `T` or a blank, `yyyymmdd`,
/// `m/d/yyyy`, `Mon d yyyy`, a time alone, each with an optional fraction, `AM`/`PM` and offset.
#[must_use]
pub fn parse(text: &str) -> Option<Parsed> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Parsed {
            time: epoch(),
            offset_minutes: None,
        });
    }
    let (date, rest) = parse_date(text).map_or((epoch().date(), text), |(date, rest)| (date, rest));
    let rest = rest.strip_prefix('T').unwrap_or(rest).trim_start();
    let (rest, offset_minutes) = parse_offset(rest)?;
    let time = if rest.is_empty() {
        Time::midnight()
    } else {
        parse_time(rest)?
    };
    Some(Parsed {
        time: date.to_datetime(time),
        offset_minutes,
    })
}

fn parse_date(text: &str) -> Option<(Date, &str)> {
    let end = text
        .find(|c: char| c == 'T' && !text.starts_with(char::is_alphabetic) || c == ' ')
        .unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    if let Some(date) = parse_numeric_date(first) {
        return Some((date, rest));
    }
    // `Nov 21 2026`: month, day and year are separate words, and commas may follow.
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (month, day, year) = (words.next()?, words.next()?, words.next()?);
    let month = 1 + MONTHS.iter().position(|name| {
        month
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    })?;
    let date = new_date(
        year.parse().ok()?,
        i8::try_from(month).ok()?,
        day.trim_end_matches(',').parse().ok()?,
    )?;
    let consumed = text.find(year)? + year.len();
    Some((date, text.get(consumed..)?))
}

fn parse_numeric_date(text: &str) -> Option<Date> {
    if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return new_date(
            text[..4].parse().ok()?,
            text[4..6].parse().ok()?,
            text[6..].parse().ok()?,
        );
    }
    let mut parts = text.split(['-', '/', '.']);
    let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some()
        || [a, b, c]
            .iter()
            .any(|p| !p.bytes().all(|b| b.is_ascii_digit()))
    {
        return None;
    }
    match (a.len(), c.len()) {
        (4, 1..=2) => new_date(a.parse().ok()?, b.parse().ok()?, c.parse().ok()?),
        (1..=2, 4) => new_date(c.parse().ok()?, a.parse().ok()?, b.parse().ok()?),
        _ => None,
    }
}

fn new_date(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day)
        .ok()
        .filter(|date| date.year() >= 1)
}

/// Splits an offset such as `+01:00` or `Z` off the end.
fn parse_offset(text: &str) -> Option<(&str, Option<i16>)> {
    if let Some(rest) = text.strip_suffix(['Z', 'z']) {
        return Some((rest.trim_end(), Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text.trim_end(), None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let (hours, minutes): (i16, i16) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=14).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let total = hours * 60 + minutes;
    let sign = if text[at..].starts_with('-') { -1 } else { 1 };
    Some((text[..at].trim_end(), Some(sign * total)))
}

fn parse_time(text: &str) -> Option<Time> {
    let upper = text.to_ascii_uppercase();
    let (clock, afternoon) = match upper.strip_suffix("PM") {
        Some(clock) => (clock, Some(true)),
        None => match upper.strip_suffix("AM") {
            Some(clock) => (clock, Some(false)),
            None => (upper.as_str(), None),
        },
    };
    let mut parts = clock.trim().split(':');
    let hour: i8 = digits(parts.next()?)?;
    let minute: i8 = match parts.next() {
        Some(minute) => digits(minute)?,
        None => afternoon.map(|_| 0)?,
    };
    let seconds = parts.next().unwrap_or("0");
    // `ss:mmm` is an old way of writing milliseconds.
    let (second, fraction) = match parts.next() {
        Some(milliseconds) => (seconds, milliseconds),
        None => seconds.split_once('.').unwrap_or((seconds, "")),
    };
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanosecond: i32 = if fraction.is_empty() {
        0
    } else {
        digits::<i32>(&format!("{fraction:0<9}"))?
    };
    let hour = match afternoon {
        None => hour,
        Some(afternoon) if (1..=12).contains(&hour) => hour % 12 + if afternoon { 12 } else { 0 },
        Some(_) => return None,
    };
    Time::new(hour, minute, digits(second)?, nanosecond).ok()
}

/// A number of digits alone: no sign, no blank.
fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// Rounds to the 1/300 s of `datetime`; `None` beyond its years (1753 to 9999).
#[must_use]
pub fn round_to_datetime(time: DateTime) -> Option<DateTime> {
    let nanoseconds = i64::from(time.subsec_nanosecond());
    let ticks = (nanoseconds * 3 + 5_000_000) / 10_000_000;
    let milliseconds = (ticks * 10 + 1) / 3;
    let rounded = with_subsecond(time, milliseconds * 1_000_000)?;
    (1753..=9999).contains(&rounded.year()).then_some(rounded)
}

/// Rounds to a number of fractional digits, at most 7.
#[must_use]
pub fn round_to_digits(time: DateTime, digits: u8) -> Option<DateTime> {
    let unit = 10_i64.pow(9 - u32::from(digits.min(7)));
    let nanoseconds = i64::from(time.subsec_nanosecond());
    with_subsecond(time, (nanoseconds + unit / 2) / unit * unit)
}

fn with_subsecond(time: DateTime, nanoseconds: i64) -> Option<DateTime> {
    let whole = time.with().subsec_nanosecond(0).build().ok()?;
    whole
        .checked_add(SignedDuration::from_nanos(nanoseconds))
        .ok()
}

/// Text of a civil time in a `CONVERT` style; `digits` of the second's fraction where the style
/// shows it. `None` for a style that does not exist. `127` is as `126`.
#[must_use]
pub fn format(time: DateTime, style: i64, digits: u8) -> Option<String> {
    let (year, month, day) = (time.year(), time.month(), time.day());
    let short = year % 100;
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let clock = format!(
        "{:02}:{:02}:{:02}",
        time.hour(),
        time.minute(),
        time.second()
    );
    let fraction = fraction(time.subsec_nanosecond(), digits);
    Some(match style {
        0 | 100 => format!("{name} {day:>2} {year} {}", twelve_hours(time)),
        1 => format!("{month:02}/{day:02}/{short:02}"),
        101 => format!("{month:02}/{day:02}/{year:04}"),
        102 => format!("{year:04}.{month:02}.{day:02}"),
        103 => format!("{day:02}/{month:02}/{year:04}"),
        104 => format!("{day:02}.{month:02}.{year:04}"),
        105 => format!("{day:02}-{month:02}-{year:04}"),
        106 => format!("{day:02} {name} {year:04}"),
        8 | 24 | 108 => clock,
        110 => format!("{month:02}-{day:02}-{year:04}"),
        111 => format!("{year:04}/{month:02}/{day:02}"),
        12 => format!("{short:02}{month:02}{day:02}"),
        112 => format!("{year:04}{month:02}{day:02}"),
        14 | 114 => format!("{clock}{}", fraction.replacen('.', ":", 1)),
        20 | 120 => format!("{year:04}-{month:02}-{day:02} {clock}"),
        21 | 25 | 121 => format!("{year:04}-{month:02}-{day:02} {clock}{fraction}"),
        23 => format!("{year:04}-{month:02}-{day:02}"),
        126 | 127 => {
            let shown = if time.subsec_nanosecond() == 0 {
                String::new()
            } else {
                fraction
            };
            format!("{year:04}-{month:02}-{day:02}T{clock}{shown}")
        }
        _ => return None,
    })
}

/// `hh:mm:ss.fffffff` with so many digits.
#[must_use]
pub fn format_time(time: Time, digits: u8) -> String {
    let fraction = fraction(time.subsec_nanosecond(), digits);
    format!(
        "{:02}:{:02}:{:02}{fraction}",
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// `+hh:mm`
#[must_use]
pub fn format_offset(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn fraction(nanoseconds: i32, digits: u8) -> String {
    let all = format!("{nanoseconds:09}");
    match digits {
        0 => String::new(),
        n => format!(".{}", &all[..usize::from(n.min(9))]),
    }
}

fn twelve_hours(time: DateTime) -> String {
    let half = if time.hour() < 12 { "AM" } else { "PM" };
    let hour = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{hour:>2}:{:02}{half}", time.minute())
}

/// A part of a date, as `DATEADD` and its kin name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "every variant is the date part of the same name"
)]
pub enum DatePart {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    IsoWeek,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl DatePart {
    /// The part of a name or an abbreviation, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "yy" | "yyyy" => Self::Year,
            "quarter" | "qq" | "q" => Self::Quarter,
            "month" | "mm" | "m" => Self::Month,
            "dayofyear" | "dy" | "y" => Self::DayOfYear,
            "day" | "dd" | "d" => Self::Day,
            "week" | "wk" | "ww" => Self::Week,
            "iso_week" | "isowk" | "isoww" => Self::IsoWeek,
            "weekday" | "dw" | "w" => Self::Weekday,
            "hour" | "hh" => Self::Hour,
            "minute" | "mi" | "n" => Self::Minute,
            "second" | "ss" | "s" => Self::Second,
            "millisecond" | "ms" => Self::Millisecond,
            "microsecond" | "mcs" => Self::Microsecond,
            "nanosecond" | "ns" => Self::Nanosecond,
            _ => return None,
        })
    }

    /// `DATEPART`, with weeks that begin on Sunday as under `us_english`.
    #[must_use]
    pub fn of(self, time: DateTime) -> i64 {
        let nanoseconds = i64::from(time.subsec_nanosecond());
        match self {
            Self::Year => time.year().into(),
            Self::Quarter => (i64::from(time.month()) + 2) / 3,
            Self::Month => time.month().into(),
            Self::DayOfYear => time.date().day_of_year().into(),
            Self::Day => time.day().into(),
            Self::Week => {
                let first = time
                    .date()
                    .first_of_year()
                    .weekday()
                    .to_sunday_zero_offset();
                (i64::from(time.date().day_of_year()) + i64::from(first) + 6) / 7
            }
            Self::IsoWeek => time.date().iso_week_date().week().into(),
            Self::Weekday => i64::from(time.date().weekday().to_sunday_one_offset()),
            Self::Hour => time.hour().into(),
            Self::Minute => time.minute().into(),
            Self::Second => time.second().into(),
            Self::Millisecond => nanoseconds / 1_000_000,
            Self::Microsecond => nanoseconds / 1000,
            Self::Nanosecond => nanoseconds,
        }
    }

    /// `DATEADD`; `None` beyond the years 1 to 9999.
    #[must_use]
    pub fn add(self, time: DateTime, count: i64) -> Option<DateTime> {
        // jiff refuses spans beyond its range by panicking in the short constructors.
        let months = |count: i64| jiff::Span::new().try_months(count).ok();
        let days = |count: i64| jiff::Span::new().try_days(count).ok();
        let moved = match self {
            Self::Year => time.checked_add(months(count.checked_mul(12)?)?),
            Self::Quarter => time.checked_add(months(count.checked_mul(3)?)?),
            Self::Month => time.checked_add(months(count)?),
            Self::DayOfYear | Self::Day | Self::Weekday => time.checked_add(days(count)?),
            Self::Week | Self::IsoWeek => time.checked_add(days(count.checked_mul(7)?)?),
            _ => time.checked_add(self.duration(count)?),
        };
        moved
            .ok()
            .filter(|moved| (1..=9999).contains(&moved.year()))
    }

    fn duration(self, count: i64) -> Option<SignedDuration> {
        let nanoseconds = i128::from(count).checked_mul(self.nanoseconds()?.into())?;
        let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
        let rest = i64::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?;
        SignedDuration::from_secs(seconds).checked_add(SignedDuration::from_nanos(rest))
    }

    /// The length of a part shorter than a day.
    const fn nanoseconds(self) -> Option<i64> {
        Some(match self {
            Self::Hour => 3_600_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Second => 1_000_000_000,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1000,
            Self::Nanosecond => 1,
            _ => return None,
        })
    }

    /// `DATEDIFF`: how many boundaries of the part lie between; `None` beyond 64 bits.
    #[must_use]
    pub fn difference(self, from: DateTime, to: DateTime) -> Option<i64> {
        let months = |t: DateTime| i64::from(t.year()) * 12 + i64::from(t.month()) - 1;
        let days = |t: DateTime| t.date().duration_since(epoch().date()).as_hours() / 24;
        // Day zero was a Monday; a week begins on Sunday.
        let week = |t: DateTime| (days(t) + 1).div_euclid(7);
        Some(match self {
            Self::Year => i64::from(to.year()) - i64::from(from.year()),
            Self::Quarter => months(to).div_euclid(3) - months(from).div_euclid(3),
            Self::Month => months(to) - months(from),
            Self::DayOfYear | Self::Day | Self::Weekday => days(to) - days(from),
            Self::Week | Self::IsoWeek => week(to) - week(from),
            _ => {
                let unit = i128::from(self.nanoseconds()?);
                let units = |t: DateTime| t.duration_since(epoch()).as_nanos().div_euclid(unit);
                i64::try_from(units(to) - units(from)).ok()?
            }
        })
    }
}

/// The days since 1900-01-01 with their fraction, as `datetime` becomes a number.
#[must_use]
pub fn days_since_epoch(time: DateTime) -> f64 {
    time.duration_since(epoch()).as_secs_f64() / 86_400.0
}

/// The `datetime` that lies so many days after 1900-01-01; `None` beyond its years.
#[must_use]
pub fn from_days(days: f64) -> Option<DateTime> {
    let seconds = days * 86_400.0;
    let duration = SignedDuration::try_from_secs_f64(seconds).ok()?;
    round_to_datetime(epoch().checked_add(duration).ok()?)
}

/// The last day of a month so many months away, as `EOMONTH` yields it.
#[must_use]
pub fn end_of_month(date: Date, months: i64) -> Option<Date> {
    let moved = DatePart::Month.add(date.at(0, 0, 0, 0), months)?;
    Some(moved.date().last_of_month())
}

/// The name of a month, in English.
#[must_use]
pub fn month_name(month: i8) -> &'static str {
    [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ]
    .get(usize::try_from(month - 1).unwrap_or(0))
    .copied()
    .unwrap_or_default()
}

/// The moment in UTC of a civil time with an offset.
#[must_use]
pub fn to_utc(local: DateTime, offset_minutes: i16) -> Option<DateTime> {
    local.checked_sub(i64::from(offset_minutes).minutes()).ok()
}

/// The civil time that a moment in UTC is shown as.
#[must_use]
pub fn to_local(utc: DateTime, offset_minutes: i16) -> Option<DateTime> {
    utc.checked_add(i64::from(offset_minutes).minutes()).ok()
}

#[cfg(test)]
mod tests;
