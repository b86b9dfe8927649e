//! Types and values as the server sends them.
//!
//! Start at [`column_type`] and [`cell`] for result sets, [`type_info`] and [`value`] for the rest.
//! Numbers, money, `datetime` and `bit` have two forms, one of them without a length: SQL Server
//! sends that for columns that cannot be NULL, and `SqlClient` reads nothing else there. A value that
//! its column cannot hold is an error for the client to see, never a wrong value.

use jiff::civil::DateTime;

use super::{codepage, date};
use crate::error::SqlError;
use crate::messages;
use crate::value::{Column, Decimal, SqlType, Value};

/// `SQL_Latin1_General_CP1_CI_AS` for US English.
pub(super) const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// Bytes of `nvarchar(4000)` and `varchar(8000)`; what is longer travels in chunks.
const SHORT_BYTES_MAX: u16 = 8000;
const LENGTH_MAX_TYPE: u16 = 0xFFFF;
const PLP_NULL: u64 = u64::MAX;
const SHORT_NULL: u16 = 0xFFFF;

/// How the bytes of a value are counted.
enum Width {
    /// One byte of length, 0 for NULL.
    Byte,
    /// Two bytes of length, 0xFFFF for NULL.
    Short { bytes_max: u16 },
    /// Chunks after a length of eight bytes.
    Chunks,
}

/// Writes the `TYPE_INFO` of a column.
pub(super) fn column_type(out: &mut Vec<u8>, column: &Column) {
    match never_null(column) {
        Some(byte) => out.push(byte),
        None => type_info(out, column.ty),
    }
}

/// Writes a value of a column, or says why the column cannot hold it; then nothing was written.
pub(super) fn cell(out: &mut Vec<u8>, column: &Column, held: &Value) -> Result<(), SqlError> {
    if never_null(column).is_none() {
        return value(out, column.ty, held);
    }
    out.extend(content(column.ty, held).ok_or_else(|| unfit(held, column.ty))?);
    Ok(())
}

/// The type's form without a length, if the column takes it.
fn never_null(column: &Column) -> Option<u8> {
    if column.nullable {
        return None;
    }
    Some(match column.ty {
        SqlType::TinyInt => 0x30,
        SqlType::Bit => 0x32,
        SqlType::SmallInt => 0x34,
        SqlType::Int => 0x38,
        SqlType::Money => 0x3C,
        SqlType::DateTime => 0x3D,
        SqlType::Float => 0x3E,
        SqlType::BigInt => 0x7F,
        _ => return None,
    })
}

/// Writes a `TYPE_INFO`.
pub(super) fn type_info(out: &mut Vec<u8>, ty: SqlType) {
    match ty {
        SqlType::Bit => out.extend([0x68, 1]),
        SqlType::TinyInt => out.extend([0x26, 1]),
        SqlType::SmallInt => out.extend([0x26, 2]),
        SqlType::Int => out.extend([0x26, 4]),
        SqlType::BigInt => out.extend([0x26, 8]),
        SqlType::Float => out.extend([0x6D, 8]),
        SqlType::Money => out.extend([0x6E, 8]),
        SqlType::DateTime => out.extend([0x6F, 8]),
        SqlType::UniqueIdentifier => out.extend([0x24, 16]),
        SqlType::Date => out.push(0x28),
        SqlType::Time(scale) => out.extend([0x29, scale.min(7)]),
        SqlType::DateTime2(scale) => out.extend([0x2A, scale.min(7)]),
        SqlType::DateTimeOffset(scale) => out.extend([0x2B, scale.min(7)]),
        SqlType::Decimal { precision, scale } => {
            let length = u8::try_from(1 + decimal_bytes(precision)).unwrap_or(17);
            out.extend([0x6C, length, precision, scale]);
        }
        SqlType::NVarChar(_) => long_type(out, 0xE7, ty, true),
        SqlType::NChar(_) => long_type(out, 0xEF, ty, true),
        SqlType::VarChar(_) => long_type(out, 0xA7, ty, true),
        SqlType::Char(_) => long_type(out, 0xAF, ty, true),
        SqlType::VarBinary(_) => long_type(out, 0xA5, ty, false),
        SqlType::Binary(_) => long_type(out, 0xAD, ty, false),
    }
}

fn long_type(out: &mut Vec<u8>, byte: u8, ty: SqlType, collated: bool) {
    out.push(byte);
    let length = match width(ty) {
        Width::Short { bytes_max } => bytes_max,
        Width::Byte | Width::Chunks => LENGTH_MAX_TYPE,
    };
    out.extend(length.to_le_bytes());
    if collated {
        out.extend(COLLATION);
    }
}

/// Writes a value of a type, or says why the type cannot hold it; then nothing was written.
pub(super) fn value(out: &mut Vec<u8>, ty: SqlType, value: &Value) -> Result<(), SqlError> {
    if value.is_null() {
        match width(ty) {
            Width::Byte => out.push(0),
            Width::Short { .. } => out.extend(SHORT_NULL.to_le_bytes()),
            Width::Chunks => out.extend(PLP_NULL.to_le_bytes()),
        }
        return Ok(());
    }
    let bytes = content(ty, value).ok_or_else(|| unfit(value, ty))?;
    match width(ty) {
        Width::Byte => {
            out.push(u8::try_from(bytes.len()).map_err(|_| unfit(value, ty))?);
            out.extend(bytes);
        }
        Width::Short { bytes_max } => {
            let length = u16::try_from(bytes.len()).map_err(|_| messages::would_truncate())?;
            if length > bytes_max {
                return Err(messages::would_truncate());
            }
            out.extend(length.to_le_bytes());
            out.extend(bytes);
        }
        Width::Chunks => chunks(out, &bytes)?,
    }
    Ok(())
}

fn chunks(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), SqlError> {
    let length = u32::try_from(bytes.len()).map_err(|_| messages::would_truncate())?;
    out.extend(u64::from(length).to_le_bytes());
    if length > 0 {
        out.extend(length.to_le_bytes());
        out.extend(bytes);
    }
    // A chunk of no length ends the value.
    out.extend(0_u32.to_le_bytes());
    Ok(())
}

fn width(ty: SqlType) -> Width {
    let (length, unit) = match ty {
        SqlType::NVarChar(length) => (length, 2),
        SqlType::NChar(length) => (Some(length), 2),
        SqlType::VarChar(length) | SqlType::VarBinary(length) => (length, 1),
        SqlType::Char(length) | SqlType::Binary(length) => (Some(length), 1),
        _ => return Width::Byte,
    };
    match length.and_then(|length| length.max(1).checked_mul(unit)) {
        Some(bytes_max) if bytes_max <= SHORT_BYTES_MAX => Width::Short { bytes_max },
        _ => Width::Chunks,
    }
}

/// The bytes of a value without their length; `None` where the type cannot hold it.
fn content(ty: SqlType, value: &Value) -> Option<Vec<u8>> {
    Some(match (ty, value) {
        (SqlType::Bit, value) => vec![u8::from(integer(value)? != 0)],
        (SqlType::TinyInt, value) => u8::try_from(integer(value)?).ok()?.to_le_bytes().to_vec(),
        (SqlType::SmallInt, value) => i16::try_from(integer(value)?).ok()?.to_le_bytes().to_vec(),
        (SqlType::Int, value) => i32::try_from(integer(value)?).ok()?.to_le_bytes().to_vec(),
        (SqlType::BigInt, value) => integer(value)?.to_le_bytes().to_vec(),
        (SqlType::Decimal { precision, scale }, value) => {
            decimal_content(rescaled(value, scale)?, precision)?
        }
        (SqlType::Money, value) => money_content(rescaled(value, 4)?)?,
        (SqlType::Float, Value::Float(number)) => number.to_le_bytes().to_vec(),
        (SqlType::NVarChar(_) | SqlType::NChar(_), Value::Text(text)) => {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }
        (SqlType::VarChar(_) | SqlType::Char(_), Value::Text(text)) => codepage::encode(text),
        (SqlType::VarBinary(_) | SqlType::Binary(_), Value::Binary(bytes)) => bytes.clone(),
        (SqlType::UniqueIdentifier, Value::Guid(id)) => id.to_bytes_le().to_vec(),
        (SqlType::DateTime, Value::DateTime(at)) => datetime_content(*at),
        (SqlType::DateTime2(scale), Value::DateTime(at)) => datetime2_content(*at, scale),
        (SqlType::Date, Value::Date(day)) => day_content(*day),
        (SqlType::Time(scale), Value::Time(time)) => {
            // A `time` has no next day to round into; SQL Server goes round to midnight.
            let (units, _) = date::scaled_time(*time, scale);
            time_content(units, scale)
        }
        (
            SqlType::DateTimeOffset(scale),
            Value::DateTimeOffset {
                utc,
                offset_minutes,
            },
        ) => {
            let mut bytes = datetime2_content(*utc, scale);
            bytes.extend(offset_minutes.to_le_bytes());
            bytes
        }
        _ => return None,
    })
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bit(bit) => Some(i64::from(*bit)),
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// A number with exactly `scale` digits after the point; digits are never cut off.
fn rescaled(value: &Value, scale: u8) -> Option<i128> {
    let number = match value {
        Value::Decimal(number) => *number,
        other => Decimal {
            unscaled: integer(other)?.into(),
            scale: 0,
        },
    };
    let factor = |digits: u8| 10_i128.checked_pow(digits.into());
    if number.scale <= scale {
        number.unscaled.checked_mul(factor(scale - number.scale)?)
    } else {
        let factor = factor(number.scale - scale)?;
        (number.unscaled % factor == 0).then_some(number.unscaled / factor)
    }
}

fn decimal_content(unscaled: i128, precision: u8) -> Option<Vec<u8>> {
    let size = unscaled.unsigned_abs();
    if size >= 10_u128.checked_pow(precision.into())? {
        return None;
    }
    let mut bytes = vec![u8::from(unscaled >= 0)];
    bytes.extend(&size.to_le_bytes()[..decimal_bytes(precision)]);
    Some(bytes)
}

/// Bytes of the digits of a decimal, without its sign.
const fn decimal_bytes(precision: u8) -> usize {
    match precision {
        0..=9 => 4,
        10..=19 => 8,
        20..=28 => 12,
        _ => 16,
    }
}

/// Money is sent with its more significant half first.
fn money_content(unscaled: i128) -> Option<Vec<u8>> {
    let unscaled = i64::try_from(unscaled).ok()?.cast_unsigned();
    Some(unscaled.rotate_left(32).to_le_bytes().to_vec())
}

fn datetime_content(at: DateTime) -> Vec<u8> {
    let (ticks, days) = date::ticks(at.time());
    let mut bytes = date::days_since_1900(date::carried(at.date(), days))
        .to_le_bytes()
        .to_vec();
    bytes.extend(&ticks.to_le_bytes()[..4]);
    bytes
}

fn datetime2_content(at: DateTime, scale: u8) -> Vec<u8> {
    let (units, days) = date::scaled_time(at.time(), scale);
    let mut bytes = time_content(units, scale);
    bytes.extend(day_content(date::carried(at.date(), days)));
    bytes
}

fn time_content(units: u64, scale: u8) -> Vec<u8> {
    units.to_le_bytes()[..date::time_bytes(scale)].to_vec()
}

fn day_content(day: jiff::civil::Date) -> Vec<u8> {
    date::days_since_year_one(day).to_le_bytes()[..3].to_vec()
}

/// A value met a column of another type: a bug of the simulator, told in SQL Server's words.
fn unfit(value: &Value, ty: SqlType) -> SqlError {
    messages::conversion_error(value.natural_type().base_name(), ty.base_name())
}
