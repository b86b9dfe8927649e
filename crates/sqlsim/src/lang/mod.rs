//! T-SQL as text: a lexer and a parser by hand, and the tree that they make.
//!
//! Start at [`parse`] and [`ast::Statement`]. This room is pure: it knows no database, resolves no
//! name and runs nothing. Hostile text yields an error, never a panic and never an exhausted stack.

pub mod ast;
mod keywords;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use crate::error::SqlResult;
use ast::{ObjectName, Parameter, Statement};

/// Parses a whole batch before anything of it runs, as SQL Server does. Errors carry the line:
/// 102 and 156 (syntax), 105 (unclosed quote), 111 (a module amid a batch), 113 (unclosed comment),
/// 191 (nested too deeply), 2715 (unknown type), 4145 (a value where a condition belongs).
pub fn parse(sql: &str) -> SqlResult<Vec<Statement>> {
    parser::batch(sql)
}

/// Parses a dotted, perhaps quoted name that stands in a variable, as in `EXEC @procedure`.
pub fn parse_object_name(text: &str) -> SqlResult<ObjectName> {
    parser::object_name(text)
}

/// Parses the parameter list of `sp_executesql`: `@a int, @b nvarchar(10) OUTPUT`; empty text is
/// none.
pub fn parse_parameters(text: &str) -> SqlResult<Vec<Parameter>> {
    parser::parameters(text)
}

/// A name in brackets, with `]` doubled, as `QUOTENAME` makes it.
#[must_use]
pub fn quote_name(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}
