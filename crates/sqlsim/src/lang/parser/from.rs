//! `FROM`: sources and joins.
//!
//! Start at [`Parser::source_and_joins`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{FromItem, Join, JoinKind, TableSource};
use crate::lang::lexer::TokenKind;

/// Hints that may stand without `WITH`, and so must not be taken for arguments.
const HINTS: [&str; 16] = [
    "NOLOCK",
    "HOLDLOCK",
    "TABLOCK",
    "TABLOCKX",
    "UPDLOCK",
    "ROWLOCK",
    "PAGLOCK",
    "READPAST",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "REPEATABLEREAD",
    "SERIALIZABLE",
    "XLOCK",
    "NOWAIT",
    "SNAPSHOT",
    "READCOMMITTEDLOCK",
];

impl Parser<'_> {
    /// A source and what is joined to it.
    pub(super) fn source_and_joins(&mut self) -> SqlResult<FromItem> {
        let first = self.table_source()?;
        let mut joins = Vec::new();
        while let Some(kind) = self.join_kind()? {
            let source = self.table_source()?;
            let on = match kind {
                JoinKind::Cross | JoinKind::CrossApply | JoinKind::OuterApply => None,
                _ => {
                    self.expect_word("ON")?;
                    Some(self.condition()?)
                }
            };
            joins.push(Join { kind, source, on });
        }
        Ok(FromItem { first, joins })
    }

    fn join_kind(&mut self) -> SqlResult<Option<JoinKind>> {
        if self.take_words(&["CROSS", "JOIN"]) {
            return Ok(Some(JoinKind::Cross));
        }
        if self.take_words(&["CROSS", "APPLY"]) {
            return Ok(Some(JoinKind::CrossApply));
        }
        if self.take_words(&["OUTER", "APPLY"]) {
            return Ok(Some(JoinKind::OuterApply));
        }
        let kind = if self.take_word("LEFT") {
            JoinKind::Left
        } else if self.take_word("RIGHT") {
            JoinKind::Right
        } else if self.take_word("FULL") {
            JoinKind::Full
        } else {
            let inner = self.take_word("INNER");
            if !inner && !self.is_word("JOIN") {
                return Ok(None);
            }
            JoinKind::Inner
        };
        if kind != JoinKind::Inner {
            self.take_word("OUTER");
        }
        self.expect_word("JOIN")?;
        Ok(Some(kind))
    }

    pub(super) fn table_source(&mut self) -> SqlResult<TableSource> {
        if self.is_symbol("(") {
            return self.bracketed_source();
        }
        let name = self.object_name()?;
        if self.is_symbol("(") && !self.hint_follows(1) {
            let arguments = self.arguments()?;
            let alias = self.alias()?;
            return Ok(TableSource::Function {
                name,
                arguments,
                alias,
            });
        }
        let mut hints = self.hints()?;
        let alias = self.alias()?;
        hints.extend(self.hints()?);
        Ok(TableSource::Table { name, alias, hints })
    }

    fn bracketed_source(&mut self) -> SqlResult<TableSource> {
        if self.is_word_after(1, "SELECT") || self.is_word_after(1, "WITH") {
            let select = self.bracketed(Self::select)?;
            let (alias, columns) = self.alias_and_columns()?;
            return Ok(TableSource::Derived {
                select,
                alias,
                columns,
            });
        }
        if self.is_word_after(1, "VALUES") {
            let rows = self.bracketed(|p| {
                p.advance();
                p.comma_list(|p| p.bracketed_list(Self::expr))
            })?;
            let (alias, columns) = self.alias_and_columns()?;
            return Ok(TableSource::Values {
                rows,
                alias,
                columns,
            });
        }
        let inner = self.bracketed(Self::source_and_joins)?;
        Ok(TableSource::Nested(Box::new(inner)))
    }

    fn alias_and_columns(&mut self) -> SqlResult<(String, Vec<String>)> {
        self.take_word("AS");
        Ok((self.name()?, self.optional_names()?))
    }

    pub(super) fn alias(&mut self) -> SqlResult<Option<String>> {
        if self.take_word("AS") || self.is_name() {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    fn hint_follows(&self, distance: usize) -> bool {
        matches!(self.kind_after(distance), TokenKind::Word(word)
            if HINTS.contains(&word.to_ascii_uppercase().as_str()))
    }

    /// `WITH (TABLOCKX, HOLDLOCK)`, `(NOLOCK)`, or nothing; in capitals.
    pub(super) fn hints(&mut self) -> SqlResult<Vec<String>> {
        let with = self.is_word("WITH") && self.is_symbol_after(1, "(");
        if with {
            self.advance();
        } else if !(self.is_symbol("(") && self.hint_follows(1)) {
            return Ok(Vec::new());
        }
        self.bracketed(|p| {
            let mut hints = Vec::new();
            while !p.is_symbol(")") {
                hints.push(p.any_word()?);
                if p.is_symbol("(") {
                    p.skip_bracket()?;
                }
                p.take_symbol(",");
            }
            Ok(hints)
        })
    }
}
