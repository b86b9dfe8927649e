//! To dates and times.
//!
//! Start at [`cast`].

use jiff::civil::DateTime;

use super::super::{SqlType, Value, date};
use crate::error::{SqlError, SqlResult};
use crate::messages;

/// A moment as it is converted: civil, with the offset that it came with.
struct Moment {
    local: DateTime,
    offset_minutes: i16,
}

/// Converts to `datetime`, `datetime2`, `datetimeoffset`, `date` or `time`.
pub(super) fn cast(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    let Moment {
        local,
        offset_minutes,
    } = moment(value, from, to)?;
    let range = || out_of_range(from, to);
    Ok(match to {
        SqlType::DateTime => Value::DateTime(date::round_to_datetime(local).ok_or_else(range)?),
        SqlType::DateTime2(digits) => {
            Value::DateTime(date::round_to_digits(local, digits).ok_or_else(range)?)
        }
        SqlType::DateTimeOffset(digits) => {
            let local = date::round_to_digits(local, digits).ok_or_else(range)?;
            let utc = date::to_utc(local, offset_minutes).ok_or_else(range)?;
            Value::DateTimeOffset {
                utc,
                offset_minutes,
            }
        }
        SqlType::Date => Value::Date(local.date()),
        SqlType::Time(digits) => {
            // Rounding up at the end of a day must not wrap; SQL Server stays at the last moment.
            let rounded = date::round_to_digits(local, digits).ok_or_else(range)?;
            let same_day = rounded.date() == local.date();
            Value::Time(if same_day {
                rounded.time()
            } else {
                local.time()
            })
        }
        _ => return Err(super::refused(from, to)),
    })
}

fn out_of_range(from: SqlType, to: SqlType) -> SqlError {
    messages::date_out_of_range(from.base_name(), to.base_name())
}

fn moment(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Moment> {
    let civil = |local: DateTime| {
        Ok(Moment {
            local,
            offset_minutes: 0,
        })
    };
    match value {
        Value::DateTime(time) => civil(*time),
        Value::Date(day) if !matches!(to, SqlType::Time(_)) => civil(day.at(0, 0, 0, 0)),
        Value::Time(time) if to != SqlType::Date => civil(date::epoch().date().to_datetime(*time)),
        Value::DateTimeOffset {
            utc,
            offset_minutes,
        } => {
            let local = date::to_local(*utc, *offset_minutes);
            let local = local.ok_or_else(|| out_of_range(from, to))?;
            Ok(Moment {
                local,
                offset_minutes: *offset_minutes,
            })
        }
        Value::Text(text) => {
            let parsed = date::parse(text).ok_or_else(messages::date_conversion_failed)?;
            let refused = to == SqlType::DateTime && parsed.offset_minutes.is_some_and(|n| n != 0);
            if refused {
                return Err(messages::date_conversion_failed());
            }
            let offset_minutes = parsed.offset_minutes.unwrap_or(0);
            Ok(Moment {
                local: parsed.time,
                offset_minutes,
            })
        }
        Value::Int(_) | Value::Bit(_) | Value::Decimal(_) | Value::Float(_)
            if to == SqlType::DateTime =>
        {
            let days = match value {
                Value::Decimal(n) => n.to_f64(),
                Value::Float(n) => *n,
                other => super::super::Decimal::from(other.as_int().unwrap_or(0)).to_f64(),
            };
            let overflow = || messages::arithmetic_overflow("expression", "datetime");
            civil(date::from_days(days).ok_or_else(overflow)?)
        }
        _ => Err(super::refused(from, to)),
    }
}
