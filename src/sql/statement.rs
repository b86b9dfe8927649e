//! One batch of T-SQL and its parameters: what the verbs' pure functions make and sessions send.
//!
//! Start at [`Batch`]. Nothing here quotes: `quote` does.

use std::fmt;

use super::quote::literal;
use secrecy::{ExposeSecret, SecretString};
use tiberius::ToSql;

/// A T-SQL text; with parameters `@P1`, `@P2`.. it is sent as `sp_executesql`, without as a plain batch.
///
/// A `USE` or `SET` lasts only in a plain batch: inside `sp_executesql` it ends with the call.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The text.
    pub text: String,
    /// The values of `@P1`, `@P2`..
    pub parameters: Vec<Parameter>,
}

/// One value beside a text.
#[derive(Clone)]
pub enum Parameter {
    /// `nvarchar`.
    Text(String),
    /// `int`.
    Int(i32),
    /// `nvarchar` that no log, error or debug text may show.
    Secret(SecretString),
}

impl Batch {
    /// A text without parameters.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            parameters: Vec::new(),
        }
    }

    /// A text with parameters.
    pub fn with(text: impl Into<String>, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        Self {
            text: text.into(),
            parameters: parameters.into_iter().collect(),
        }
    }
}

impl Batch {
    /// The text with its parameters written out, for people. A secret shows as `N'<secret>'`.
    #[must_use]
    pub(super) fn to_script(&self) -> String {
        let mut script = String::new();
        let mut rest = self.text.as_str();
        while let Some(at) = rest.find("@P") {
            let digits = rest[at + 2..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            let end = at + 2 + digits;
            let number: usize = rest[at + 2..end].parse().unwrap_or(0);
            script.push_str(&rest[..at]);
            match number
                .checked_sub(1)
                .and_then(|index| self.parameters.get(index))
            {
                Some(Parameter::Text(text)) => script.push_str(&literal(text)),
                Some(Parameter::Int(value)) => script.push_str(&value.to_string()),
                Some(Parameter::Secret(_)) => script.push_str("N'<secret>'"),
                None => script.push_str(&rest[at..end]),
            }
            rest = &rest[end..];
        }
        script + rest
    }
}

impl Parameter {
    /// A text parameter.
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(value.into())
    }

    /// The value as tiberius takes it.
    pub(super) fn value(&self) -> Box<dyn ToSql + '_> {
        match self {
            Self::Text(text) => Box::new(text.as_str()),
            Self::Int(value) => Box::new(*value),
            Self::Secret(secret) => Box::new(secret.expose_secret()),
        }
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Secret(_) => f.write_str("[REDACTED]"),
        }
    }
}

/// `@P1, @P2, ..` for `count` parameters after the first `before`.
pub(super) fn placeholders(before: usize, count: usize) -> String {
    let names: Vec<_> = (before + 1..=before + count)
        .map(|at| format!("@P{at}"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_in_debug_text() {
        let secret = Parameter::Secret(SecretString::from("hunter2".to_owned()));
        let batch = Batch::with("EXEC p @P1, @P2", [secret, Parameter::Int(7)]);
        let text = format!("{batch:?}");
        assert!(
            text.contains("[REDACTED]") && !text.contains("hunter2"),
            "{text}"
        );
    }

    #[test]
    fn placeholders_count_on_from_those_before() {
        assert_eq!(placeholders(1, 3), "@P2, @P3, @P4");
        assert_eq!(placeholders(0, 0), "");
    }
}
