//! Tests of the parser: every statement by one `check`, errors with number and line, and hostile
//! text.

mod administration;
mod errors;
mod hostile;
mod statements;

use super::ast::{Statement, StatementKind};
use super::parse;

/// Parses one statement.
fn one(sql: &str) -> Statement {
    let mut statements = parse(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0)
}

fn kind(sql: &str) -> StatementKind {
    one(sql).kind
}

/// Checks that the tree of a statement, printed, has these pieces in this order (` .. ` parts
/// them).
fn check(sql: &str, expected: &str) {
    let tree = format!("{:?}", kind(sql));
    let mut rest = tree.as_str();
    for piece in expected.split(" .. ") {
        let Some(at) = rest.find(piece) else {
            panic!("`{piece}` is missing or out of order in the tree of `{sql}`:\n{tree}");
        };
        rest = &rest[at + piece.len()..];
    }
}
