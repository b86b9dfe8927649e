//! Values on their way into variables and parameters.
//!
//! Start at [`assign`]. The rules of conversion are `value/`'s; this file only asks for them.

use crate::error::SqlResult;
use crate::messages;
use crate::value::{SqlType, Typed, Value, convert};

/// A value converted to a declared type; text too long for it is cut, as T-SQL does for variables.
pub(super) fn assign(value: &Typed, ty: SqlType) -> SqlResult<Value> {
    if value.value.is_null() || value.ty == ty {
        return Ok(value.value.clone());
    }
    convert::cast(value, ty, None)
}

/// A value as text; none for NULL.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Text(text) => Some(text.clone()),
        other => {
            let typed = Typed {
                ty: other.natural_type(),
                value: other.clone(),
            };
            let text = assign(&typed, SqlType::NVarChar(None)).ok()?;
            text.as_text().map(str::to_owned)
        }
    }
}

/// A value as an integer; 8114 for what is none.
pub(crate) fn integer_of(value: &Value) -> SqlResult<i64> {
    let typed = Typed {
        ty: value.natural_type(),
        value: value.clone(),
    };
    let cast = assign(&typed, SqlType::BigInt)?;
    cast.as_int()
        .ok_or_else(|| messages::conversion_error(typed.ty.base_name(), "int"))
}
