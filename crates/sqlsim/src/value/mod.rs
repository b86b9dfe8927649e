//! The values that flow through the simulator: what a cell holds, what a column is, and how one
//! type becomes another.
//!
//! Start at [`Value`] and [`SqlType`]; [`convert::cast`] is the one way from type to type. This
//! room never reads a clock, a file or a database: it only computes.

pub mod compare;
pub mod convert;
pub mod date;
pub mod decimal;
mod types;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use decimal::Decimal;
pub use types::SqlType;

/// What one cell holds. All integer types share [`Value::Int`]; the declared width lives in the
/// [`SqlType`] beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// `bit`.
    Bit(bool),
    /// `tinyint`, `smallint`, `int` and `bigint`.
    Int(i64),
    /// `decimal`, `numeric` and `money` (money has scale 4).
    Decimal(Decimal),
    /// `float` and `real`.
    Float(f64),
    /// Every character type, Unicode or not.
    Text(String),
    /// `binary` and `varbinary`.
    Binary(Vec<u8>),
    /// `uniqueidentifier`.
    Guid(Uuid),
    /// `datetime`, `smalldatetime` and `datetime2`: a civil time without an offset.
    DateTime(jiff::civil::DateTime),
    /// `datetimeoffset`: the moment in UTC, and the offset that it is shown with, in minutes.
    DateTimeOffset {
        /// The moment, in UTC.
        utc: jiff::civil::DateTime,
        /// Minutes to add to `utc` for the local time that is shown.
        offset_minutes: i16,
    },
    /// `date`.
    Date(jiff::civil::Date),
    /// `time`.
    Time(jiff::civil::Time),
}

/// A value together with the type it was computed as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Typed {
    /// The declared or derived type.
    pub ty: SqlType,
    /// The value; NULL fits every type.
    pub value: Value,
}

/// One column of a table or a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name; empty for an expression without an alias.
    pub name: String,
    /// The declared or derived type.
    pub ty: SqlType,
    /// Whether NULL may occur.
    pub nullable: bool,
}

/// One row: a value per column, in the order of the columns.
pub type Row = Vec<Value>;

/// Columns and the rows under them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The columns, left to right.
    pub columns: Vec<Column>,
    /// The rows; each as long as `columns`.
    pub rows: Vec<Row>,
}

impl Value {
    /// A character value.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether this is NULL.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer, where this is one (`bit` counts as 0 and 1).
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            Self::Bit(b) => Some(*b as i64),
            _ => None,
        }
    }

    /// The characters, where this is text.
    #[must_use]
    pub const fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The type a literal of this value would have in T-SQL.
    #[must_use]
    pub fn natural_type(&self) -> SqlType {
        SqlType::of_literal(self)
    }
}

impl From<i32> for Value {
    fn from(n: i32) -> Self {
        Self::Int(n.into())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bit(b)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Guid(id)
    }
}

impl From<Decimal> for Value {
    fn from(n: Decimal) -> Self {
        Self::Decimal(n)
    }
}

impl From<jiff::civil::DateTime> for Value {
    fn from(time: jiff::civil::DateTime) -> Self {
        Self::DateTime(time)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Typed {
    /// A value of a type.
    #[must_use]
    pub fn new(ty: SqlType, value: impl Into<Value>) -> Self {
        Self {
            ty,
            value: value.into(),
        }
    }

    /// An `int`.
    #[must_use]
    pub fn int(n: impl Into<i64>) -> Self {
        Self {
            ty: SqlType::Int,
            value: Value::Int(n.into()),
        }
    }

    /// Text as `nvarchar(4000)`, the type that most metadata functions answer with.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            ty: SqlType::NVarChar(Some(4000)),
            value: Value::Text(text.into()),
        }
    }

    /// A name, as `nvarchar(128)` (`sysname`).
    #[must_use]
    pub fn sysname(text: impl Into<String>) -> Self {
        Self {
            ty: SqlType::SYSNAME,
            value: Value::Text(text.into()),
        }
    }

    /// NULL of a type.
    #[must_use]
    pub const fn null(ty: SqlType) -> Self {
        Self {
            ty,
            value: Value::Null,
        }
    }
}

impl Column {
    /// A column that may hold NULL.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            name: name.into(),
            ty,
            nullable: true,
        }
    }

    /// A column that may not hold NULL.
    #[must_use]
    pub fn required(name: impl Into<String>, ty: SqlType) -> Self {
        Self {
            name: name.into(),
            ty,
            nullable: false,
        }
    }
}

impl Rows {
    /// The place of a column by name, without regard to case.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| compare::same_name(&c.name, name))
    }
}
