//! Schema objects: the tables, views, procedures and functions of a database, as records.
//!
//! Start at [`Object`]. An object is kept as the text that made it and is parsed when first used; a
//! table is the sum of its `CREATE TABLE` and every `ALTER TABLE` since (see `shape.rs`). This room
//! reads and writes nothing.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::storage::TableId;

/// One schema object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// `object_id`, unique in its database; also the [`TableId`] of a table's rows.
    pub id: u32,
    /// Schema that holds it.
    pub schema: String,
    /// Name in the schema.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// The statements that made it, oldest first; only tables have more than one.
    pub texts: Vec<String>,
    /// Local time of its making.
    pub created: DateTime,
    /// Local time of its last change.
    pub modified: DateTime,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// `U`.
    Table,
    /// `V`.
    View,
    /// `P`.
    Procedure,
    /// `FN`, a scalar function.
    Function,
}

impl ObjectKind {
    /// The two letters of `sys.objects.type`, padded as SQL Server pads them.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Table => "U ",
            Self::View => "V ",
            Self::Procedure => "P ",
            Self::Function => "FN",
        }
    }

    /// The words of `sys.objects.type_desc`.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Table => "USER_TABLE",
            Self::View => "VIEW",
            Self::Procedure => "SQL_STORED_PROCEDURE",
            Self::Function => "SQL_SCALAR_FUNCTION",
        }
    }

    /// The word that messages use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Procedure => "procedure",
            Self::Function => "function",
        }
    }
}

impl Record for Object {
    const TABLE: TableId = TableId(1);
}

impl Object {
    /// Where a table's rows stand.
    #[must_use]
    pub const fn table_id(&self) -> TableId {
        TableId(self.id)
    }

    /// Text of a module's definition; empty for a table.
    #[must_use]
    pub fn definition(&self) -> &str {
        match self.kind {
            ObjectKind::Table => "",
            _ => self.texts.last().map_or("", String::as_str),
        }
    }
}
