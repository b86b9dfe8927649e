//! SQL Server's messages, one function each, with their true numbers, classes and words.
//!
//! Start by searching for the number. Functions that make an error or information are alike: both are
//! [`SqlError`]. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 102: syntax.
#[must_use]
pub fn incorrect_syntax(near: &str) -> SqlError {
    SqlError::new(102, 15, format!("Incorrect syntax near '{near}'."))
}
