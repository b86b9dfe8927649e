//! `EXECUTE`, and calls without it at the beginning of a batch.
//!
//! Start at [`Parser::execute`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{
    Argument, Execute, ExecuteTarget, Expr, Impersonation, ProcedureName, StatementKind,
};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn execute_statement(&mut self) -> SqlResult<StatementKind> {
        if self.is_word_after(1, "AS") {
            self.at += 2;
            return self.impersonation().map(StatementKind::ExecuteAs);
        }
        self.execute()
            .map(|execute| StatementKind::Execute(Box::new(execute)))
    }

    /// `LOGIN = '..' | USER = '..' | CALLER`, perhaps with `WITH NO REVERT`.
    fn impersonation(&mut self) -> SqlResult<Impersonation> {
        let who = if self.take_word("CALLER") {
            Impersonation::Caller
        } else if self.take_word("LOGIN") {
            self.expect_symbol("=")?;
            Impersonation::Login(self.expr()?)
        } else {
            self.expect_word("USER")?;
            self.expect_symbol("=")?;
            Impersonation::User(self.expr()?)
        };
        self.take_words(&["WITH", "NO", "REVERT"]);
        Ok(who)
    }

    /// The first statement of a batch may be a call without `EXECUTE`.
    pub(super) fn implied_execute(&mut self) -> SqlResult<StatementKind> {
        if self.at != 0 || !self.is_name() {
            return Err(self.unexpected());
        }
        let target = self.procedure_call()?;
        Ok(StatementKind::Execute(Box::new(Execute {
            return_to: None,
            target,
        })))
    }

    /// `EXEC ..`
    pub(super) fn execute(&mut self) -> SqlResult<Execute> {
        self.advance();
        if self.is_symbol("(") {
            let target = self.text_call()?;
            return Ok(Execute {
                return_to: None,
                target,
            });
        }
        let returns = matches!(self.kind(), TokenKind::Variable(_)) && self.is_symbol_after(1, "=");
        let return_to = if returns {
            Some(self.variable()?)
        } else {
            None
        };
        self.take_symbol("=");
        let target = self.procedure_call()?;
        Ok(Execute { return_to, target })
    }

    fn procedure_call(&mut self) -> SqlResult<ExecuteTarget> {
        let name = match self.kind() {
            TokenKind::Variable(_) => ProcedureName::Variable(self.variable()?),
            _ => ProcedureName::Name(self.object_name()?),
        };
        if self.is_symbol(";") && matches!(self.kind_after(1), TokenKind::Number(_)) {
            self.at += 2;
        }
        let arguments = if self.argument_follows() {
            self.comma_list(Self::argument)?
        } else {
            Vec::new()
        };
        self.take_words(&["WITH", "RECOMPILE"]);
        Ok(ExecuteTarget::Procedure { name, arguments })
    }

    fn argument_follows(&self) -> bool {
        match self.kind() {
            TokenKind::Word(_) => {
                self.is_name() || self.is_any_word(&["NULL", "DEFAULT", "ON", "OFF"])
            }
            TokenKind::Symbol(symbol) => matches!(*symbol, "-" | "+"),
            TokenKind::End => false,
            _ => true,
        }
    }

    fn argument(&mut self) -> SqlResult<Argument> {
        let named = matches!(self.kind(), TokenKind::Variable(_)) && self.is_symbol_after(1, "=");
        let name = if named { Some(self.variable()?) } else { None };
        if named {
            self.advance();
        }
        if self.take_word("DEFAULT") {
            return Ok(Argument {
                name,
                value: None,
                output: false,
            });
        }
        let value = match self.kind() {
            TokenKind::Variable(_) => Expr::Variable(self.variable()?),
            TokenKind::Word(word) if self.is_any_word(&["ON", "OFF"]) => {
                let value = super::expr::word_literal(word);
                self.advance();
                value
            }
            _ => self.constant()?,
        };
        let output = self.take_any_word(&["OUTPUT", "OUT"]);
        Ok(Argument {
            name,
            value: Some(value),
            output,
        })
    }

    /// `('text' + @v, @a, ..) [AS LOGIN | USER = '..'] [AT link]`
    fn text_call(&mut self) -> SqlResult<ExecuteTarget> {
        let (text, arguments) = self.bracketed(|p| {
            let text = p.expr()?;
            let more = p.take_symbol(",");
            let arguments = if more {
                p.comma_list(Self::argument)?
            } else {
                Vec::new()
            };
            Ok((text, arguments))
        })?;
        let impersonate = if self.take_word("AS") {
            Some(self.impersonation()?)
        } else {
            None
        };
        let at = if self.take_word("AT") {
            Some(self.name()?)
        } else {
            None
        };
        Ok(ExecuteTarget::Text {
            text,
            arguments,
            impersonate,
            at,
        })
    }
}
