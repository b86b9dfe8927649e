//! What comes back over a link, as the simulator's own values and columns.
//!
//! Start at [`column`] and [`value`]. The client library tells the family of a type and not its
//! length, so that lengths are as wide as the family allows.

use jiff::civil::{Date, DateTime, Time};
use tiberius::{ColumnData, ColumnType};

use crate::value::{Column, Decimal, SqlType, Value};

/// The first day that `date` can hold; TDS counts from it.
const EPOCH_DATE: Date = Date::constant(1, 1, 1);
/// The day from which `datetime` counts.
const EPOCH_DATETIME: Date = Date::constant(1900, 1, 1);

/// A column of a remote result.
#[must_use]
pub(super) fn column(column: &tiberius::Column) -> Column {
    Column::new(column.name(), ty(column.column_type()))
}

fn ty(ty: ColumnType) -> SqlType {
    match ty {
        ColumnType::Bit | ColumnType::Bitn => SqlType::Bit,
        ColumnType::Int1 => SqlType::TinyInt,
        ColumnType::Int2 => SqlType::SmallInt,
        ColumnType::Int4 | ColumnType::Null => SqlType::Int,
        ColumnType::Int8 | ColumnType::Intn => SqlType::BigInt,
        ColumnType::Float4 | ColumnType::Float8 | ColumnType::Floatn => SqlType::Float,
        ColumnType::Money | ColumnType::Money4 => SqlType::Money,
        ColumnType::Decimaln | ColumnType::Numericn => SqlType::Decimal {
            precision: 38,
            scale: 0,
        },
        ColumnType::Datetime | ColumnType::Datetime4 | ColumnType::Datetimen => SqlType::DateTime,
        ColumnType::Datetime2 => SqlType::DateTime2(7),
        ColumnType::DatetimeOffsetn => SqlType::DateTimeOffset(7),
        ColumnType::Daten => SqlType::Date,
        ColumnType::Timen => SqlType::Time(7),
        ColumnType::Guid => SqlType::UniqueIdentifier,
        ColumnType::BigVarBin | ColumnType::BigBinary | ColumnType::Image | ColumnType::Udt => {
            SqlType::VarBinary(None)
        }
        ColumnType::BigVarChar | ColumnType::BigChar | ColumnType::Text => {
            SqlType::VarChar(Some(8000))
        }
        ColumnType::NVarchar
        | ColumnType::NChar
        | ColumnType::NText
        | ColumnType::Xml
        | ColumnType::SSVariant => SqlType::NVarChar(Some(4000)),
    }
}

/// Widens columns to what their rows hold: scales of decimals, integers narrower than `bigint`,
/// and texts too long for a bounded type.
pub(super) fn fit(columns: &mut [Column], rows: &[Vec<Value>]) {
    for (at, column) in columns.iter_mut().enumerate() {
        let values = rows.iter().filter_map(|row| row.get(at));
        for value in values {
            column.ty = wider(column.ty, value);
        }
    }
}

fn wider(ty: SqlType, value: &Value) -> SqlType {
    match (ty, value) {
        (SqlType::Decimal { precision, scale }, Value::Decimal(number)) => SqlType::Decimal {
            precision,
            scale: scale.max(number.scale),
        },
        (SqlType::NVarChar(Some(limit)), Value::Text(text))
            if text.encode_utf16().count() > usize::from(limit) =>
        {
            SqlType::NVarChar(None)
        }
        (SqlType::VarChar(Some(limit)), Value::Text(text)) if text.len() > usize::from(limit) => {
            SqlType::VarChar(None)
        }
        _ => ty,
    }
}

/// A cell of a remote result.
#[must_use]
pub(super) fn value(data: &ColumnData<'_>) -> Value {
    match data {
        ColumnData::U8(number) => number.map(i64::from).into(),
        ColumnData::I16(number) => number.map(i64::from).into(),
        ColumnData::I32(number) => number.map(i64::from).into(),
        ColumnData::I64(number) => (*number).into(),
        ColumnData::F32(number) => number.map_or(Value::Null, |n| Value::Float(f64::from(n))),
        ColumnData::F64(number) => number.map_or(Value::Null, Value::Float),
        ColumnData::Bit(bit) => (*bit).into(),
        ColumnData::String(text) => text.as_deref().into(),
        ColumnData::Xml(xml) => xml.as_ref().map(ToString::to_string).into(),
        ColumnData::Guid(guid) => (*guid).into(),
        ColumnData::Binary(bytes) => bytes
            .as_deref()
            .map_or(Value::Null, |bytes| Value::Binary(bytes.to_vec())),
        ColumnData::Numeric(number) => number
            .map(|number| Decimal::new(number.value(), number.scale()))
            .into(),
        ColumnData::DateTime(time) => time.and_then(datetime).into(),
        ColumnData::SmallDateTime(time) => time
            .and_then(|time| {
                let minutes = i64::from(time.seconds_fragments());
                civil(
                    EPOCH_DATETIME,
                    time.days().into(),
                    minutes.checked_mul(60_000_000_000)?,
                )
            })
            .into(),
        ColumnData::DateTime2(time) => time.and_then(datetime2).into(),
        ColumnData::Date(day) => {
            let day = day.and_then(|day| civil(EPOCH_DATE, day.days().into(), 0));
            day.map_or(Value::Null, |day| Value::Date(day.date()))
        }
        ColumnData::Time(time) => {
            let time = time.and_then(|time| civil(EPOCH_DATE, 0, nanoseconds(time)?));
            time.map_or(Value::Null, |time| Value::Time(clock(time)))
        }
        ColumnData::DateTimeOffset(time) => time
            .and_then(|time| {
                let utc = datetime2(time.datetime2())?;
                Some(Value::DateTimeOffset {
                    utc,
                    offset_minutes: time.offset(),
                })
            })
            .unwrap_or(Value::Null),
    }
}

fn clock(time: DateTime) -> Time {
    time.time()
}

fn datetime(time: tiberius::time::DateTime) -> Option<DateTime> {
    // Three hundredths of a second, rounded to milliseconds as SQL Server shows them.
    let milliseconds = (i64::from(time.seconds_fragments()) * 10 + 1) / 3;
    civil(EPOCH_DATETIME, time.days().into(), milliseconds * 1_000_000)
}

fn datetime2(time: tiberius::time::DateTime2) -> Option<DateTime> {
    civil(
        EPOCH_DATE,
        time.date().days().into(),
        nanoseconds(time.time())?,
    )
}

fn nanoseconds(time: tiberius::time::Time) -> Option<i64> {
    let step = 10_i64.checked_pow(9_u32.checked_sub(u32::from(time.scale()))?)?;
    i64::try_from(time.increments()).ok()?.checked_mul(step)
}

fn civil(epoch: Date, days: i64, nanoseconds: i64) -> Option<DateTime> {
    let day = epoch
        .checked_add(jiff::Span::new().try_days(days).ok()?)
        .ok()?;
    day.to_datetime(Time::midnight())
        .checked_add(jiff::SignedDuration::from_nanos(nanoseconds))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datetime_is_rounded_to_what_sql_server_shows() {
        // One day and 0.997 seconds after the epoch: 299 three-hundredths.
        let time = tiberius::time::DateTime::new(1, 299);
        let shown = value(&ColumnData::DateTime(Some(time)));
        let expected = jiff::civil::date(1900, 1, 2).at(0, 0, 0, 997_000_000);
        assert_eq!(shown, Value::DateTime(expected));
    }

    #[test]
    fn a_datetime2_counts_from_the_first_year() {
        let date = tiberius::time::Date::new(739_575);
        let time = tiberius::time::Time::new(12_345_678, 7);
        let shown = value(&ColumnData::DateTime2(Some(
            tiberius::time::DateTime2::new(date, time),
        )));
        let Value::DateTime(shown) = shown else {
            panic!("not a date: {shown:?}")
        };
        assert_eq!(shown.subsec_nanosecond(), 234_567_800);
        assert_eq!((shown.date() - EPOCH_DATE).get_days(), 739_575);
    }

    #[test]
    fn columns_grow_to_what_their_rows_hold() {
        let mut columns = [Column::new(
            "n",
            SqlType::Decimal {
                precision: 38,
                scale: 0,
            },
        )];
        fit(&mut columns, &[vec![Value::Decimal(Decimal::new(105, 2))]]);
        assert_eq!(
            columns[0].ty,
            SqlType::Decimal {
                precision: 38,
                scale: 2
            }
        );
    }
}
