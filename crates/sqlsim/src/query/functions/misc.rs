//! Functions of any type.
//!
//! Start at [`FUNCTIONS`]. `COALESCE` and `CASE` are not here, because they leave arguments
//! unevaluated.

use std::cmp::Ordering;

use super::{Builtin, INT, ResultType};
use crate::error::SqlResult;
use crate::query::eval::compare_typed;
use crate::value::convert::{implicit, utf16_length};
use crate::value::{SqlType, Typed, Value};

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin {
        name: "ISNULL",
        least: 2,
        most: 2,
        ty: ResultType::First,
        run: is_null,
    },
    Builtin {
        name: "NULLIF",
        least: 2,
        most: 2,
        ty: ResultType::First,
        run: null_if,
    },
    Builtin {
        name: "DATALENGTH",
        least: 1,
        most: 1,
        ty: INT,
        run: data_length,
    },
];

fn is_null(arguments: &[Typed], ty: SqlType) -> SqlResult<Value> {
    let [first, second] = arguments else {
        return Ok(Value::Null);
    };
    match first.value.is_null() {
        // What replaces NULL is cut to the type of the first argument.
        true if ty.is_text() && second.ty.is_text() => {
            crate::value::convert::cast(second, ty, None)
        }
        true => implicit(second, ty),
        false => Ok(first.value.clone()),
    }
}

fn null_if(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let [first, second] = arguments else {
        return Ok(Value::Null);
    };
    match compare_typed(first, second)? {
        Some(Ordering::Equal) => Ok(Value::Null),
        _ => Ok(first.value.clone()),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of all functions")]
fn data_length(arguments: &[Typed], _: SqlType) -> SqlResult<Value> {
    let Some(typed) = arguments.first() else {
        return Ok(Value::Null);
    };
    let bytes = match &typed.value {
        Value::Null => return Ok(Value::Null),
        Value::Text(text) if typed.ty.is_unicode() => utf16_length(text) * 2,
        Value::Text(text) => text.chars().count(),
        Value::Binary(bytes) => bytes.len(),
        Value::Guid(_) => 16,
        Value::Bit(_) => 1,
        Value::Decimal(n) if typed.ty != SqlType::Money => match n.precision() {
            0..=9 => 5,
            10..=19 => 9,
            20..=28 => 13,
            _ => 17,
        },
        _ => match typed.ty {
            SqlType::TinyInt => 1,
            SqlType::SmallInt => 2,
            SqlType::Int => 4,
            SqlType::Date => 3,
            SqlType::Time(_) => 5,
            SqlType::DateTimeOffset(_) => 10,
            _ => 8,
        },
    };
    Ok(Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)))
}
