//! The SQL types, their names and their precedence.
//!
//! Start at [`SqlType`]. Nothing here converts a value; see `convert`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Value;

/// A T-SQL type. Lengths are in characters for text and in bytes for binary; `None` means `max`.
/// Types that differ only in storage share a variant: `real` is `Float`, `smallmoney` is `Money`,
/// `smalldatetime` is `DateTime`, `ntext` and `xml` are `NVarChar(None)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "every variant is the T-SQL type of the same name"
)]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Decimal { precision: u8, scale: u8 },
    Money,
    Float,
    NVarChar(Option<u16>),
    VarChar(Option<u16>),
    NChar(u16),
    Char(u16),
    VarBinary(Option<u16>),
    Binary(u16),
    UniqueIdentifier,
    DateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
    Date,
    Time(u8),
}

impl SqlType {
    /// `sysname`: the type of object names.
    pub const SYSNAME: Self = Self::NVarChar(Some(128));
    /// `numeric(25,0)`: the type of LSNs in msdb and the catalog views.
    pub const LSN: Self = Self::Decimal {
        precision: 25,
        scale: 0,
    };

    /// Rank for implicit conversion: the operand of the lower rank is converted to the higher.
    /// The order is that of "Data type precedence" in the T-SQL reference.
    #[must_use]
    pub const fn precedence(&self) -> u8 {
        match self {
            Self::Binary(_) => 1,
            Self::VarBinary(_) => 2,
            Self::Char(_) => 3,
            Self::VarChar(_) => 4,
            Self::NChar(_) => 5,
            Self::NVarChar(_) => 6,
            Self::UniqueIdentifier => 7,
            Self::Bit => 8,
            Self::TinyInt => 9,
            Self::SmallInt => 10,
            Self::Int => 11,
            Self::BigInt => 12,
            Self::Money => 13,
            Self::Decimal { .. } => 14,
            Self::Float => 15,
            Self::Time(_) => 16,
            Self::Date => 17,
            Self::DateTime => 18,
            Self::DateTime2(_) => 19,
            Self::DateTimeOffset(_) => 20,
        }
    }

    /// Whether this is a character type.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(
            self,
            Self::NVarChar(_) | Self::VarChar(_) | Self::NChar(_) | Self::Char(_)
        )
    }

    /// Whether this is a Unicode character type.
    #[must_use]
    pub const fn is_unicode(&self) -> bool {
        matches!(self, Self::NVarChar(_) | Self::NChar(_))
    }

    /// Whether this is a binary type.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::VarBinary(_) | Self::Binary(_))
    }

    /// Whether this is `bit` or an integer type.
    #[must_use]
    pub const fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt
        )
    }

    /// Whether this is a number of any kind.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Money | Self::Decimal { .. } | Self::Float)
    }

    /// Whether this is a date or time type.
    #[must_use]
    pub const fn is_temporal(&self) -> bool {
        matches!(
            self,
            Self::DateTime
                | Self::DateTime2(_)
                | Self::DateTimeOffset(_)
                | Self::Date
                | Self::Time(_)
        )
    }

    /// Length in characters or bytes of a text or binary type; `None` for `max` and for others.
    #[must_use]
    pub const fn length(&self) -> Option<u16> {
        match self {
            Self::NVarChar(n) | Self::VarChar(n) | Self::VarBinary(n) => *n,
            Self::NChar(n) | Self::Char(n) | Self::Binary(n) => Some(*n),
            _ => None,
        }
    }

    /// The name without length, as SQL Server prints it in messages ("numeric", "nvarchar").
    #[must_use]
    pub const fn base_name(&self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Decimal { .. } => "numeric",
            Self::Money => "money",
            Self::Float => "float",
            Self::NVarChar(_) => "nvarchar",
            Self::VarChar(_) => "varchar",
            Self::NChar(_) => "nchar",
            Self::Char(_) => "char",
            Self::VarBinary(_) => "varbinary",
            Self::Binary(_) => "binary",
            Self::UniqueIdentifier => "uniqueidentifier",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::DateTimeOffset(_) => "datetimeoffset",
            Self::Date => "date",
            Self::Time(_) => "time",
        }
    }

    /// The type of a value that comes without one: a literal, or a value made by the engine.
    #[must_use]
    pub fn of_literal(value: &Value) -> Self {
        match value {
            Value::Null => Self::Int,
            Value::Bit(_) => Self::Bit,
            Value::Int(n) if i32::try_from(*n).is_ok() => Self::Int,
            Value::Int(_) => Self::BigInt,
            Value::Decimal(n) => Self::Decimal {
                precision: n.precision(),
                scale: n.scale,
            },
            Value::Float(_) => Self::Float,
            Value::Text(text) => Self::NVarChar(literal_length(text.encode_utf16().count(), 4000)),
            Value::Binary(bytes) => Self::VarBinary(literal_length(bytes.len(), 8000)),
            Value::Guid(_) => Self::UniqueIdentifier,
            Value::DateTime(_) => Self::DateTime2(7),
            Value::DateTimeOffset { .. } => Self::DateTimeOffset(7),
            Value::Date(_) => Self::Date,
            Value::Time(_) => Self::Time(7),
        }
    }
}

/// A literal has the length of its text, at least 1; beyond the limit it is `max`.
fn literal_length(length: usize, limit: u16) -> Option<u16> {
    u16::try_from(length.max(1)).ok().filter(|n| *n <= limit)
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.base_name();
        match self {
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::NVarChar(None) | Self::VarChar(None) | Self::VarBinary(None) => {
                write!(f, "{name}(max)")
            }
            Self::NVarChar(Some(n)) | Self::VarChar(Some(n)) | Self::VarBinary(Some(n)) => {
                write!(f, "{name}({n})")
            }
            Self::NChar(n) | Self::Char(n) | Self::Binary(n) => write!(f, "{name}({n})"),
            Self::DateTime2(n) | Self::DateTimeOffset(n) | Self::Time(n) => {
                write!(f, "{name}({n})")
            }
            _ => f.write_str(name),
        }
    }
}
