//! `BEGIN` in its four meanings, `COMMIT`, `ROLLBACK`, `SAVE`.
//!
//! Start at [`Parser::begin`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{BeginTransaction, Expr, Mark, StatementKind};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn begin(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if self.take_word("DISTRIBUTED") {
            if !self.take_transaction_word() {
                return Err(self.unexpected());
            }
            return self.transaction(true);
        }
        if self.take_transaction_word() {
            return self.transaction(false);
        }
        if self.take_word("TRY") {
            return self.try_catch();
        }
        let statements = self.statements_until(|p| p.is_word("END") || p.at_end())?;
        // SQL Server wants at least one statement between BEGIN and END.
        if statements.is_empty() {
            return Err(self.unexpected());
        }
        self.expect_word("END")?;
        Ok(StatementKind::Block(statements))
    }

    fn take_transaction_word(&mut self) -> bool {
        self.take_any_word(&["TRAN", "TRANSACTION"])
    }

    fn transaction(&mut self, distributed: bool) -> SqlResult<StatementKind> {
        let name = self.optional_name_or_variable()?;
        let marked = name.is_some() && !distributed && self.take_words(&["WITH", "MARK"]);
        let mark = if marked {
            Some(Mark {
                description: self.description()?,
            })
        } else {
            None
        };
        Ok(StatementKind::BeginTransaction(BeginTransaction {
            distributed,
            name,
            mark,
        }))
    }

    fn description(&mut self) -> SqlResult<Option<Expr>> {
        match self.kind() {
            TokenKind::Text { .. } => self.literal().map(Some),
            TokenKind::Variable(_) => self.variable().map(|name| Some(Expr::Variable(name))),
            _ => Ok(None),
        }
    }

    fn try_catch(&mut self) -> SqlResult<StatementKind> {
        let body = self.statements_until(|p| p.is_word("END") || p.at_end())?;
        self.expect_words(&["END", "TRY"])?;
        self.take_symbol(";");
        self.expect_words(&["BEGIN", "CATCH"])?;
        let handler = self.statements_until(|p| p.is_word("END") || p.at_end())?;
        self.expect_words(&["END", "CATCH"])?;
        Ok(StatementKind::TryCatch { body, handler })
    }

    pub(super) fn commit(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if self.take_word("WORK") || !self.take_transaction_word() {
            return Ok(StatementKind::Commit(None));
        }
        let name = self.optional_name_or_variable()?;
        if self.take_word("WITH") {
            self.skip_bracket()?;
        }
        Ok(StatementKind::Commit(name))
    }

    pub(super) fn rollback(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if self.take_word("WORK") || !self.take_transaction_word() {
            return Ok(StatementKind::Rollback(None));
        }
        self.optional_name_or_variable()
            .map(StatementKind::Rollback)
    }

    pub(super) fn save(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        if !self.take_transaction_word() {
            return Err(self.unexpected());
        }
        self.name_or_variable().map(StatementKind::Save)
    }
}
