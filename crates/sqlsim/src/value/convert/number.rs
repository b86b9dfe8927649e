//! To numbers.
//!
//! Start at [`cast`].

use super::super::{Decimal, SqlType, Value, date};
use super::binary;
use crate::error::{SqlError, SqlResult};
use crate::messages;

/// Converts to `bit`, an integer, a decimal, money or float.
pub(super) fn cast(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Value> {
    match to {
        SqlType::Bit => to_bit(value, from),
        SqlType::Decimal { precision, scale } => to_decimal(value, from, to)?
            .fit(precision, scale)
            .map(Value::Decimal)
            .ok_or_else(|| messages::arithmetic_overflow(shown(from), "numeric")),
        SqlType::Money => to_decimal(value, from, to)?
            .fit(19, 4)
            .map(Value::Decimal)
            .ok_or_else(|| messages::arithmetic_overflow(shown(from), "money")),
        SqlType::Float => to_float(value, from).map(Value::Float),
        _ => to_integer(value, from, to).map(Value::Int),
    }
}

/// Messages call every computed integer an expression.
fn shown(from: SqlType) -> &'static str {
    if from.is_integer() {
        "expression"
    } else {
        from.base_name()
    }
}

fn to_bit(value: &Value, from: SqlType) -> SqlResult<Value> {
    let bit = match value {
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => true,
            "false" | "" => false,
            digits => {
                let number: i64 = digits.parse().map_err(|_| failed(from, text, "bit"))?;
                number != 0
            }
        },
        Value::Float(n) => *n != 0.0,
        Value::Decimal(n) => n.unscaled != 0,
        other => to_integer(other, from, SqlType::BigInt)? != 0,
    };
    Ok(Value::Bit(bit))
}

fn failed(from: SqlType, value: &str, to: &str) -> SqlError {
    messages::conversion_failed(from.base_name(), value, to)
}

fn to_integer(value: &Value, from: SqlType, to: SqlType) -> SqlResult<i64> {
    let overflow = || messages::arithmetic_overflow(shown(from), to.base_name());
    let number = match value {
        Value::Int(n) => *n,
        Value::Bit(b) => i64::from(*b),
        Value::Decimal(n) => n.to_i64().ok_or_else(overflow)?,
        Value::Float(n) => Decimal::from_f64(n.trunc(), 0)
            .and_then(Decimal::to_i64)
            .ok_or_else(overflow)?,
        Value::Text(text) => return parse_integer(text, from, to),
        Value::Binary(bytes) => binary::to_integer(bytes, to),
        Value::DateTime(time) if from == SqlType::DateTime => {
            Decimal::from_f64(date::days_since_epoch(*time), 0)
                .and_then(Decimal::to_i64)
                .ok_or_else(overflow)?
        }
        _ => return Err(super::refused(from, to)),
    };
    within(number, to).ok_or_else(|| match to {
        SqlType::TinyInt | SqlType::SmallInt => {
            messages::overflow_for_type(to.base_name(), &number.to_string())
        }
        _ => overflow(),
    })
}

fn within(number: i64, ty: SqlType) -> Option<i64> {
    let fits = match ty {
        SqlType::TinyInt => u8::try_from(number).is_ok(),
        SqlType::SmallInt => i16::try_from(number).is_ok(),
        SqlType::Int => i32::try_from(number).is_ok(),
        _ => true,
    };
    fits.then_some(number)
}

fn parse_integer(text: &str, from: SqlType, to: SqlType) -> SqlResult<i64> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(0);
    }
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Err(match to {
            SqlType::BigInt => messages::conversion_error(from.base_name(), to.base_name()),
            _ => failed(from, text, to.base_name()),
        });
    }
    let number = trimmed.parse().ok().and_then(|number| within(number, to));
    number.ok_or_else(|| match to {
        SqlType::BigInt => messages::conversion_error(from.base_name(), to.base_name()),
        _ => messages::conversion_overflowed(from.base_name(), text, to.base_name()),
    })
}

fn to_decimal(value: &Value, from: SqlType, to: SqlType) -> SqlResult<Decimal> {
    let scale = if let SqlType::Decimal { scale, .. } = to {
        scale
    } else {
        4
    };
    match value {
        Value::Int(n) => Ok(Decimal::from(*n)),
        Value::Bit(b) => Ok(Decimal::from(i64::from(*b))),
        Value::Decimal(n) => Ok(*n),
        Value::Float(n) => Decimal::from_f64(*n, scale)
            .ok_or_else(|| messages::arithmetic_overflow("float", to.base_name())),
        Value::Text(text) => parse_decimal(text, from, to),
        Value::Binary(bytes) => Ok(Decimal::from(binary::to_integer(bytes, SqlType::BigInt))),
        Value::DateTime(time) if from == SqlType::DateTime => {
            Decimal::from_f64(date::days_since_epoch(*time), scale)
                .ok_or_else(|| messages::arithmetic_overflow("datetime", to.base_name()))
        }
        _ => Err(super::refused(from, to)),
    }
}

fn parse_decimal(text: &str, from: SqlType, to: SqlType) -> SqlResult<Decimal> {
    let trimmed = text.trim();
    if to == SqlType::Money {
        let plain: String = trimmed
            .chars()
            .filter(|c| !matches!(c, ',' | '$'))
            .collect();
        let plain = if plain.is_empty() { "0" } else { &plain };
        return plain.parse().map_err(|_| {
            SqlError::new(
                235,
                16,
                "Cannot convert a char value to money. The char value has incorrect syntax.",
            )
        });
    }
    trimmed
        .parse()
        .map_err(|_| messages::conversion_error(from.base_name(), "numeric"))
}

fn to_float(value: &Value, from: SqlType) -> SqlResult<f64> {
    match value {
        Value::Float(n) => Ok(*n),
        Value::Text(text) => {
            let trimmed = text.trim();
            // Rust reads `inf` and `nan`, SQL Server does not.
            let plain = trimmed
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
            let number = if trimmed.is_empty() {
                Some(0.0)
            } else {
                trimmed.parse().ok()
            };
            number
                .filter(|n: &f64| plain && n.is_finite())
                .ok_or_else(|| messages::conversion_error(from.base_name(), "float"))
        }
        Value::DateTime(time) if from == SqlType::DateTime => Ok(date::days_since_epoch(*time)),
        other => to_decimal(other, from, SqlType::Float).map(Decimal::to_f64),
    }
}
