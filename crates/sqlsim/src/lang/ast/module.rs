//! Procedures, views and functions, and the statement that calls them.
//!
//! Start at [`CreateModule`] and [`Execute`].

use super::{Expr, ObjectName, Select, Statement};
use crate::value::SqlType;

/// `CREATE | ALTER | CREATE OR ALTER` of a procedure, a view or a function.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateModule {
    /// Whether one must, must not or may exist.
    pub mode: CreateMode,
    /// The module.
    pub name: ObjectName,
    /// The whole text, from `CREATE` on, as `sys.sql_modules` keeps it.
    pub definition: String,
    /// What it is.
    pub kind: ModuleKind,
}

/// Whether one must, must not or may exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateMode {
    /// `CREATE`
    Create,
    /// `ALTER`
    Alter,
    /// `CREATE OR ALTER`
    CreateOrAlter,
}

/// What a module is.
#[derive(Clone, Debug, PartialEq)]
pub enum ModuleKind {
    /// A procedure.
    Procedure {
        /// Its parameters.
        parameters: Vec<Parameter>,
        /// `WITH EXECUTE AS`: a word or a name.
        execute_as: Option<String>,
        /// Its statements; their lines count from the first line of the definition.
        body: Vec<Statement>,
    },
    /// A view.
    View {
        /// Its column names, where they are given.
        columns: Vec<String>,
        /// Its query.
        select: Box<Select>,
    },
    /// A function that yields one value.
    Function {
        /// Its parameters.
        parameters: Vec<Parameter>,
        /// The type of what it yields.
        returns: SqlType,
        /// Its statements.
        body: Vec<Statement>,
    },
}

/// A parameter of a procedure or a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name, `@` included.
    pub name: String,
    /// The type.
    pub ty: SqlType,
    /// The default.
    pub default: Option<Expr>,
    /// `OUTPUT`.
    pub output: bool,
}

/// `EXECUTE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    /// The variable for the return code, `@` included.
    pub return_to: Option<String>,
    /// What runs.
    pub target: ExecuteTarget,
}

/// What `EXECUTE` runs.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecuteTarget {
    /// A procedure.
    Procedure {
        /// Its name.
        name: ProcedureName,
        /// The arguments.
        arguments: Vec<Argument>,
    },
    /// Text, here or at a linked server.
    Text {
        /// The text.
        text: Expr,
        /// The values of `?`, in order; only with `at`.
        arguments: Vec<Argument>,
        /// `AS LOGIN | USER = '..'`.
        impersonate: Option<Impersonation>,
        /// The linked server of `AT`.
        at: Option<String>,
    },
}

/// The name of a procedure, said outright or held by a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcedureName {
    /// One to four parts.
    Name(ObjectName),
    /// The variable that holds the (perhaps dotted and quoted) name; see `lang::parse_object_name`.
    Variable(String),
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// The parameter, `@` included, where it is named.
    pub name: Option<String>,
    /// The value; `None` is the word `DEFAULT`.
    pub value: Option<Expr>,
    /// `OUTPUT`; the value then is a variable.
    pub output: bool,
}

/// Whose rights are taken on.
#[derive(Clone, Debug, PartialEq)]
pub enum Impersonation {
    /// `LOGIN = '..'`
    Login(Expr),
    /// `USER = '..'`
    User(Expr),
    /// `CALLER`
    Caller,
}
