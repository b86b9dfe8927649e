//! The evaluation of expressions, conditions, queries and of what DML touches.
//!
//! Start at [`select`] and [`Names`]. This room is pure and synchronous: whatever a name means it
//! asks of [`Names`], which the session implements. It changes nothing; it only says what would
//! change. A query is first bound (`bind`, `plan`, `core`, `from`: names resolved, types derived),
//! then computed (`eval`, `aggregate`, `functions`).

mod aggregate;
mod arithmetic;
mod assign;
mod bind;
mod bound;
mod core;
mod dml;
mod eval;
mod from;
mod functions;
pub(crate) mod like;
mod names;
mod plan;
mod scope;
#[cfg(test)]
mod tests;
mod typing;
mod walk;
mod window;

pub use assign::{Assigned, assign, assigns};
pub use dml::{
    Change, check_holds, combine, delete, insert, may_be_same_table, output, store_row,
    target_of_delete, target_of_update, update,
};
pub use functions::format_message;
pub use names::{Names, Relation};
pub use walk::{locked_tables, relations_of};

use self::bind::Binder;
use self::bound::Frame;
use self::plan::Commons;
use self::scope::Scope;
use crate::error::SqlResult;
use crate::lang::ast::{Condition, Expr, Select};
use crate::value::{Rows, Typed};

/// The value of an expression that sees no rows, with its type.
pub fn evaluate(names: &dyn Names, expr: &Expr) -> SqlResult<Typed> {
    let (scope, commons) = (Scope::below(None), Commons::none());
    let bound = without_rows(names, &scope, &commons).expr(expr)?;
    eval::typed(&bound, names, &Frame::default())
}

/// Whether a condition that sees no rows holds; `None` is unknown.
pub fn condition(names: &dyn Names, condition: &Condition) -> SqlResult<Option<bool>> {
    let (scope, commons) = (Scope::below(None), Commons::none());
    let bound = without_rows(names, &scope, &commons).condition(condition)?;
    eval::truth(&bound, names, &Frame::default())
}

/// The rows of a query, with columns even where there are none. `INTO` is the caller's affair, and
/// so are assignments (see [`assigns`]).
pub fn select(names: &dyn Names, select: &Select) -> SqlResult<Rows> {
    plan::run(names, select)
}

fn without_rows<'a>(
    names: &'a dyn Names,
    scope: &'a Scope<'a>,
    commons: &'a Commons<'a>,
) -> Binder<'a> {
    Binder {
        names,
        scope,
        commons,
        collected: None,
        grouping: None,
    }
}
