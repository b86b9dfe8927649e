//! Types and values as a client sends them, in the parameters of a call.
//!
//! Start at [`parameter`]. Anything that is not a type we know is told to the client (8009), as
//! SQL Server does; anything that does not even hang together is [`Malformed`].

use jiff::civil::{DateTime, Time};
use uuid::Uuid;

use super::malformed::{Cursor, Malformed, utf16};
use super::{codepage, date};
use crate::value::{Decimal, SqlType, Value};

/// The largest value in chunks; the message is bounded as well.
const CHUNKED_BYTES_MAX: usize = super::packet::MESSAGE_BYTES_MAX;
const PLP_NULL: u64 = u64::MAX;
const SHORT_NULL: u16 = 0xFFFF;
const LENGTH_MAX_TYPE: u16 = 0xFFFF;
/// Bit of a collation's first four bytes: its text is UTF-8.
const COLLATION_UTF8: u32 = 0x0400_0000;

/// Why a parameter was not understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection cannot go on.
    Malformed(Malformed),
    /// A data type that we do not take; the rest of the message cannot be read.
    UnknownType(u8),
}

impl From<Malformed> for Trouble {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The bytes of a value, before it is known what they mean.
type Bytes<'a> = Option<std::borrow::Cow<'a, [u8]>>;

/// How text is written.
#[derive(Clone, Copy)]
enum Charset {
    Utf16,
    Utf8,
    CodePage,
}

/// Reads the type of one parameter and its value.
pub(super) fn parameter(from: &mut Cursor<'_>) -> Result<(SqlType, Value), Trouble> {
    let ty = from.u8()?;
    match ty {
        0x1F => Ok((SqlType::Int, Value::Null)),
        0x30 | 0x32 | 0x34 | 0x38 | 0x3A..=0x3E | 0x7A | 0x7F => fixed(from, ty),
        0x24 | 0x26 | 0x68 | 0x6D..=0x6F => {
            let width = from.u8()?;
            let bytes = byte_counted(from)?;
            Ok(short(ty, width, bytes).ok_or(from.malformed())?)
        }
        0x28 => {
            let bytes = byte_counted(from)?;
            Ok(dated(ty, 0, bytes).ok_or(from.malformed())?)
        }
        0x29..=0x2B => {
            let scale = from.u8()?;
            let bytes = byte_counted(from)?;
            Ok(dated(ty, scale, bytes).ok_or(from.malformed())?)
        }
        0x37 | 0x3F | 0x6A | 0x6C => decimal(from),
        0xA5 | 0xAD => binary(from, ty),
        0xA7 | 0xAF | 0xE7 | 0xEF => text(from, ty),
        0x22 | 0x23 | 0x63 => long(from, ty),
        0xF1 => xml(from),
        other => Err(Trouble::UnknownType(other)),
    }
}

/// A value counted by one byte; 0 is NULL.
fn byte_counted<'a>(from: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    let length = usize::from(from.u8()?);
    let bytes = from.bytes(length)?;
    Ok((length > 0).then_some(bytes))
}

/// The types of one width that cannot be NULL; each has a nullable twin.
fn fixed(from: &mut Cursor<'_>, ty: u8) -> Result<(SqlType, Value), Trouble> {
    let (twin, width) = match ty {
        0x30 => (0x26, 1),
        0x32 => (0x68, 1),
        0x34 => (0x26, 2),
        0x38 => (0x26, 4),
        0x3A => (0x6F, 4),
        0x3B => (0x6D, 4),
        0x3C => (0x6E, 8),
        0x3D => (0x6F, 8),
        0x3E => (0x6D, 8),
        0x7A => (0x6E, 4),
        0x7F => (0x26, 8),
        other => return Err(Trouble::UnknownType(other)),
    };
    let bytes = from.bytes(usize::from(width))?;
    Ok(short(twin, width, Some(bytes)).ok_or(from.malformed())?)
}

/// Numbers, money, `datetime`, `bit` and `uniqueidentifier`.
fn short(ty: u8, width: u8, bytes: Option<&[u8]>) -> Option<(SqlType, Value)> {
    let declared = match (ty, width) {
        (0x24, 16) => SqlType::UniqueIdentifier,
        (0x26, 1) => SqlType::TinyInt,
        (0x26, 2) => SqlType::SmallInt,
        (0x26, 4) => SqlType::Int,
        (0x26, 8) => SqlType::BigInt,
        (0x68, 1) => SqlType::Bit,
        (0x6D, 4 | 8) => SqlType::Float,
        (0x6E, 4 | 8) => SqlType::Money,
        (0x6F, 4 | 8) => SqlType::DateTime,
        _ => return None,
    };
    let Some(bytes) = bytes else {
        return Some((declared, Value::Null));
    };
    let value = match (ty, bytes) {
        (0x24, bytes) => Value::Guid(Uuid::from_bytes_le(bytes.try_into().ok()?)),
        (0x26, [byte]) => Value::Int((*byte).into()),
        (0x26, [a, b]) => Value::Int(i16::from_le_bytes([*a, *b]).into()),
        (0x26, [a, b, c, d]) => Value::Int(i32::from_le_bytes([*a, *b, *c, *d]).into()),
        (0x26, bytes) => Value::Int(i64::from_le_bytes(bytes.try_into().ok()?)),
        (0x68, [byte]) => Value::Bit(*byte != 0),
        (0x6D, [a, b, c, d]) => Value::Float(f32::from_le_bytes([*a, *b, *c, *d]).into()),
        (0x6D, bytes) => Value::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        (0x6E, bytes) => money(bytes)?,
        (0x6F, bytes) => Value::DateTime(datetime(bytes)?),
        _ => return None,
    };
    Some((declared, value))
}

fn money(bytes: &[u8]) -> Option<Value> {
    let unscaled = match bytes.len() {
        4 => i32::from_le_bytes(bytes.try_into().ok()?).into(),
        // The more significant half comes first.
        8 => u64::from_le_bytes(bytes.try_into().ok()?)
            .rotate_right(32)
            .cast_signed(),
        _ => return None,
    };
    Some(Value::Decimal(Decimal {
        unscaled: unscaled.into(),
        scale: 4,
    }))
}

fn datetime(bytes: &[u8]) -> Option<DateTime> {
    let (days, time) = match bytes.len() {
        4 => {
            // `smalldatetime`: days and minutes.
            let (days, minutes) = bytes.split_at(2);
            let minutes = u64::from(u16::from_le_bytes(minutes.try_into().ok()?));
            let days = u16::from_le_bytes(days.try_into().ok()?);
            (days.into(), date::time_of_scaled(minutes * 60, 0)?)
        }
        8 => {
            let (days, ticks) = bytes.split_at(4);
            let ticks = u32::from_le_bytes(ticks.try_into().ok()?);
            let days = i32::from_le_bytes(days.try_into().ok()?);
            (days.into(), date::time_of_ticks(ticks.into())?)
        }
        _ => return None,
    };
    Some(date::day_of_1900(days)?.to_datetime(time))
}

/// `date`, `time`, `datetime2` and `datetimeoffset`.
fn dated(ty: u8, scale: u8, bytes: Option<&[u8]>) -> Option<(SqlType, Value)> {
    if scale > 7 {
        return None;
    }
    let declared = match ty {
        0x28 => SqlType::Date,
        0x29 => SqlType::Time(scale),
        0x2A => SqlType::DateTime2(scale),
        _ => SqlType::DateTimeOffset(scale),
    };
    let Some(bytes) = bytes else {
        return Some((declared, Value::Null));
    };
    let (time, rest) = bytes
        .split_at_checked(date::time_bytes(scale))
        .unwrap_or((bytes, &[]));
    let value = match (ty, rest) {
        (0x28, _) => Value::Date(day(bytes)?),
        (0x29, []) => Value::Time(time_of_day(time, scale)?),
        (0x2A, rest) => Value::DateTime(day(rest)?.to_datetime(time_of_day(time, scale)?)),
        (0x2B, [rest @ .., low, high]) => Value::DateTimeOffset {
            utc: day(rest)?.to_datetime(time_of_day(time, scale)?),
            offset_minutes: offset(i16::from_le_bytes([*low, *high]))?,
        },
        _ => return None,
    };
    Some((declared, value))
}

/// Fourteen hours either way, as SQL Server has it.
fn offset(minutes: i16) -> Option<i16> {
    (-840..=840).contains(&minutes).then_some(minutes)
}

fn day(bytes: &[u8]) -> Option<jiff::civil::Date> {
    let [a, b, c] = bytes.try_into().ok()?;
    date::day_of_year_one(u32::from_le_bytes([a, b, c, 0]))
}

fn time_of_day(bytes: &[u8], scale: u8) -> Option<Time> {
    let mut units = [0; 8];
    units.get_mut(..bytes.len())?.copy_from_slice(bytes);
    date::time_of_scaled(u64::from_le_bytes(units), scale)
}

fn decimal(from: &mut Cursor<'_>) -> Result<(SqlType, Value), Trouble> {
    let [_, precision, scale] = from.array()?;
    if !(1..=38).contains(&precision) || scale > precision {
        return Err(from.malformed().into());
    }
    let declared = SqlType::Decimal { precision, scale };
    let Some(bytes) = byte_counted(from)? else {
        return Ok((declared, Value::Null));
    };
    let (sign, digits) = bytes.split_first().ok_or(from.malformed())?;
    let mut wide = [0; 16];
    wide.get_mut(..digits.len())
        .ok_or(from.malformed())?
        .copy_from_slice(digits);
    let size = i128::try_from(u128::from_le_bytes(wide)).map_err(|_| from.malformed())?;
    let unscaled = if *sign == 0 { -size } else { size };
    Ok((declared, Value::Decimal(Decimal { unscaled, scale })))
}

fn binary(from: &mut Cursor<'_>, ty: u8) -> Result<(SqlType, Value), Trouble> {
    let declared_bytes = from.u16()?;
    let bytes = counted(from, declared_bytes)?;
    let declared = match (ty, length(declared_bytes, 1)) {
        (0xAD, Some(length)) => SqlType::Binary(length),
        (_, length) => SqlType::VarBinary(length),
    };
    Ok((
        declared,
        bytes.map_or(Value::Null, |bytes| Value::Binary(bytes.into_owned())),
    ))
}

fn text(from: &mut Cursor<'_>, ty: u8) -> Result<(SqlType, Value), Trouble> {
    let declared_bytes = from.u16()?;
    let charset = charset(ty, from.array()?);
    let bytes = counted(from, declared_bytes)?;
    let declared = match (ty, length(declared_bytes, if ty >= 0xE7 { 2 } else { 1 })) {
        (0xAF, Some(length)) => SqlType::Char(length),
        (0xEF, Some(length)) => SqlType::NChar(length),
        (0xA7 | 0xAF, length) => SqlType::VarChar(length),
        (_, length) => SqlType::NVarChar(length),
    };
    Ok((declared, decoded(bytes, charset)))
}

/// `image`, `text` and `ntext`, which old clients still send for long values.
fn long(from: &mut Cursor<'_>, ty: u8) -> Result<(SqlType, Value), Trouble> {
    let _declared = from.u32()?;
    let charset = if ty == 0x22 {
        Charset::CodePage
    } else {
        charset(ty, from.array()?)
    };
    let length = from.i32()?;
    let bytes = match usize::try_from(length) {
        Ok(length) => Some(from.bytes(length)?.into()),
        Err(_) => None,
    };
    Ok(match ty {
        0x22 => {
            let bytes = bytes.map(std::borrow::Cow::into_owned);
            (
                SqlType::VarBinary(None),
                bytes.map_or(Value::Null, Value::Binary),
            )
        }
        0x23 => (SqlType::VarChar(None), decoded(bytes, charset)),
        _ => (SqlType::NVarChar(None), decoded(bytes, charset)),
    })
}

fn xml(from: &mut Cursor<'_>) -> Result<(SqlType, Value), Trouble> {
    if from.u8()? != 0 {
        // A schema collection; nobody sends one to a backup server.
        return Err(Trouble::UnknownType(0xF1));
    }
    let bytes = chunked(from)?;
    Ok((SqlType::NVarChar(None), decoded(bytes, Charset::Utf16)))
}

fn charset(ty: u8, collation: [u8; 5]) -> Charset {
    let [a, b, c, d, _] = collation;
    if matches!(ty, 0xE7 | 0xEF | 0x63) {
        Charset::Utf16
    } else if u32::from_le_bytes([a, b, c, d]) & COLLATION_UTF8 != 0 {
        Charset::Utf8
    } else {
        Charset::CodePage
    }
}

fn decoded(bytes: Bytes<'_>, charset: Charset) -> Value {
    let Some(bytes) = bytes else {
        return Value::Null;
    };
    Value::Text(match charset {
        Charset::Utf16 => utf16(&bytes),
        Charset::Utf8 => String::from_utf8_lossy(&bytes).into_owned(),
        Charset::CodePage => codepage::decode(&bytes),
    })
}

/// A declared length in characters; `None` for `max`, and never 0.
fn length(declared_bytes: u16, unit: u16) -> Option<u16> {
    (declared_bytes != LENGTH_MAX_TYPE).then_some((declared_bytes / unit).max(1))
}

fn counted<'a>(from: &mut Cursor<'a>, declared_bytes: u16) -> Result<Bytes<'a>, Malformed> {
    if declared_bytes == LENGTH_MAX_TYPE {
        return chunked(from);
    }
    let length = from.u16()?;
    if length == SHORT_NULL {
        return Ok(None);
    }
    Ok(Some(from.bytes(usize::from(length))?.into()))
}

/// A value in chunks. Its total length may be unknown, so only the chunks count.
fn chunked<'a>(from: &mut Cursor<'a>) -> Result<Bytes<'a>, Malformed> {
    if from.u64()? == PLP_NULL {
        return Ok(None);
    }
    let mut whole = Vec::new();
    loop {
        let length = from.length()?;
        if length == 0 {
            return Ok(Some(whole.into()));
        }
        whole.extend(from.bytes(length)?);
        if whole.len() > CHUNKED_BYTES_MAX {
            return Err(from.malformed());
        }
    }
}
