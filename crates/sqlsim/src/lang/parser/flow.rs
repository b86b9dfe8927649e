//! Variables, options, branches, loops, messages, cursors and the small statements.
//!
//! Start at [`Parser::flow_statement`].

use super::Parser;
use super::types::Place;
use crate::error::SqlResult;
use crate::lang::ast::{
    Dbcc, Declaration, DeclarationKind, RaisError, SetOption, SetVariable, Setting, Statement,
    StatementKind,
};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    /// A statement of this family; `word` is its first word, in capitals.
    pub(super) fn flow_statement(&mut self, word: &str) -> SqlResult<StatementKind> {
        let start = self.at;
        self.advance();
        Ok(match word {
            "DECLARE" => self.declare()?,
            "SET" => self.set()?,
            "GOTO" => StatementKind::Goto(self.name()?),
            "BREAK" => StatementKind::Break,
            "CONTINUE" => StatementKind::Continue,
            "RETURN" => StatementKind::Return(self.returned()?),
            "PRINT" => StatementKind::Print(self.expr()?),
            "RAISERROR" => self.raiserror()?,
            "THROW" => self.throw()?,
            "WAITFOR" => self.wait_for()?,
            "OPEN" => StatementKind::OpenCursor(self.cursor()?),
            "CLOSE" => StatementKind::CloseCursor(self.cursor()?),
            "DEALLOCATE" => StatementKind::DeallocateCursor(self.cursor()?),
            "FETCH" => self.fetch()?,
            "USE" => StatementKind::Use(self.name()?),
            "KILL" => StatementKind::Kill(self.expr()?),
            "DBCC" => self.dbcc()?,
            "CHECKPOINT" => StatementKind::Checkpoint,
            "RECONFIGURE" => {
                self.take_words(&["WITH", "OVERRIDE"]);
                StatementKind::Reconfigure
            }
            "REVERT" => StatementKind::Revert,
            _ => {
                self.at = start;
                return self.implied_execute();
            }
        })
    }

    pub(super) fn while_statement(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let condition = self.condition()?;
        let body = self.boxed_statement()?;
        Ok(StatementKind::While { condition, body })
    }

    fn boxed_statement(&mut self) -> SqlResult<Box<Statement>> {
        self.statement().map(Box::new)
    }

    pub(super) fn if_statement(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let condition = self.condition()?;
        let then = self.boxed_statement()?;
        let before = self.at;
        while self.take_symbol(";") {}
        if self.take_word("ELSE") {
            let otherwise = Some(self.boxed_statement()?);
            return Ok(StatementKind::If {
                condition,
                then,
                otherwise,
            });
        }
        self.at = before;
        Ok(StatementKind::If {
            condition,
            then,
            otherwise: None,
        })
    }

    /// The value of `RETURN`, where one follows.
    fn returned(&mut self) -> SqlResult<Option<crate::lang::ast::Expr>> {
        let follows = match self.kind() {
            TokenKind::Number(_)
            | TokenKind::Variable(_)
            | TokenKind::Text { .. }
            | TokenKind::Binary(_) => true,
            TokenKind::Symbol(symbol) => matches!(*symbol, "(" | "-" | "+" | "~"),
            TokenKind::Word(_) => {
                self.is_any_word(&["NULL", "CASE"])
                    || self.is_symbol_after(1, "(") && self.is_function_name()
                    || self.is_name() && self.is_symbol_after(1, ".")
            }
            TokenKind::Quoted(_) => self.is_symbol_after(1, ".") || self.is_symbol_after(1, "("),
            TokenKind::End => false,
        };
        if follows {
            self.expr().map(Some)
        } else {
            Ok(None)
        }
    }

    fn is_function_name(&self) -> bool {
        self.is_name()
            || self.is_any_word(&[
                "CONVERT",
                "TRY_CONVERT",
                "COALESCE",
                "NULLIF",
                "LEFT",
                "RIGHT",
            ])
    }

    fn declare(&mut self) -> SqlResult<StatementKind> {
        if self.is_name() {
            let name = self.name()?;
            self.take_any_word(&["INSENSITIVE", "SCROLL"]);
            self.expect_word("CURSOR")?;
            return self.cursor_declaration(name);
        }
        if matches!(self.kind(), TokenKind::Variable(_)) && self.is_word_after(1, "CURSOR") {
            let name = self.variable()?;
            self.advance();
            if self.is_word("FOR") {
                return self.cursor_declaration(name);
            }
            let kind = DeclarationKind::Cursor;
            return Ok(StatementKind::Declare(vec![Declaration { name, kind }]));
        }
        self.comma_list(Self::declaration)
            .map(StatementKind::Declare)
    }

    fn declaration(&mut self) -> SqlResult<Declaration> {
        let name = self.variable()?;
        self.take_word("AS");
        let kind = if self.take_word("TABLE") {
            DeclarationKind::Table(self.bracketed(Self::table_definition)?)
        } else {
            let ty = self.data_type(Place::Declaration)?;
            let initial = if self.take_symbol("=") {
                Some(self.expr()?)
            } else {
                None
            };
            DeclarationKind::Scalar { ty, initial }
        };
        Ok(Declaration { name, kind })
    }

    /// `[LOCAL FAST_FORWARD ..] FOR SELECT .. [FOR READ ONLY | UPDATE]`
    fn cursor_declaration(&mut self, name: String) -> SqlResult<StatementKind> {
        while !self.is_word("FOR") {
            self.name()?;
        }
        self.advance();
        let select = self.select()?;
        if self.take_word("FOR") && !self.take_words(&["READ", "ONLY"]) {
            self.expect_word("UPDATE")?;
        }
        Ok(StatementKind::DeclareCursor { name, select })
    }

    fn cursor(&mut self) -> SqlResult<String> {
        self.take_word("GLOBAL");
        match self.kind() {
            TokenKind::Variable(_) => self.variable(),
            _ => self.name(),
        }
    }

    fn fetch(&mut self) -> SqlResult<StatementKind> {
        if self.take_word("NEXT") || self.is_word("FROM") {
            self.expect_word("FROM")?;
        }
        let cursor = self.cursor()?;
        let into = if self.take_word("INTO") {
            self.comma_list(Self::variable)?
        } else {
            Vec::new()
        };
        Ok(StatementKind::Fetch { cursor, into })
    }

    fn set(&mut self) -> SqlResult<StatementKind> {
        if matches!(self.kind(), TokenKind::Variable(_)) {
            let name = self.variable()?;
            let operator = self
                .assignment_operator()
                .ok_or_else(|| self.unexpected())?;
            if operator.is_none() && self.take_word("CURSOR") {
                return self.cursor_declaration(name);
            }
            let value = self.expr()?;
            return Ok(StatementKind::SetVariable(SetVariable {
                name,
                operator,
                value,
            }));
        }
        if self.take_words(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            let mut level = self.any_word()?;
            if self.is_any_word(&["COMMITTED", "UNCOMMITTED"]) || level == "REPEATABLE" {
                level = format!("{level} {}", self.any_word()?);
            }
            let names = vec!["TRANSACTION ISOLATION LEVEL".to_owned()];
            return Ok(StatementKind::SetOption(SetOption {
                names,
                setting: Setting::Word(level),
            }));
        }
        if self.take_word("IDENTITY_INSERT") {
            let table = self.object_name()?;
            let on = self.take_word("ON");
            if !on {
                self.expect_word("OFF")?;
            }
            let names = vec!["IDENTITY_INSERT".to_owned()];
            let setting = Setting::Table(table, on);
            return Ok(StatementKind::SetOption(SetOption { names, setting }));
        }
        self.set_option()
    }

    fn set_option(&mut self) -> SqlResult<StatementKind> {
        let names = self.comma_list(|p| {
            let name = p.any_word()?;
            match name.as_str() {
                "STATISTICS" => Ok(format!("STATISTICS {}", p.any_word()?)),
                _ => Ok(name),
            }
        })?;
        let setting = if self.take_word("ON") {
            Setting::On
        } else if self.take_word("OFF") {
            Setting::Off
        } else if self.is_name() {
            let word = self.name()?;
            let language = names.iter().any(|name| name == "LANGUAGE");
            Setting::Word(if language {
                word
            } else {
                word.to_ascii_uppercase()
            })
        } else {
            Setting::Value(self.expr()?)
        };
        Ok(StatementKind::SetOption(SetOption { names, setting }))
    }

    fn raiserror(&mut self) -> SqlResult<StatementKind> {
        let mut values = self.bracketed_list(Self::expr)?.into_iter();
        let (Some(message), Some(severity), Some(state)) =
            (values.next(), values.next(), values.next())
        else {
            return Err(self.unexpected());
        };
        let arguments = values.collect();
        let options = if self.take_word("WITH") {
            self.comma_list(Self::any_word)?
        } else {
            Vec::new()
        };
        let raise = RaisError {
            message,
            severity,
            state,
            arguments,
            options,
        };
        Ok(StatementKind::RaisError(raise))
    }

    fn throw(&mut self) -> SqlResult<StatementKind> {
        let follows = matches!(self.kind(), TokenKind::Number(_) | TokenKind::Variable(_));
        if !follows {
            return Ok(StatementKind::Throw(None));
        }
        let number = self.expr()?;
        self.expect_symbol(",")?;
        let message = self.expr()?;
        self.expect_symbol(",")?;
        let state = self.expr()?;
        Ok(StatementKind::Throw(Some(Box::new((
            number, message, state,
        )))))
    }

    fn wait_for(&mut self) -> SqlResult<StatementKind> {
        if self.take_word("DELAY") {
            return self.expr().map(StatementKind::WaitForDelay);
        }
        self.expect_word("TIME")?;
        self.expr().map(StatementKind::WaitForTime)
    }

    fn dbcc(&mut self) -> SqlResult<StatementKind> {
        let name = self.any_word()?;
        let arguments = if self.is_symbol("(") {
            self.bracketed(|p| {
                if p.is_symbol(")") {
                    Ok(Vec::new())
                } else {
                    p.comma_list(Self::dbcc_argument)
                }
            })?
        } else {
            Vec::new()
        };
        let options = if self.take_word("WITH") {
            self.comma_list(Self::any_word)?
        } else {
            Vec::new()
        };
        Ok(StatementKind::Dbcc(Dbcc {
            name,
            arguments,
            options,
        }))
    }

    fn dbcc_argument(&mut self) -> SqlResult<crate::lang::ast::Expr> {
        if self.is_name() {
            return self
                .object_name()
                .map(|name| super::expr::word_literal(&name.to_string()));
        }
        self.expr()
    }
}
