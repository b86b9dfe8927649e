//! The one error of the simulator: a SQL Server message with number, class, state and line.
//!
//! Start at [`SqlError`]; the texts live in `messages`. Informational messages (class 10 and less)
//! are the same type, because the wire carries both in the same shape. Nothing here is sent
//! anywhere.

use std::fmt;

/// A message of SQL Server's: an error from class 11 on, information up to class 10.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SqlError {
    /// The message number, for instance 4214.
    pub number: i32,
    /// The severity, 0 to 25.
    pub class: u8,
    /// The state; 1 unless something is meant by it.
    pub state: u8,
    /// The text in SQL Server's own words.
    pub text: String,
    /// The line within the batch or the procedure, from 1; 0 = not yet known.
    pub line: u32,
    /// The procedure in which it was raised.
    pub procedure: Option<String>,
    /// Messages that are sent before this one, since they say why; a CATCH never sees them.
    #[serde(default)]
    pub causes: Vec<Self>,
}

/// A result that fails with a SQL Server message.
pub type SqlResult<T> = Result<T, SqlError>;

impl SqlError {
    /// A message in state 1 whose line is not yet known.
    #[must_use]
    pub fn new(number: i32, class: u8, text: impl Into<String>) -> Self {
        Self {
            number,
            class,
            state: 1,
            text: text.into(),
            line: 0,
            procedure: None,
            causes: Vec::new(),
        }
    }

    /// The same message behind those that say why.
    #[must_use]
    pub fn after(mut self, causes: Vec<Self>) -> Self {
        self.causes = causes;
        self
    }

    /// The same message in another state.
    #[must_use]
    pub fn with_state(mut self, state: u8) -> Self {
        self.state = state;
        self
    }

    /// The same message with its line, unless it already has one: the innermost statement wins.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    /// The same message with its procedure, unless it already has one.
    #[must_use]
    pub fn in_procedure(mut self, procedure: &str) -> Self {
        if self.procedure.is_none() {
            self.procedure = Some(procedure.to_owned());
        }
        self
    }

    /// Whether this is information rather than an error (class 10 or less): no client fails on it.
    #[must_use]
    pub const fn is_info(&self) -> bool {
        self.class <= 10
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            class,
            state,
            text,
            line,
            ..
        } = self;
        write!(
            f,
            "msg {number}, level {class}, state {state}, line {line}: {text}"
        )
    }
}

impl std::error::Error for SqlError {}
