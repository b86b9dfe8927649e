//! The evaluation of expressions, conditions, queries and of what DML touches.
//!
//! Start at [`select`] and [`Names`]. This room is pure and synchronous: whatever a name means it
//! asks of [`Names`], which the session implements. It changes nothing; it only says what would
//! change.

mod names;

pub use names::{Names, Relation};

use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{
    Condition, Delete, Expr, Insert, ObjectName, Output, Select, Statement, Update,
};
use crate::value::{Column, Row, Rows, Typed, Value};

/// The value of an expression that sees no rows.
pub fn evaluate(_names: &dyn Names, _expr: &Expr) -> SqlResult<Typed> {
    Err(not_landed())
}

/// Whether a condition that sees no rows holds; `None` is unknown.
pub fn condition(_names: &dyn Names, _condition: &Condition) -> SqlResult<Option<bool>> {
    Err(not_landed())
}

/// The rows of a query. `INTO` is the caller's affair; the columns are there even without rows.
pub fn select(_names: &dyn Names, _select: &Select) -> SqlResult<Rows> {
    Err(not_landed())
}

/// What `SELECT @v = expr` leaves in its variables: each name with its value after the last row, and
/// how many rows there were (0 = the variables keep what they had, and `values` is empty).
pub struct Assigned {
    /// Variables, `@` included, and their values, not yet converted to the declared types.
    pub values: Vec<(String, Typed)>,
    /// For `@@ROWCOUNT`.
    pub rows: u64,
}

/// Evaluates a `SELECT` whose items assign. Fails with 141 where they are mixed with others.
pub fn assign(_names: &dyn Names, _select: &Select) -> SqlResult<Assigned> {
    Err(not_landed())
}

/// Whether a `SELECT` assigns variables rather than yielding rows.
#[must_use]
pub fn assigns(_select: &Select) -> bool {
    false
}

/// The rows that an `INSERT ... VALUES | SELECT | DEFAULT VALUES` brings, converted to the columns
/// that it fills (`columns`, in the order of its list); `None` in a row is the word `DEFAULT`.
pub fn insert(
    _names: &dyn Names,
    _insert: &Insert,
    _columns: &[Column],
) -> SqlResult<Vec<Vec<Option<Value>>>> {
    Err(not_landed())
}

/// What an `UPDATE` makes of one row.
pub struct Change {
    /// The place of the row in the rows that were given.
    pub index: usize,
    /// The whole new row, converted to the types of its columns; NULL is not checked.
    pub row: Row,
    /// Columns set to `DEFAULT`, by place.
    pub defaults: Vec<usize>,
    /// Variables assigned by this row.
    pub variables: Vec<(String, Typed)>,
}

/// The table that an `UPDATE` or `DELETE` means: its target, through an alias of `FROM` if it is one.
#[must_use]
pub fn target_of_update(update: &Update) -> ObjectName {
    update.target.clone()
}

/// As [`target_of_update`].
#[must_use]
pub fn target_of_delete(delete: &Delete) -> ObjectName {
    delete.target.clone()
}

/// What an `UPDATE` makes of the rows of its target, each row at most once.
pub fn update(_names: &dyn Names, _update: &Update, _target: &Rows) -> SqlResult<Vec<Change>> {
    Err(not_landed())
}

/// The places of the rows of its target that a `DELETE` removes, in order.
pub fn delete(_names: &dyn Names, _delete: &Delete, _target: &Rows) -> SqlResult<Vec<usize>> {
    Err(not_landed())
}

/// The rows of an `OUTPUT` clause: `inserted[i]` and `deleted[i]` belong together, and either list
/// may be empty.
pub fn output(
    _names: &dyn Names,
    _output: &Output,
    _columns: &[Column],
    _inserted: &[Row],
    _deleted: &[Row],
) -> SqlResult<Rows> {
    Err(not_landed())
}

/// Every table that a statement names, so that remote ones can be fetched before it is evaluated.
/// Statements inside a block or a branch are not entered: they are asked when they run.
#[must_use]
pub fn relations_of(_statement: &Statement) -> Vec<ObjectName> {
    Vec::new()
}

fn not_landed() -> SqlError {
    crate::messages::incorrect_syntax("query has not landed yet")
}
