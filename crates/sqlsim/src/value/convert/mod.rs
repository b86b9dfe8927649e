//! From one type to another: `CAST`, `CONVERT` with styles, implicit conversion, and what a column
//! accepts.
//!
//! Start at [`cast`] and [`store`]. One file per kind of target. NULL converts to NULL of any type.

mod binary;
mod number;
mod temporal;
mod text;

use super::{Column, SqlType, Typed, Value};
use crate::error::SqlResult;
use crate::messages;

pub use text::{format_guid, utf16_length};

/// Converts as `CONVERT(to, value, style)` does; text and binary that are too long are cut
/// silently, as in `CAST` and in assignments to variables. Fails with 220, 241, 242, 245, 248, 281,
/// 529, 8114, 8115 or 8169.
pub fn cast(typed: &Typed, to: SqlType, style: Option<i64>) -> SqlResult<Value> {
    let Typed { ty: from, value } = typed;
    if value.is_null() {
        return Ok(Value::Null);
    }
    match to {
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Decimal { .. }
        | SqlType::Money
        | SqlType::Float => number::cast(value, *from, to),
        SqlType::NVarChar(_) | SqlType::VarChar(_) | SqlType::NChar(_) | SqlType::Char(_) => {
            text::cast(value, *from, to, style)
        }
        SqlType::VarBinary(_) | SqlType::Binary(_) => binary::cast(value, *from, to, style),
        SqlType::UniqueIdentifier => binary::cast_guid(value, *from),
        SqlType::DateTime
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::Date
        | SqlType::Time(_) => temporal::cast(value, *from, to),
    }
}

/// Converts to what a column of a table accepts: as [`cast`], but text and binary that are too long
/// fail with 2628. NULL is not checked here.
pub fn store(typed: &Typed, column: &Column, table: &str) -> SqlResult<Value> {
    let whole = match column.ty {
        SqlType::VarBinary(Some(_)) | SqlType::Binary(_) => SqlType::VarBinary(None),
        SqlType::NVarChar(Some(_)) | SqlType::NChar(_) => SqlType::NVarChar(None),
        SqlType::VarChar(Some(_)) | SqlType::Char(_) => SqlType::VarChar(None),
        other => return cast(typed, other, None),
    };
    let value = cast(typed, whole, None)?;
    let Some(limit) = column.ty.length().map(usize::from) else {
        return Ok(value);
    };
    let shown = match &value {
        // Trailing blanks beyond the length are dropped without a word.
        Value::Text(text) if text::length(text.trim_end_matches(' '), column.ty) > limit => {
            text::truncate(text, column.ty, limit)
        }
        Value::Binary(bytes) if bytes.len() > limit => binary::hex(&bytes[..limit]),
        _ => return cast(&Typed { ty: whole, value }, column.ty, None),
    };
    Err(messages::would_truncate_column(table, &column.name, &shown))
}

/// Converts where SQL Server does it unasked. Fails with 257 or 206 where it would not, else as
/// [`cast`].
pub fn implicit(typed: &Typed, to: SqlType) -> SqlResult<Value> {
    let from = typed.ty;
    let refused = |from: SqlType, to: SqlType| {
        to.is_binary() && from.is_text()
            || from == SqlType::UniqueIdentifier && (to.is_number() || to.is_temporal())
            || to == SqlType::UniqueIdentifier && (from.is_number() || from.is_temporal())
            || matches!(to, SqlType::Date | SqlType::Time(_) | SqlType::DateTime2(_))
                && from.is_number()
    };
    if typed.value.is_null() {
        return Ok(Value::Null);
    }
    if from.is_text() && to.is_binary() {
        return Err(messages::implicit_conversion_not_allowed(
            from.base_name(),
            to.base_name(),
        ));
    }
    if refused(from, to) {
        return Err(messages::operand_type_clash(
            from.base_name(),
            to.base_name(),
        ));
    }
    cast(typed, to, None)
}

fn refused(from: SqlType, to: SqlType) -> crate::error::SqlError {
    messages::explicit_conversion_not_allowed(from.base_name(), to.base_name())
}

#[cfg(test)]
mod tests;
