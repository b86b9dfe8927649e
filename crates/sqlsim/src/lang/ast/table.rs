//! Tables: their making, and the statements that change rows.
//!
//! Start at [`Insert`], [`Update`], [`Delete`] and [`CreateTable`].

use super::{Condition, Execute, Expr, FromItem, ObjectName, Operator, Select, SelectItem, Top};
use crate::value::SqlType;

/// `INSERT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// The table.
    pub target: ObjectName,
    /// The columns, where they are listed.
    pub columns: Vec<String>,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// Where the rows come from.
    pub source: InsertSource,
}

/// Where inserted rows come from.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertSource {
    /// `VALUES (..), (..)`; `None` is the word `DEFAULT`.
    Values(Vec<Vec<Option<Expr>>>),
    /// `SELECT`.
    Select(Box<Select>),
    /// `EXEC`.
    Execute(Box<Execute>),
    /// `DEFAULT VALUES`.
    DefaultValues,
}

/// `OUTPUT INSERTED.a, DELETED.b [INTO t (c, d)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The items; their qualifiers are `INSERTED` and `DELETED`.
    pub items: Vec<SelectItem>,
    /// `INTO` a table; without it the rows go to the client.
    pub into: Option<(ObjectName, Vec<String>)>,
}

/// `UPDATE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// `TOP (n)`.
    pub top: Option<Top>,
    /// The table, or an alias of `FROM`.
    pub target: ObjectName,
    /// `SET`.
    pub assignments: Vec<Assignment>,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// `FROM`.
    pub from: Vec<FromItem>,
    /// `WHERE`.
    pub condition: Option<Condition>,
}

/// One assignment of `UPDATE`: to a column, to a variable, or to both (`@v = c = expr`).
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The variable, `@` included.
    pub variable: Option<String>,
    /// The column.
    pub column: Option<String>,
    /// The operator before `=`.
    pub operator: Option<Operator>,
    /// The value; `None` is the word `DEFAULT`.
    pub value: Option<Expr>,
}

/// `DELETE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// `TOP (n)`.
    pub top: Option<Top>,
    /// The table, or an alias of `from`.
    pub target: ObjectName,
    /// `OUTPUT`.
    pub output: Option<Output>,
    /// The second `FROM`.
    pub from: Vec<FromItem>,
    /// `WHERE`.
    pub condition: Option<Condition>,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    /// The table.
    pub name: ObjectName,
    /// Its columns and constraints.
    pub definition: TableDefinition,
}

/// The columns and constraints of a table or a table variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDefinition {
    /// The columns, in order.
    pub columns: Vec<ColumnDefinition>,
    /// The constraints, of the table and of its columns.
    pub constraints: Vec<TableConstraint>,
}

/// One column as it is declared.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    /// The name.
    pub name: String,
    /// The type.
    pub ty: SqlType,
    /// `NULL` or `NOT NULL`, where it was said.
    pub nullable: Option<bool>,
    /// `IDENTITY (seed, increment)`.
    pub identity: Option<(i64, i64)>,
    /// `DEFAULT`.
    pub default: Option<Expr>,
}

/// A constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConstraint {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// What it demands.
    pub kind: ConstraintKind,
}

/// What a constraint demands.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstraintKind {
    /// `PRIMARY KEY (columns)`
    PrimaryKey(Vec<String>),
    /// `UNIQUE (columns)`
    Unique(Vec<String>),
    /// `CHECK (condition)`
    Check(Box<Condition>),
    /// `FOREIGN KEY .. REFERENCES ..`, accepted.
    ForeignKey {
        /// The columns here.
        columns: Vec<String>,
        /// The table referred to.
        table: ObjectName,
        /// The columns there.
        referenced: Vec<String>,
    },
    /// `DEFAULT value FOR column`, in `ALTER TABLE`.
    Default {
        /// The value.
        value: Expr,
        /// The column.
        column: String,
    },
}

/// `ALTER TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    /// The table.
    pub name: ObjectName,
    /// What is done.
    pub action: AlterTableAction,
}

/// What `ALTER TABLE` does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterTableAction {
    /// `ADD` columns and constraints.
    Add(TableDefinition),
    /// `DROP COLUMN`
    DropColumns(Vec<String>),
    /// `DROP CONSTRAINT`
    DropConstraints(Vec<String>),
}

/// `CREATE [UNIQUE] [CLUSTERED] INDEX`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateIndex {
    /// The index.
    pub name: String,
    /// `UNIQUE`.
    pub unique: bool,
    /// The table.
    pub table: ObjectName,
    /// The key columns.
    pub columns: Vec<String>,
}

/// `DROP`.
#[derive(Clone, Debug, PartialEq)]
pub struct DropObjects {
    /// What kind of object.
    pub kind: ObjectKind,
    /// `IF EXISTS`.
    pub if_exists: bool,
    /// The objects.
    pub names: Vec<ObjectName>,
    /// The table of `DROP INDEX .. ON`.
    pub table: Option<ObjectName>,
}

/// Kinds of objects that `DROP` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "every variant is the object of the same name")]
pub enum ObjectKind {
    Table,
    View,
    Procedure,
    Function,
    Schema,
    Index,
}
