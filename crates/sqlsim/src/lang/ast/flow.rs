//! Variables, options, transactions and messages.
//!
//! Start at [`BeginTransaction`] and [`Declaration`].

use super::{Expr, NameOrVariable, ObjectName, Operator, TableDefinition};
use crate::value::SqlType;

/// `BEGIN [DISTRIBUTED] TRANSACTION`.
#[derive(Clone, Debug, PartialEq)]
pub struct BeginTransaction {
    /// `DISTRIBUTED`.
    pub distributed: bool,
    /// The name.
    pub name: Option<NameOrVariable>,
    /// `WITH MARK`.
    pub mark: Option<Mark>,
}

/// `WITH MARK ['description']`.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The description: a literal or a variable.
    pub description: Option<Expr>,
}

/// `SET` of one or more options.
#[derive(Clone, Debug, PartialEq)]
pub struct SetOption {
    /// The options, in capitals; `TRANSACTION ISOLATION LEVEL` is one.
    pub names: Vec<String>,
    /// What they become.
    pub setting: Setting,
}

/// What an option becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// `ON`
    On,
    /// `OFF`
    Off,
    /// A word, in capitals (`READ COMMITTED`), except for languages, kept as written.
    Word(String),
    /// A value.
    Value(Expr),
    /// `IDENTITY_INSERT table ON | OFF`
    Table(ObjectName, bool),
}

/// `SET @variable = expr`, `SET @variable += expr`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetVariable {
    /// The variable, `@` included.
    pub name: String,
    /// The operator before `=`.
    pub operator: Option<Operator>,
    /// The value.
    pub value: Expr,
}

/// One declared variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// The name, `@` included.
    pub name: String,
    /// What it is.
    pub kind: DeclarationKind,
}

/// What a declared variable is.
#[derive(Clone, Debug, PartialEq)]
pub enum DeclarationKind {
    /// One value.
    Scalar {
        /// The type.
        ty: SqlType,
        /// The first value.
        initial: Option<Expr>,
    },
    /// A table.
    Table(TableDefinition),
    /// A cursor variable.
    Cursor,
}

/// `RAISERROR (message, severity, state, arguments..) WITH ..`.
#[derive(Clone, Debug, PartialEq)]
pub struct RaisError {
    /// A text, a variable, or a message number.
    pub message: Expr,
    /// The severity.
    pub severity: Expr,
    /// The state.
    pub state: Expr,
    /// The values of `%s`, `%d`, ... .
    pub arguments: Vec<Expr>,
    /// `LOG`, `NOWAIT`, `SETERROR`, in capitals.
    pub options: Vec<String>,
}
