//! To text.
//!
//! Start at [`cast`].

use super::super::{SqlType, Value, date};
use super::binary;
use crate::error::SqlResult;
use crate::messages;

/// Converts to a character type, cutting or padding to its length.
pub(super) fn cast(
    value: &Value,
    from: SqlType,
    to: SqlType,
    style: Option<i64>,
) -> SqlResult<Value> {
    let text = format(value, from, to, style)?;
    let Some(limit) = to.length().map(usize::from) else {
        return Ok(Value::Text(text));
    };
    if length(&text, to) > limit && from.is_number() {
        // A number is never cut: old types show an asterisk for integers, all else fails.
        return if from.is_integer() && !to.is_unicode() {
            Ok(Value::text("*"))
        } else {
            Err(messages::arithmetic_overflow(
                if from.is_integer() {
                    "expression"
                } else {
                    from.base_name()
                },
                to.base_name(),
            ))
        };
    }
    let mut text = truncate(&text, to, limit);
    if matches!(to, SqlType::NChar(_) | SqlType::Char(_)) {
        let missing = limit.saturating_sub(length(&text, to));
        text.extend(std::iter::repeat_n(' ', missing));
    }
    Ok(Value::Text(text))
}

/// A GUID as SQL Server prints it, in capitals.
#[must_use]
pub fn format_guid(id: uuid::Uuid) -> String {
    id.as_hyphenated().to_string().to_ascii_uppercase()
}

/// The length of a text in UTF-16 units, as `LEN` of `nvarchar` counts.
#[must_use]
pub fn utf16_length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The length of a text as a type counts it: UTF-16 units where it is Unicode, else characters.
pub(super) fn length(text: &str, ty: SqlType) -> usize {
    if ty.is_unicode() {
        utf16_length(text)
    } else {
        text.chars().count()
    }
}

/// The beginning of a text, at most so long as a type counts; a surrogate pair is never split.
pub(super) fn truncate(text: &str, ty: SqlType, limit: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += if ty.is_unicode() { c.len_utf16() } else { 1 };
            used <= limit
        })
        .collect()
}

fn format(value: &Value, from: SqlType, to: SqlType, style: Option<i64>) -> SqlResult<String> {
    let bad_style =
        || messages::invalid_style(style.unwrap_or(0), from.base_name(), "character string");
    Ok(match value {
        Value::Null => String::new(),
        Value::Bit(b) => i64::from(*b).to_string(),
        Value::Int(n) => n.to_string(),
        Value::Decimal(n) if from == SqlType::Money => {
            let scale = if style == Some(2) { 4 } else { 2 };
            n.rescale(scale).unwrap_or(*n).to_string()
        }
        Value::Decimal(n) => n.to_string(),
        Value::Float(n) => format_float(*n),
        Value::Text(text) => text.clone(),
        Value::Binary(bytes) => match style.unwrap_or(0) {
            0 => binary::as_characters(bytes, to),
            1 => format!("0x{}", binary::hex(bytes)),
            2 => binary::hex(bytes),
            _ => return Err(bad_style()),
        },
        Value::Guid(id) => format_guid(*id),
        Value::DateTime(time) => {
            let (style, digits) = match from {
                SqlType::DateTime2(digits) => (style.unwrap_or(121), digits),
                _ => (style.unwrap_or(0), 3),
            };
            date::format(*time, style, digits).ok_or_else(bad_style)?
        }
        Value::DateTimeOffset {
            utc,
            offset_minutes,
        } => {
            let digits = if let SqlType::DateTimeOffset(digits) = from {
                digits
            } else {
                7
            };
            let local = date::to_local(*utc, *offset_minutes).unwrap_or(*utc);
            let style = style.unwrap_or(121);
            let text = date::format(local, style, digits).ok_or_else(bad_style)?;
            let blank = if style >= 126 { "" } else { " " };
            match style {
                120 | 121 | 126 => format!("{text}{blank}{}", date::format_offset(*offset_minutes)),
                127 => format!(
                    "{}Z",
                    date::format(*utc, 127, digits).ok_or_else(bad_style)?
                ),
                _ => text,
            }
        }
        Value::Date(day) => {
            let midnight = day.at(0, 0, 0, 0);
            let style = match style.unwrap_or(23) {
                0 | 20 | 21 | 25 | 120 | 121 | 126 | 127 => 23,
                style => style,
            };
            date::format(midnight, style, 0).ok_or_else(bad_style)?
        }
        Value::Time(time) => {
            let digits = if let SqlType::Time(digits) = from {
                digits
            } else {
                7
            };
            date::format_time(*time, digits)
        }
    })
}

/// Six significant digits, as `CONVERT` of style 0 shows a float.
fn format_float(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let scientific = format!("{number:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5..6).contains(&exponent) {
        let places = usize::try_from((5 - exponent).max(0)).unwrap_or(0);
        let rounded: f64 = scientific.parse().unwrap_or(number);
        return trim_fraction(&format!("{rounded:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:03}", trim_fraction(digits), exponent.abs())
}

fn trim_fraction(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text.to_owned()
    }
}
