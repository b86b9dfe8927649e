//! Functions of dates and times.
//!
//! Start at [`FUNCTIONS`]. The part of `DATEADD` and its kin comes as a text. Functions that tell
//! the time are not here: they need a clock.

use jiff::civil::DateTime;

use super::{Builtin, INT, ResultType, bad_argument, int_of, text_of};
use crate::error::SqlResult;
use crate::messages;
use crate::value::convert::{cast, implicit};
use crate::value::date::{self, DatePart};
use crate::value::{SqlType, Typed, Value};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin {
        name: "DATEADD",
        least: 3,
        most: 3,
        ty: ResultType::Moved,
        run: add,
    },
    Builtin {
        name: "DATEDIFF",
        least: 3,
        most: 3,
        ty: INT,
        run: difference,
    },
    Builtin {
        name: "DATEDIFF_BIG",
        least: 3,
        most: 3,
        ty: ResultType::Fixed(SqlType::BigInt),
        run: difference,
    },
    Builtin {
        name: "DATEPART",
        least: 2,
        most: 2,
        ty: INT,
        run: part_of,
    },
    Builtin {
        name: "DATENAME",
        least: 2,
        most: 2,
        ty: ResultType::Fixed(SqlType::NVarChar(Some(30))),
        run: name_of,
    },
    Builtin {
        name: "YEAR",
        least: 1,
        most: 1,
        ty: INT,
        run: |a, _| single(a, DatePart::Year),
    },
    Builtin {
        name: "MONTH",
        least: 1,
        most: 1,
        ty: INT,
        run: |a, _| single(a, DatePart::Month),
    },
    Builtin {
        name: "DAY",
        least: 1,
        most: 1,
        ty: INT,
        run: |a, _| single(a, DatePart::Day),
    },
    Builtin {
        name: "EOMONTH",
        least: 1,
        most: 2,
        ty: ResultType::Fixed(SqlType::Date),
        run: end_of_month,
    },
    Builtin {
        name: "ISDATE",
        least: 1,
        most: 1,
        ty: INT,
        run: is_date,
    },
    Builtin {
        name: "SWITCHOFFSET",
        least: 2,
        most: 2,
        ty: ResultType::Fixed(SqlType::DateTimeOffset(7)),
        run: switch_offset,
    },
    Builtin {
        name: "TODATETIMEOFFSET",
        least: 2,
        most: 2,
        ty: ResultType::Fixed(SqlType::DateTimeOffset(7)),
        run: to_offset,
    },
];

/// The named part. Fails with 155 for a name that is none.
fn part(arguments: &[Typed], function: &str) -> SqlResult<DatePart> {
    let name = text_of(arguments, 0)?.unwrap_or_default();
    DatePart::named(&name)
        .ok_or_else(|| messages::unrecognized_option(&name.to_lowercase(), function))
}

/// An argument as a civil time; `None` is NULL.
fn time_of(arguments: &[Typed], index: usize) -> SqlResult<Option<DateTime>> {
    let Some(typed) = arguments.get(index) else {
        return Ok(None);
    };
    let ty = if typed.ty.is_number() {
        SqlType::DateTime
    } else {
        SqlType::DateTime2(7)
    };
    match cast(typed, ty, None)? {
        Value::DateTime(time) => Ok(Some(time)),
        _ => Ok(None),
    }
}

fn add(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let part = part(arguments, "dateadd")?;
    let (Some(count), Some(typed)) = (int_of(arguments, 1)?, arguments.get(2)) else {
        return Ok(Value::Null);
    };
    let overflow = || messages::date_add_overflow(ty.base_name());
    let moved = |time: DateTime| part.add(time, count).ok_or_else(overflow);
    match implicit(typed, ty)? {
        Value::Null => Ok(Value::Null),
        Value::DateTime(time) if ty == SqlType::DateTime => date::round_to_datetime(moved(time)?)
            .map(Value::DateTime)
            .ok_or_else(overflow),
        Value::DateTime(time) => Ok(Value::DateTime(moved(time)?)),
        Value::DateTimeOffset {
            utc,
            offset_minutes,
        } => Ok(Value::DateTimeOffset {
            utc: moved(utc)?,
            offset_minutes,
        }),
        Value::Date(day) => Ok(Value::Date(moved(day.at(0, 0, 0, 0))?.date())),
        Value::Time(time) => Ok(Value::Time(
            moved(date::epoch().date().to_datetime(time))?.time(),
        )),
        _ => Err(bad_argument(arguments, 2, "dateadd")),
    }
}

fn difference(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let part = part(arguments, "datediff")?;
    let (Some(from), Some(to)) = (time_of(arguments, 1)?, time_of(arguments, 2)?) else {
        return Ok(Value::Null);
    };
    part.difference(from, to)
        .filter(|n| ty == SqlType::BigInt || i32::try_from(*n).is_ok())
        .map(Value::Int)
        .ok_or_else(messages::date_difference_overflow)
}

/// `DATEPART(TZOFFSET, ..)`: minutes ahead of UTC, which only `datetimeoffset` knows; elsewhere it is 0.
fn zone_offset(arguments: &[Typed]) -> Value {
    match arguments.get(1).map(|typed| &typed.value) {
        Some(Value::DateTimeOffset { offset_minutes, .. }) => Value::Int((*offset_minutes).into()),
        Some(Value::Null) | None => Value::Null,
        Some(_) => Value::Int(0),
    }
}

fn part_of(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let name = text_of(arguments, 0)?.unwrap_or_default().to_lowercase();
    if name == "tzoffset" || name == "tz" {
        return Ok(zone_offset(arguments));
    }
    let part = part(arguments, "datepart")?;
    Ok(time_of(arguments, 1)?.map_or(Value::Null, |time| Value::Int(part.of(time))))
}

fn name_of(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let part = part(arguments, "datename")?;
    let Some(time) = time_of(arguments, 1)? else {
        return Ok(Value::Null);
    };
    Ok(match part {
        DatePart::Month => Value::text(date::month_name(time.month())),
        DatePart::Weekday => Value::Text(format!("{:?}", time.date().weekday())),
        part => Value::Text(part.of(time).to_string()),
    })
}

fn single(arguments: &[Typed], part: DatePart) -> SqlResult<Value> {
    Ok(time_of(arguments, 0)?.map_or(Value::Null, |time| Value::Int(part.of(time))))
}

fn end_of_month(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let Some(time) = time_of(arguments, 0)? else {
        return Ok(Value::Null);
    };
    let months = int_of(arguments, 1)?.unwrap_or(0);
    date::end_of_month(time.date(), months)
        .map(Value::Date)
        .ok_or_else(|| messages::date_add_overflow("date"))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of all functions")]
fn is_date(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    let date = !typed.value.is_null() && cast(typed, SqlType::DateTime, None).is_ok();
    Ok(Value::Int(date.into()))
}

/// An offset: minutes, or `+hh:mm`.
fn offset_of(arguments: &[Typed]) -> SqlResult<Option<i16>> {
    let invalid = || {
        crate::error::SqlError::new(
            9812,
            16,
            "The timezone provided to builtin function switchoffset is invalid.",
        )
    };
    let minutes = match arguments.get(1).map(|typed| &typed.value) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) => {
            let parsed = date::parse(&format!("2000-01-01 00:00:00 {text}"));
            parsed.and_then(|parsed| parsed.offset_minutes)
        }
        Some(_) => int_of(arguments, 1)?.and_then(|n| i16::try_from(n).ok()),
    };
    minutes
        .filter(|n| (-840..=840).contains(n))
        .map(Some)
        .ok_or_else(invalid)
}

fn switch_offset(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    match (cast(typed, ty, None)?, offset_of(arguments)?) {
        (Value::DateTimeOffset { utc, .. }, Some(offset_minutes)) => Ok(Value::DateTimeOffset {
            utc,
            offset_minutes,
        }),
        _ => Ok(Value::Null),
    }
}

fn to_offset(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let (Some(local), Some(offset_minutes)) = (time_of(arguments, 0)?, offset_of(arguments)?)
    else {
        return Ok(Value::Null);
    };
    let overflow = || messages::date_add_overflow("datetimeoffset");
    let utc = date::to_utc(local, offset_minutes).ok_or_else(overflow)?;
    Ok(Value::DateTimeOffset {
        utc,
        offset_minutes,
    })
}
