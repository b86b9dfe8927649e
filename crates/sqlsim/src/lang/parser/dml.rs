//! `INSERT`, `UPDATE`, `DELETE` and `TRUNCATE TABLE`.
//!
//! Start at [`Parser::insert`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    Assignment, Delete, Insert, InsertSource, Output, SelectItem, StatementKind, Update,
};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        self.take_word("INTO");
        let target = self.object_name()?;
        self.hints()?;
        let listed = self.is_symbol("(") && !self.is_word_after(1, "SELECT");
        let columns = if listed {
            self.bracketed_list(Self::name)?
        } else {
            Vec::new()
        };
        let output = self.output()?;
        let source = self.insert_source()?;
        Ok(StatementKind::Insert(Box::new(Insert {
            target,
            columns,
            output,
            source,
        })))
    }

    fn insert_source(&mut self) -> SqlResult<InsertSource> {
        if self.take_word("VALUES") {
            let rows = self.comma_list(|p| p.bracketed_list(Self::value_or_default))?;
            Ok(InsertSource::Values(rows))
        } else if self.take_words(&["DEFAULT", "VALUES"]) {
            Ok(InsertSource::DefaultValues)
        } else if self.is_word("EXEC") || self.is_word("EXECUTE") {
            Ok(InsertSource::Execute(Box::new(self.execute()?)))
        } else if self.is_symbol("(") {
            Ok(InsertSource::Select(self.bracketed(Self::select)?))
        } else {
            Ok(InsertSource::Select(self.select()?))
        }
    }

    pub(super) fn value_or_default(&mut self) -> SqlResult<Option<crate::lang::ast::Expr>> {
        if self.take_word("DEFAULT") {
            Ok(None)
        } else {
            self.expr().map(Some)
        }
    }

    fn output(&mut self) -> SqlResult<Option<Output>> {
        if !self.take_word("OUTPUT") {
            return Ok(None);
        }
        let items = self.comma_list(Self::select_item)?;
        if items
            .iter()
            .any(|item| matches!(item, SelectItem::Assign { .. }))
        {
            return Err(self.unexpected());
        }
        let into = if self.take_word("INTO") {
            Some((self.object_name()?, self.optional_names()?))
        } else {
            None
        };
        Ok(Some(Output { items, into }))
    }

    pub(super) fn update(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let top = self.top()?;
        let target = self.object_name()?;
        self.hints()?;
        self.expect_word("SET")?;
        let assignments = self.comma_list(Self::assignment)?;
        let output = self.output()?;
        let from = self.optional_from()?;
        let condition = self.optional_where()?;
        let update = Update {
            top,
            target,
            assignments,
            output,
            from,
            condition,
        };
        Ok(StatementKind::Update(Box::new(update)))
    }

    /// `c = v`, `c += v`, `t.c = v`, `@v = e`, `@v = c = e`.
    pub(super) fn assignment(&mut self) -> SqlResult<Assignment> {
        let variable = match self.kind() {
            TokenKind::Variable(_) => Some(self.variable()?),
            _ => None,
        };
        let mut column = None;
        if variable.is_none() {
            column = Some(self.object_name()?.name);
        }
        let mut operator = self
            .assignment_operator()
            .ok_or_else(|| self.unexpected())?;
        let both = variable.is_some() && operator.is_none() && self.is_name();
        if both && self.is_assignment_after_name() {
            column = Some(self.object_name()?.name);
            operator = self
                .assignment_operator()
                .ok_or_else(|| self.unexpected())?;
        }
        let value = self.value_or_default()?;
        Ok(Assignment {
            variable,
            column,
            operator,
            value,
        })
    }

    fn is_assignment_after_name(&self) -> bool {
        ["=", "+=", "-="]
            .iter()
            .any(|symbol| self.is_symbol_after(1, symbol))
    }

    pub(super) fn delete(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let top = self.top()?;
        self.take_word("FROM");
        let target = self.object_name()?;
        self.hints()?;
        let output = self.output()?;
        let from = self.optional_from()?;
        let condition = self.optional_where()?;
        let delete = Delete {
            top,
            target,
            output,
            from,
            condition,
        };
        Ok(StatementKind::Delete(Box::new(delete)))
    }

    fn optional_from(&mut self) -> SqlResult<Vec<crate::lang::ast::FromItem>> {
        if self.take_word("FROM") {
            self.comma_list(Self::source_and_joins)
        } else {
            Ok(Vec::new())
        }
    }

    fn optional_where(&mut self) -> SqlResult<Option<crate::lang::ast::Condition>> {
        if self.take_word("WHERE") {
            self.condition().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn truncate(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        self.expect_word("TABLE")?;
        Ok(StatementKind::Truncate(self.object_name()?))
    }
}
