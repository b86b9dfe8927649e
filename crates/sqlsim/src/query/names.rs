//! The seam to the session: what names mean here and now.
//!
//! Start at [`Names`].

use crate::error::SqlResult;
use crate::lang::ast::{ObjectName, Select};
use crate::value::{Rows, SqlType, Typed};

/// What names mean here and now. The session implements it; tests use a small fake.
pub trait Names {
    /// The value of `@variable` or `@@GLOBAL`, marks included. Fails with 137 where it is not
    /// declared.
    fn variable(&self, name: &str) -> SqlResult<Typed>;

    /// The rows of a table, view, temporary table, table variable or catalog view. Fails with 208
    /// where there is none. Four-part names must have been fetched before.
    fn relation(&self, name: &ObjectName) -> SqlResult<Relation>;

    /// The rows of a table-valued function. Fails with 208 where there is none.
    fn table_function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Rows>;

    /// The value of a function that needs an instance, or of a user's scalar function. Fails with
    /// 195 where there is none. `NEWID`, `GETDATE` and their kin are asked here too: this room has
    /// no clock and no randomness.
    fn function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Typed>;

    /// The type that a function yields, asked before any row is seen. By default it is called with
    /// NULLs, which suits functions whose type does not depend on their arguments.
    fn function_type(&self, name: &ObjectName, arguments: &[SqlType]) -> SqlResult<SqlType> {
        let nulls: Vec<Typed> = arguments.iter().map(|ty| Typed::null(*ty)).collect();
        self.function(name, &nulls).map(|typed| typed.ty)
    }
}

/// What a relation is.
#[derive(Clone, Debug)]
pub enum Relation {
    /// Its rows as they are now.
    Rows(Rows),
    /// A view, to be evaluated with the same names. A view of another database should be evaluated
    /// by the implementor, with the names of that database.
    View(Box<Select>),
}
