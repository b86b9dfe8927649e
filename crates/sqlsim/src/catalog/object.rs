//! Schema objects: what a table, view, procedure or function is.
//!
//! Start at [`Object`]. Bodies are kept as text and parsed when first used. This room reads and writes nothing.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::storage::TableId;
use crate::value::{Column, SqlType};

/// One schema object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Object {
    /// `object_id`, unique in its database; also the [`TableId`] of a table's rows.
    pub id: u32,
    /// Schema that holds it.
    pub schema: String,
    /// Name in the schema.
    pub name: String,
    /// What it is.
    pub body: Body,
    /// Local time of its making.
    pub created: DateTime,
    /// Local time of its last change.
    pub modified: DateTime,
}

/// What an object is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// `U`.
    Table(TableDefinition),
    /// `V`; the text of its `CREATE VIEW`.
    View {
        /// As the user wrote it.
        text: String,
    },
    /// `P`; the text of its `CREATE PROCEDURE`.
    Procedure {
        /// As the user wrote it.
        text: String,
    },
    /// `FN`, a scalar function; the text of its `CREATE FUNCTION`.
    Function {
        /// As the user wrote it.
        text: String,
    },
}

/// The shape of a table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TableDefinition {
    /// Its columns in order.
    pub columns: Vec<ColumnDefinition>,
    /// Primary key and unique constraints.
    pub keys: Vec<Key>,
    /// `CHECK` constraints as text of a condition, with the name of each.
    pub checks: Vec<(String, String)>,
}

/// A column of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: SqlType,
    /// Whether it takes NULL.
    pub nullable: bool,
    /// Seed and increment of an identity column.
    pub identity: Option<(i64, i64)>,
    /// Text of the default's expression.
    pub default: Option<String>,
}

/// A primary key or unique constraint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The constraint's name.
    pub name: String,
    /// Primary key, or else unique.
    pub primary: bool,
    /// Whether error 2601 is raised (a unique index) rather than 2627 (a constraint).
    pub index: bool,
    /// Positions of its columns.
    pub columns: Vec<usize>,
}

impl Record for Object {
    const TABLE: TableId = TableId(1);
}

impl Object {
    /// The two letters of `sys.objects.type`, padded as SQL Server pads them.
    #[must_use]
    pub fn type_code(&self) -> &'static str {
        match self.body {
            Body::Table(_) => "U ",
            Body::View { .. } => "V ",
            Body::Procedure { .. } => "P ",
            Body::Function { .. } => "FN",
        }
    }

    /// The words of `sys.objects.type_desc`.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self.body {
            Body::Table(_) => "USER_TABLE",
            Body::View { .. } => "VIEW",
            Body::Procedure { .. } => "SQL_STORED_PROCEDURE",
            Body::Function { .. } => "SQL_SCALAR_FUNCTION",
        }
    }

    /// Text of its definition, if it has one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Table(_) => None,
            Body::View { text } | Body::Procedure { text } | Body::Function { text } => Some(text),
        }
    }

    /// The definition of a table.
    #[must_use]
    pub fn table(&self) -> Option<&TableDefinition> {
        match &self.body {
            Body::Table(definition) => Some(definition),
            _ => None,
        }
    }
}

impl TableDefinition {
    /// The columns as a relation shows them.
    #[must_use]
    pub fn relation_columns(&self) -> Vec<Column> {
        let column = |c: &ColumnDefinition| Column {
            name: c.name.clone(),
            ty: c.ty,
            nullable: c.nullable,
        };
        self.columns.iter().map(column).collect()
    }

    /// Position of a column, found without regard to case.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name) || c.name.to_lowercase() == name.to_lowercase())
    }
}
