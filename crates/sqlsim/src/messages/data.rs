//! Messages of values, constraints, objects and cursors.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 217: calls nested beyond 32.
#[must_use]
pub fn nesting_level_exceeded() -> SqlError {
    SqlError::new(
        217,
        16,
        "Maximum stored procedure, function, trigger, or view nesting level exceeded \
         (limit 32).",
    )
}

/// 220: an integer that does not fit its type.
#[must_use]
pub fn overflow_for_type(ty: &str, value: &str) -> SqlError {
    SqlError::new(
        220,
        16,
        format!("Arithmetic overflow error for data type {ty}, value = {value}."),
    )
}

/// 241: text that is no date.
#[must_use]
pub fn date_conversion_failed() -> SqlError {
    SqlError::new(
        241,
        16,
        "Conversion failed when converting date and/or time from character string.",
    )
}

/// 242: a date beyond the type.
#[must_use]
pub fn date_out_of_range(from: &str, to: &str) -> SqlError {
    SqlError::new(
        242,
        16,
        format!(
            "The conversion of a {from} data type to a {to} data type resulted in an \
         out-of-range value."
        ),
    )
}

/// 245: text that is no number.
#[must_use]
pub fn conversion_failed(from: &str, value: &str, to: &str) -> SqlError {
    SqlError::new(
        245,
        16,
        format!("Conversion failed when converting the {from} value '{value}' to data type {to}."),
    )
}

/// 248: text that is too large a number.
#[must_use]
pub fn conversion_overflowed(from: &str, value: &str, to: &str) -> SqlError {
    SqlError::new(
        248,
        16,
        format!("The conversion of the {from} value '{value}' overflowed an {to} column."),
    )
}

/// 257: types that only convert when asked.
#[must_use]
pub fn implicit_conversion_not_allowed(from: &str, to: &str) -> SqlError {
    SqlError::new(
        257,
        16,
        format!(
            "Implicit conversion from data type {from} to {to} is not allowed. Use the \
         CONVERT function to run this query."
        ),
    )
}

/// 402: an operator that does not fit its operands.
#[must_use]
pub fn incompatible_types(left: &str, right: &str, operator: &str) -> SqlError {
    SqlError::new(
        402,
        16,
        format!("The data types {left} and {right} are incompatible in the {operator} operator."),
    )
}

/// 512: a scalar subquery of several rows.
#[must_use]
pub fn subquery_returned_many() -> SqlError {
    SqlError::new(
        512,
        16,
        "Subquery returned more than 1 value. This is not permitted when the subquery \
         follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
    )
}

/// 517: a date moved beyond its type.
#[must_use]
pub fn date_add_overflow(ty: &str) -> SqlError {
    SqlError::new(
        517,
        16,
        format!("Adding a value to a '{ty}' column caused an overflow."),
    )
}

/// 529: types that never convert.
#[must_use]
pub fn explicit_conversion_not_allowed(from: &str, to: &str) -> SqlError {
    SqlError::new(
        529,
        16,
        format!("Explicit conversion from data type {from} to {to} is not allowed."),
    )
}

/// 535: `DATEDIFF` beyond an int.
#[must_use]
pub fn date_difference_overflow() -> SqlError {
    SqlError::new(
        535,
        16,
        "The datediff function resulted in an overflow. The number of dateparts \
         separating two date/time instances is too large. Try to use datediff with a \
         less precise datepart.",
    )
}

/// 537: a negative length.
#[must_use]
pub fn negative_length(function: &str) -> SqlError {
    SqlError::new(
        537,
        16,
        format!("Invalid length parameter passed to the {function} function."),
    )
}

/// 515: NULL in a NOT NULL column; statement is `INSERT` or `UPDATE`.
#[must_use]
pub fn null_not_allowed(column: &str, table: &str, statement: &str) -> SqlError {
    SqlError::new(
        515,
        16,
        format!(
            "Cannot insert the value NULL into column '{column}', table '{table}'; column \
         does not allow nulls. {statement} fails."
        ),
    )
}

/// 544: a value for an identity column.
#[must_use]
pub fn identity_insert_off(table: &str) -> SqlError {
    SqlError::new(
        544,
        16,
        format!(
            "Cannot insert explicit value for identity column in table '{table}' when \
         IDENTITY_INSERT is set to OFF."
        ),
    )
}

/// 547: a violated `CHECK` or `FOREIGN KEY`.
#[must_use]
pub fn constraint_conflict(
    statement: &str,
    kind: &str,
    constraint: &str,
    database: &str,
    table: &str,
) -> SqlError {
    SqlError::new(
        547,
        16,
        format!(
            "The {statement} statement conflicted with the {kind} constraint \
         \"{constraint}\". The conflict occurred in database \"{database}\", table \
         \"{table}\"."
        ),
    )
}

/// 2601: a violated unique index; the key in brackets.
#[must_use]
pub fn duplicate_key_in_index(object: &str, index: &str, key: &str) -> SqlError {
    SqlError::new(
        2601,
        14,
        format!(
            "Cannot insert duplicate key row in object '{object}' with unique index \
         '{index}'. The duplicate key value is {key}."
        ),
    )
}

/// 2627: a violated key; kind is `PRIMARY KEY` or `UNIQUE KEY`, the key in brackets.
#[must_use]
pub fn duplicate_key(kind: &str, constraint: &str, object: &str, key: &str) -> SqlError {
    SqlError::new(
        2627,
        14,
        format!(
            "Violation of {kind} constraint '{constraint}'. Cannot insert duplicate key \
         in object '{object}'. The duplicate key value is {key}."
        ),
    )
}

/// 2628: a text longer than its column.
#[must_use]
pub fn would_truncate_column(table: &str, column: &str, value: &str) -> SqlError {
    SqlError::new(
        2628,
        16,
        format!(
            "String or binary data would be truncated in table '{table}', column \
         '{column}'. Truncated value: '{value}'."
        ),
    )
}

/// 8152: a text longer than its column, where table and column are not known.
#[must_use]
pub fn would_truncate() -> SqlError {
    SqlError::new(8152, 16, "String or binary data would be truncated.")
}

/// 2714: a name taken.
#[must_use]
pub fn already_an_object(name: &str) -> SqlError {
    SqlError::new(
        2714,
        16,
        format!("There is already an object named '{name}' in the database."),
    )
}

/// 2705: a column twice.
#[must_use]
pub fn duplicate_column(column: &str, table: &str) -> SqlError {
    SqlError::new(
        2705,
        16,
        format!(
            "Column names in each table must be unique. Column name '{column}' in table \
         '{table}' is specified more than once."
        ),
    )
}

/// 2715: a type that does not exist.
#[must_use]
pub fn unknown_type(position: usize, name: &str) -> SqlError {
    SqlError::new(
        2715,
        16,
        format!("Column, parameter, or variable #{position}: Cannot find data type {name}."),
    )
}

/// 2812: an unknown procedure.
#[must_use]
pub fn procedure_not_found(name: &str) -> SqlError {
    SqlError::new(
        2812,
        16,
        format!("Could not find stored procedure '{name}'."),
    )
    .with_state(62)
}

/// 2760: an unknown schema.
#[must_use]
pub fn unknown_schema(name: &str) -> SqlError {
    SqlError::new(
        2760,
        16,
        format!(
            "The specified schema name \"{name}\" either does not exist or you do not \
         have permission to use it."
        ),
    )
}

/// 3701: an object that is not there; action is `drop` or `alter`.
#[must_use]
pub fn cannot_drop(action: &str, kind: &str, name: &str) -> SqlError {
    SqlError::new(
        3701,
        11,
        format!(
            "Cannot {action} the {kind} '{name}', because it does not exist or you do not \
         have permission."
        ),
    )
    .with_state(5)
}

/// 8114: a value that the other type cannot hold.
#[must_use]
pub fn conversion_error(from: &str, to: &str) -> SqlError {
    SqlError::new(
        8114,
        16,
        format!("Error converting data type {from} to {to}."),
    )
    .with_state(5)
}

/// 8115: a number too large; from is `expression` or a type.
#[must_use]
pub fn arithmetic_overflow(from: &str, to: &str) -> SqlError {
    SqlError::new(
        8115,
        16,
        format!("Arithmetic overflow error converting {from} to data type {to}."),
    )
    .with_state(2)
}

/// 8169: text that is no GUID.
#[must_use]
pub fn guid_conversion_failed() -> SqlError {
    SqlError::new(
        8169,
        16,
        "Conversion failed when converting from a character string to uniqueidentifier.",
    )
}

/// 8134: a division by zero.
#[must_use]
pub fn divide_by_zero() -> SqlError {
    SqlError::new(8134, 16, "Divide by zero error encountered.")
}

/// 8117: an operator that its operand does not have.
#[must_use]
pub fn invalid_operand(ty: &str, operator: &str) -> SqlError {
    SqlError::new(
        8117,
        16,
        format!("Operand data type {ty} is invalid for {operator} operator."),
    )
}

/// 8116: an argument of an impossible type.
#[must_use]
pub fn invalid_argument_type(ty: &str, position: usize, function: &str) -> SqlError {
    SqlError::new(
        8116,
        16,
        format!(
            "Argument data type {ty} is invalid for argument {position} of {function} \
         function."
        ),
    )
}

/// 281: a style that does not exist.
#[must_use]
pub fn invalid_style(style: i64, from: &str, to: &str) -> SqlError {
    SqlError::new(
        281,
        16,
        format!("{style} is not a valid style number when converting from {from} to a {to}."),
    )
}

/// 16905: `OPEN` twice.
#[must_use]
pub fn cursor_already_open() -> SqlError {
    SqlError::new(16905, 16, "The cursor is already open.")
}

/// 16915: `DECLARE` twice.
#[must_use]
pub fn cursor_exists(name: &str) -> SqlError {
    SqlError::new(
        16915,
        16,
        format!("A cursor with the name '{name}' already exists."),
    )
}

/// 16916: an unknown cursor.
#[must_use]
pub fn cursor_not_found(name: &str) -> SqlError {
    SqlError::new(
        16916,
        16,
        format!("A cursor with the name '{name}' does not exist."),
    )
}

/// 16917: `FETCH` or `CLOSE` before `OPEN`.
#[must_use]
pub fn cursor_not_open() -> SqlError {
    SqlError::new(16917, 16, "Cursor is not open.")
}

/// 16924: `FETCH INTO` of the wrong width.
#[must_use]
pub fn cursor_into_mismatch() -> SqlError {
    SqlError::new(
        16924,
        16,
        "Cursorfetch: The number of variables declared in the INTO list must match \
         that of selected columns.",
    )
}
