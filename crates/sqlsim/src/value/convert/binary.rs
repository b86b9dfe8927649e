//! To binary and to GUIDs, and the bytes of other types.
//!
//! Start at [`cast`].

use uuid::Uuid;

use super::super::{SqlType, Value};
use crate::error::{SqlError, SqlResult};
use crate::messages;

/// Converts to `varbinary` or `binary`, cutting or padding to its length.
pub(super) fn cast(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> SqlResult<Value> {
    let number = matches!(value, Value::Int(_) | Value::Bit(_));
    let mut bytes = match value {
        Value::Binary(bytes) => bytes.clone(),
        Value::Text(text) => from_text(text, from, style.unwrap_or(0))?,
        Value::Guid(id) => id.to_bytes_le().to_vec(),
        Value::Int(n) => n.to_be_bytes()[8 - integer_width(from)..].to_vec(),
        Value::Bit(b) => vec![u8::from(*b)],
        _ => return Err(super::refused(from, to)),
    };
    if let Some(limit) = to.length().map(usize::from) {
        if bytes.len() > limit && number {
            // Of a number the last bytes are kept, of all else the first.
            bytes.drain(..bytes.len() - limit);
        }
        bytes.truncate(limit);
        if matches!(to, SqlType::Binary(_)) && bytes.len() < limit {
            let missing = limit - bytes.len();
            let at = if number { 0 } else { bytes.len() };
            bytes.splice(at..at, std::iter::repeat_n(0, missing));
        }
    }
    Ok(Value::Binary(bytes))
}

fn integer_width(ty: SqlType) -> usize {
    match ty {
        SqlType::BigInt => 8,
        SqlType::SmallInt => 2,
        SqlType::TinyInt | SqlType::Bit => 1,
        _ => 4,
    }
}

fn from_text(text: &str, from: SqlType, style: i64) -> SqlResult<Vec<u8>> {
    let hex = match style {
        0 if from.is_unicode() => {
            return Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
        }
        0 => return Ok(text.as_bytes().to_vec()),
        1 => text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")),
        2 => Some(text),
        _ => {
            return Err(messages::invalid_style(
                style,
                from.base_name(),
                "varbinary",
            ));
        }
    };
    hex.and_then(parse_hex)
        .ok_or_else(|| messages::conversion_error(from.base_name(), "varbinary"))
}

fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect(),
    )
}

/// Bytes as hexadecimal digits, in capitals.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02X}");
            text
        })
}

/// Bytes as the characters that they are in a type.
pub(super) fn as_characters(bytes: &[u8], to: SqlType) -> String {
    if to.is_unicode() {
        let units = bytes
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        return char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    String::from_utf8_lossy(bytes).into_owned()
}

/// The last bytes as a big-endian integer of a type.
pub(super) fn to_integer(bytes: &[u8], to: SqlType) -> i64 {
    let width = integer_width(to);
    let tail = &bytes[bytes.len().saturating_sub(width)..];
    let unsigned = tail
        .iter()
        .fold(0_u64, |n, byte| (n << 8) | u64::from(*byte));
    let full = tail.len() == width;
    match to {
        SqlType::Int if full => i64::from(
            unsigned.to_le_bytes()[..4]
                .iter()
                .rev()
                .fold(0_i32, |n, byte| (n << 8) | i32::from(*byte)),
        ),
        SqlType::SmallInt if full => i64::from(
            unsigned.to_le_bytes()[..2]
                .iter()
                .rev()
                .fold(0_i16, |n, byte| (n << 8) | i16::from(*byte)),
        ),
        _ => i64::from_le_bytes(unsigned.to_le_bytes()),
    }
}

/// Converts to `uniqueidentifier`.
pub(super) fn cast_guid(value: &Value, from: SqlType) -> SqlResult<Value> {
    match value {
        Value::Guid(id) => Ok(Value::Guid(*id)),
        Value::Text(text) => parse_guid(text).map(Value::Guid),
        Value::Binary(bytes) => {
            let mut padded = [0; 16];
            let used = bytes.len().min(16);
            padded[..used].copy_from_slice(&bytes[..used]);
            Ok(Value::Guid(Uuid::from_bytes_le(padded)))
        }
        _ => Err(super::refused(from, SqlType::UniqueIdentifier)),
    }
}

/// Reads a GUID, perhaps in braces; what follows its 36 characters is ignored, as SQL Server does.
fn parse_guid(text: &str) -> Result<Uuid, SqlError> {
    let text = text.trim();
    let inner = text.strip_prefix('{').unwrap_or(text);
    let id = inner.get(..36).filter(|head| head.contains('-'));
    id.and_then(|head| Uuid::try_parse(head).ok())
        .ok_or_else(messages::guid_conversion_failed)
}
