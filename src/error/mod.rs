//! The one public error of the agent: what, where, why, and what to do, for a person at 3 a.m.
//!
//! Start at [`Error::new`] and [`codes::Code`]. Rooms may have small exact errors of their own; at a room's
//! rim they become this one. Nothing here prints: `cli/` renders.

pub mod codes;
pub mod page;
pub mod plain;
pub mod render;

use std::error::Error as StdError;
use std::fmt;

pub use codes::{Code, Exit, Kind};

/// What every fallible act of the agent returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whether doing the same thing again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call will fail the same way until a person changes something.
    Never,
    /// Nothing happened; call again after a pause.
    Safe,
    /// Something may have happened; look first.
    AfterCheck,
}

/// The SQL Server error behind an error, when there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlCause {
    /// SQL Server's error number; the *first* of an answer, since 3013 and 3041 are trailers.
    pub number: i32,
    /// Severity, 0 to 25.
    pub class: u8,
    /// SQL Server's text.
    pub text: String,
}

/// An error with a stable code, the place it concerns and a hint. One pointer wide, since every fallible
/// function returns it.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    retry: Retry,
    sql: Option<SqlCause>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this code; `message` is lower-case, without a full stop, literals in backticks.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            message: message.into(),
            context: Vec::new(),
            hint: None,
            retry: Retry::Never,
            sql: None,
            source: None,
        }))
    }

    /// Adds where it happened: `("host", ..)`, `("member", ..)`, `("file", ..)`, `("line", ..)`.
    #[must_use]
    pub fn at(mut self, what: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((what, value.to_string()));
        self
    }

    /// Adds what a person should do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says whether doing it again may help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Adds SQL Server's own error.
    #[must_use]
    pub fn caused_by_sql(mut self, cause: SqlCause) -> Self {
        self.0.sql = Some(cause);
        self
    }

    /// Adds the error beneath, whose text must hold no secret.
    #[must_use]
    pub fn source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Box::new(source));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened, outermost first.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// What a person should do.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether doing it again may help.
    #[must_use]
    pub fn retry_verdict(&self) -> Retry {
        self.0.retry
    }

    /// SQL Server's error behind it.
    #[must_use]
    pub fn sql(&self) -> Option<&SqlCause> {
        self.0.sql.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
