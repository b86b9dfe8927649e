//! Tables, indexes, schemas, and `DROP` of objects.
//!
//! Start at [`Parser::table_definition`].

use super::Parser;
use super::types::Place;
use crate::error::SqlResult;
use crate::lang::ast::{
    AlterTable, AlterTableAction, ColumnDefinition, ConstraintKind, CreateIndex, CreateTable,
    DropObjects, Expr, ObjectKind, ObjectName, StatementKind, TableConstraint, TableDefinition,
};
use crate::lang::lexer::TokenKind;
use crate::messages;

impl Parser<'_> {
    pub(super) fn create_table(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        let definition = self.bracketed(Self::table_definition)?;
        self.storage_clause()?;
        Ok(StatementKind::CreateTable(CreateTable { name, definition }))
    }

    /// `ON [PRIMARY]`, `WITH (..)`: read, without effect.
    fn storage_clause(&mut self) -> SqlResult<()> {
        if self.is_word("WITH") && self.is_symbol_after(1, "(") {
            self.advance();
            self.skip_bracket()?;
        }
        if self.take_word("ON") {
            self.name()?;
        }
        Ok(())
    }

    /// What stands in the brackets of `CREATE TABLE` and `DECLARE @t TABLE`.
    pub(super) fn table_definition(&mut self) -> SqlResult<TableDefinition> {
        let mut definition = TableDefinition::default();
        loop {
            if self.is_any_word(&["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]) {
                let constraint = self.table_constraint()?;
                definition.constraints.push(constraint);
            } else if self.is_word("INDEX") {
                self.inline_index()?;
            } else {
                self.column_definition(&mut definition)?;
            }
            // A comma may trail, as SQL Server allows.
            if !self.take_symbol(",") || self.is_symbol(")") {
                return Ok(definition);
            }
        }
    }

    fn inline_index(&mut self) -> SqlResult<()> {
        self.advance();
        self.name()?;
        self.take_word("UNIQUE");
        self.take_any_word(&["CLUSTERED", "NONCLUSTERED"]);
        self.key_columns().map(drop)
    }

    fn column_definition(&mut self, definition: &mut TableDefinition) -> SqlResult<()> {
        let name = self.name()?;
        if self.is_word("AS") {
            return Err(self.unexpected());
        }
        let ty = self.data_type(Place::Declaration)?;
        let mut column = ColumnDefinition {
            name,
            ty,
            nullable: None,
            identity: None,
            default: None,
        };
        while self.column_clause(&mut column, &mut definition.constraints)? {}
        definition.columns.push(column);
        Ok(())
    }

    /// One clause after a column's type; false where there is none.
    fn column_clause(
        &mut self,
        column: &mut ColumnDefinition,
        constraints: &mut Vec<TableConstraint>,
    ) -> SqlResult<bool> {
        if self.take_word("NULL") {
            column.nullable = Some(true);
        } else if self.take_words(&["NOT", "NULL"]) {
            column.nullable = Some(false);
        } else if self.take_word("IDENTITY") {
            column.identity = Some(self.identity()?);
        } else if self.take_word("COLLATE") {
            self.name()?;
        } else if self.take_any_word(&["ROWGUIDCOL", "SPARSE"]) {
        } else {
            let name = self.constraint_name()?;
            if self.take_word("DEFAULT") {
                column.default = Some(self.default_value()?);
            } else if self.is_any_word(&["PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "REFERENCES"]) {
                let kind = self.constraint_kind(std::slice::from_ref(&column.name))?;
                constraints.push(TableConstraint { name, kind });
            } else if name.is_some() {
                return Err(self.unexpected());
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn identity(&mut self) -> SqlResult<(i64, i64)> {
        if !self.is_symbol("(") {
            return Ok((1, 1));
        }
        self.bracketed(|p| {
            let seed = p.integer()?;
            p.expect_symbol(",")?;
            Ok((seed, p.integer()?))
        })
    }

    /// A plain integer, perhaps negative.
    pub(super) fn integer(&mut self) -> SqlResult<i64> {
        let negative = self.take_symbol("-");
        let TokenKind::Number(digits) = self.kind() else {
            return Err(self.unexpected());
        };
        let number: i64 = digits.parse().map_err(|_| self.unexpected())?;
        self.advance();
        Ok(if negative { -number } else { number })
    }

    fn default_value(&mut self) -> SqlResult<Expr> {
        self.expr()
    }

    fn constraint_name(&mut self) -> SqlResult<Option<String>> {
        if self.take_word("CONSTRAINT") {
            self.name().map(Some)
        } else {
            Ok(None)
        }
    }

    fn table_constraint(&mut self) -> SqlResult<TableConstraint> {
        let name = self.constraint_name()?;
        let kind = self.constraint_kind(&[])?;
        Ok(TableConstraint { name, kind })
    }

    /// A constraint; `own` is the column that it stands behind, or nothing.
    fn constraint_kind(&mut self, own: &[String]) -> SqlResult<ConstraintKind> {
        if self.take_words(&["PRIMARY", "KEY"]) {
            Ok(ConstraintKind::PrimaryKey(self.key(own)?))
        } else if self.take_word("UNIQUE") {
            Ok(ConstraintKind::Unique(self.key(own)?))
        } else if self.take_word("CHECK") {
            self.take_words(&["NOT", "FOR", "REPLICATION"]);
            let condition = self.bracketed(Self::condition)?;
            Ok(ConstraintKind::Check(Box::new(condition)))
        } else if self.take_word("DEFAULT") {
            let value = self.default_value()?;
            self.expect_word("FOR")?;
            Ok(ConstraintKind::Default {
                value,
                column: self.name()?,
            })
        } else {
            self.foreign_key(own)
        }
    }

    fn key(&mut self, own: &[String]) -> SqlResult<Vec<String>> {
        self.take_any_word(&["CLUSTERED", "NONCLUSTERED"]);
        let columns = if self.is_symbol("(") {
            self.key_columns()?
        } else {
            own.to_vec()
        };
        self.storage_clause()?;
        if columns.is_empty() {
            Err(self.unexpected())
        } else {
            Ok(columns)
        }
    }

    fn key_columns(&mut self) -> SqlResult<Vec<String>> {
        self.bracketed_list(|p| {
            let name = p.name()?;
            p.take_any_word(&["ASC", "DESC"]);
            Ok(name)
        })
    }

    fn foreign_key(&mut self, own: &[String]) -> SqlResult<ConstraintKind> {
        let mut columns = own.to_vec();
        if self.take_words(&["FOREIGN", "KEY"]) && self.is_symbol("(") {
            columns = self.bracketed_list(Self::name)?;
        }
        self.expect_word("REFERENCES")?;
        let table = self.object_name()?;
        let referenced = self.optional_names()?;
        while self.take_words(&["ON", "DELETE"]) || self.take_words(&["ON", "UPDATE"]) {
            if !self.take_words(&["NO", "ACTION"]) && !self.take_word("CASCADE") {
                self.expect_word("SET")?;
                self.any_word()?;
            }
        }
        Ok(ConstraintKind::ForeignKey {
            columns,
            table,
            referenced,
        })
    }

    pub(super) fn alter_table(&mut self) -> SqlResult<StatementKind> {
        let name = self.object_name()?;
        if self.take_word("WITH") {
            self.any_word()?;
        }
        let action = if self.take_word("ADD") {
            self.added()?
        } else {
            self.expect_word("DROP")?;
            if self.take_word("COLUMN") {
                self.take_words(&["IF", "EXISTS"]);
                AlterTableAction::DropColumns(self.comma_list(Self::name)?)
            } else {
                self.take_word("CONSTRAINT");
                self.take_words(&["IF", "EXISTS"]);
                AlterTableAction::DropConstraints(self.comma_list(Self::name)?)
            }
        };
        Ok(StatementKind::AlterTable(AlterTable { name, action }))
    }

    fn added(&mut self) -> SqlResult<AlterTableAction> {
        let bare_default = self.is_word("DEFAULT");
        let named_default = self.is_word("CONSTRAINT") && self.is_word_after(2, "DEFAULT");
        if bare_default || named_default {
            let constraints = vec![self.table_constraint()?];
            return Ok(AlterTableAction::Add(TableDefinition {
                constraints,
                ..Default::default()
            }));
        }
        self.table_definition().map(AlterTableAction::Add)
    }

    pub(super) fn create_index(&mut self) -> SqlResult<StatementKind> {
        // The caller has taken the first word, which may already say what follows.
        self.at -= 1;
        let unique = self.take_word("UNIQUE");
        self.take_any_word(&["CLUSTERED", "NONCLUSTERED"]);
        self.expect_word("INDEX")?;
        let name = self.name()?;
        self.expect_word("ON")?;
        let table = self.object_name()?;
        let columns = self.key_columns()?;
        if self.take_word("INCLUDE") {
            self.skip_bracket()?;
        }
        if self.take_word("WHERE") {
            self.condition()?;
        }
        self.storage_clause()?;
        Ok(StatementKind::CreateIndex(CreateIndex {
            name,
            unique,
            table,
            columns,
        }))
    }

    pub(super) fn create_schema(&mut self) -> SqlResult<StatementKind> {
        let named = !self.is_word("AUTHORIZATION");
        let name = if named { Some(self.name()?) } else { None };
        let owner = if self.take_word("AUTHORIZATION") {
            Some(self.name()?)
        } else {
            None
        };
        let name = name.or_else(|| owner.clone()).unwrap_or_default();
        Ok(StatementKind::CreateSchema { name, owner })
    }

    /// `IF EXISTS`, or nothing.
    pub(super) fn if_exists(&mut self) -> bool {
        self.take_words(&["IF", "EXISTS"])
    }

    pub(super) fn drop_objects(&mut self, word: &str) -> SqlResult<StatementKind> {
        let kind = match word {
            "TABLE" => ObjectKind::Table,
            "VIEW" => ObjectKind::View,
            "FUNCTION" => ObjectKind::Function,
            "SCHEMA" => ObjectKind::Schema,
            "INDEX" => ObjectKind::Index,
            "PROC" | "PROCEDURE" => ObjectKind::Procedure,
            _ => return Err(messages::incorrect_syntax_near_keyword(word).at_line(self.line())),
        };
        let if_exists = self.if_exists();
        let names: Vec<ObjectName> = self.comma_list(Self::object_name)?;
        let on = kind == ObjectKind::Index && self.take_word("ON");
        let table = if on { Some(self.object_name()?) } else { None };
        Ok(StatementKind::Drop(DropObjects {
            kind,
            if_exists,
            names,
            table,
        }))
    }
}
