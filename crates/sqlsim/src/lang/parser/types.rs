//! Type names.
//!
//! Start at [`Parser::data_type`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::lexer::TokenKind;
use crate::messages;
use crate::value::SqlType;

/// The length of a text or binary type that is written without one: 30 in `CAST`, else 1.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Declaration,
    Cast,
}

impl Parser<'_> {
    /// A type, perhaps with length or precision. Fails with 2715 for a type that does not exist.
    pub(super) fn data_type(&mut self, place: Place) -> SqlResult<SqlType> {
        let line = self.line();
        let name = self.type_name()?;
        let sizes = self.sizes()?;
        let size = match sizes.as_slice() {
            [] => Size::Default(match place {
                Place::Declaration => 1,
                Place::Cast => 30,
            }),
            [Some(n), ..] => Size::Of(*n),
            [None, ..] => Size::Max,
        };
        let scale = sizes.get(1).copied().flatten();
        resolve(&name.to_ascii_lowercase(), size, scale)
            .ok_or_else(|| messages::unknown_type(1, &name).at_line(line))
    }

    fn type_name(&mut self) -> SqlResult<String> {
        if self.take_word("NATIONAL") {
            let base = self.any_word()?;
            self.take_word("VARYING");
            return Ok(if base == "TEXT" {
                "ntext".into()
            } else {
                "nvarchar".into()
            });
        }
        let name = self.object_name()?.name;
        if name.eq_ignore_ascii_case("double") {
            self.take_word("PRECISION");
        }
        Ok(name)
    }

    /// `(n)`, `(p, s)`, `(max)`; `None` is `max`.
    fn sizes(&mut self) -> SqlResult<Vec<Option<u16>>> {
        if !self.is_symbol("(") {
            return Ok(Vec::new());
        }
        self.bracketed_list(|p| {
            let size = match p.kind() {
                TokenKind::Word(word) if word.eq_ignore_ascii_case("max") => None,
                TokenKind::Number(digits) => Some(digits.parse().map_err(|_| p.unexpected())?),
                _ => return Err(p.unexpected()),
            };
            p.advance();
            Ok(size)
        })
    }
}

#[derive(Clone, Copy)]
enum Size {
    Default(u16),
    Of(u16),
    Max,
}

impl Size {
    fn or_max(self) -> Option<u16> {
        match self {
            Self::Default(n) | Self::Of(n) => Some(n),
            Self::Max => None,
        }
    }

    /// A length between 1 and `limit`; outside, there is no such type.
    fn within(self, limit: u16) -> Option<u16> {
        self.or_max().filter(|n| (1..=limit).contains(n))
    }

    #[expect(clippy::option_option, reason = "no such type, `max`, or a length")]
    fn within_or_max(self, limit: u16) -> Option<Option<u16>> {
        match self {
            Self::Max => Some(None),
            size => size.within(limit).map(Some),
        }
    }

    /// Fractional digits, 7 where none are given.
    fn digits(self) -> Option<u8> {
        match self {
            Self::Default(_) => Some(7),
            Self::Of(n) => u8::try_from(n).ok().filter(|n| *n <= 7),
            Self::Max => None,
        }
    }
}

fn resolve(name: &str, size: Size, scale: Option<u16>) -> Option<SqlType> {
    Some(match name {
        "bit" => SqlType::Bit,
        "tinyint" => SqlType::TinyInt,
        "smallint" => SqlType::SmallInt,
        "int" | "integer" => SqlType::Int,
        "bigint" => SqlType::BigInt,
        "decimal" | "numeric" | "dec" => decimal(size, scale)?,
        "money" | "smallmoney" => SqlType::Money,
        "float" | "real" | "double" => SqlType::Float,
        "nvarchar" => SqlType::NVarChar(size.within_or_max(4000)?),
        "varchar" => SqlType::VarChar(size.within_or_max(8000)?),
        "nchar" => SqlType::NChar(size.within(4000)?),
        "char" | "character" => SqlType::Char(size.within(8000)?),
        "varbinary" => SqlType::VarBinary(size.within_or_max(8000)?),
        "binary" => SqlType::Binary(size.within(8000)?),
        "sysname" => SqlType::SYSNAME,
        "ntext" | "xml" => SqlType::NVarChar(None),
        "sql_variant" => SqlType::NVarChar(Some(4000)),
        "text" => SqlType::VarChar(None),
        "image" => SqlType::VarBinary(None),
        "timestamp" | "rowversion" => SqlType::Binary(8),
        "uniqueidentifier" => SqlType::UniqueIdentifier,
        "datetime" | "smalldatetime" => SqlType::DateTime,
        "datetime2" => SqlType::DateTime2(size.digits()?),
        "datetimeoffset" => SqlType::DateTimeOffset(size.digits()?),
        "date" => SqlType::Date,
        "time" => SqlType::Time(size.digits()?),
        _ => return None,
    })
}

fn decimal(size: Size, scale: Option<u16>) -> Option<SqlType> {
    let precision = match size {
        Size::Default(_) => 18,
        Size::Of(n) => u8::try_from(n).ok().filter(|n| (1..=38).contains(n))?,
        Size::Max => return None,
    };
    let scale = u8::try_from(scale.unwrap_or(0))
        .ok()
        .filter(|n| *n <= precision)?;
    Some(SqlType::Decimal { precision, scale })
}
