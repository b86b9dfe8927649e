//! `CREATE | ALTER | CREATE OR ALTER` of procedures, views and functions.
//!
//! Start at [`Parser::module`]. A module fills its batch: it must come first (error 111) and its
//! body runs to the end.

use super::Parser;
use super::types::Place;
use crate::error::SqlResult;
use crate::lang::ast::{
    CreateMode, CreateModule, Expr, ModuleKind, NameOrVariable, Parameter, StatementKind,
};
use crate::lang::lexer::TokenKind;
use crate::messages;

impl Parser<'_> {
    /// The caller has taken the words up to `PROCEDURE`, `VIEW` or `FUNCTION`; `first` is the place
    /// of the first of them.
    pub(super) fn module(&mut self, first: usize, or_alter: bool) -> SqlResult<StatementKind> {
        let alter = matches!(&self.tokens[first].kind, TokenKind::Word(w)
            if w.eq_ignore_ascii_case("ALTER"));
        let mode = match (alter, or_alter) {
            (true, _) => CreateMode::Alter,
            (false, true) => CreateMode::CreateOrAlter,
            (false, false) => CreateMode::Create,
        };
        self.at -= 1;
        let word = self.any_word()?;
        if first != 0 {
            let verb = if alter { "ALTER" } else { "CREATE" };
            let statement = format!("{verb} {}", word.replace("PROC ", "PROCEDURE "));
            return Err(messages::not_first_in_batch(&statement).at_line(self.line()));
        }
        let name = self.object_name()?;
        let kind = match word.as_str() {
            "VIEW" => self.view()?,
            "FUNCTION" => self.function_module()?,
            _ => self.procedure()?,
        };
        let definition = self.sql.to_owned();
        Ok(StatementKind::CreateModule(Box::new(CreateModule {
            mode,
            name,
            definition,
            kind,
        })))
    }

    fn view(&mut self) -> SqlResult<ModuleKind> {
        let columns = self.optional_names()?;
        if self.take_word("WITH") {
            self.comma_list(Self::any_word)?;
        }
        self.expect_word("AS")?;
        let select = self.select()?;
        if self.take_words(&["WITH", "CHECK"]) {
            self.expect_word("OPTION")?;
        }
        self.take_symbol(";");
        if self.at_end() {
            Ok(ModuleKind::View { columns, select })
        } else {
            Err(self.unexpected())
        }
    }

    fn procedure(&mut self) -> SqlResult<ModuleKind> {
        if self.take_symbol(";") {
            self.integer()?;
        }
        let parameters = if self.is_symbol("(") {
            self.bracketed_list(Self::parameter)?
        } else if matches!(self.kind(), TokenKind::Variable(_)) {
            self.comma_list(Self::parameter)?
        } else {
            Vec::new()
        };
        let execute_as = self.module_options()?;
        self.take_words(&["FOR", "REPLICATION"]);
        self.expect_word("AS")?;
        let body = self.statements_until(Self::at_end)?;
        Ok(ModuleKind::Procedure {
            parameters,
            execute_as,
            body,
        })
    }

    fn function_module(&mut self) -> SqlResult<ModuleKind> {
        let parameters = self.bracketed(|p| {
            if p.is_symbol(")") {
                Ok(Vec::new())
            } else {
                p.comma_list(Self::parameter)
            }
        })?;
        self.expect_word("RETURNS")?;
        let returns = self.data_type(Place::Declaration)?;
        self.module_options()?;
        self.take_word("AS");
        self.expect_word("BEGIN")?;
        let body = self.statements_until(|p| p.is_word("END") || p.at_end())?;
        self.expect_word("END")?;
        self.take_symbol(";");
        if self.at_end() {
            Ok(ModuleKind::Function {
                parameters,
                returns,
                body,
            })
        } else {
            Err(self.unexpected())
        }
    }

    /// `@p type [= default] [OUTPUT] [READONLY]`
    pub(super) fn parameter(&mut self) -> SqlResult<Parameter> {
        let name = self.variable()?;
        self.take_word("AS");
        let ty = self.data_type(Place::Declaration)?;
        self.take_word("VARYING");
        if !self.take_words(&["NOT", "NULL"]) {
            self.take_word("NULL");
        }
        let default = if self.take_symbol("=") {
            Some(self.constant()?)
        } else {
            None
        };
        let output = self.take_any_word(&["OUTPUT", "OUT"]);
        self.take_word("READONLY");
        Ok(Parameter {
            name,
            ty,
            default,
            output,
        })
    }

    /// A literal, perhaps with a sign, or a bare word that stands for a text.
    pub(super) fn constant(&mut self) -> SqlResult<Expr> {
        match self.kind() {
            TokenKind::Symbol("-" | "+") => self.expr(),
            _ if self.is_name() => self.name().map(|name| super::expr::word_literal(&name)),
            _ => self.literal(),
        }
    }

    /// `WITH RECOMPILE, ENCRYPTION, SCHEMABINDING, EXECUTE AS who`; yields who.
    fn module_options(&mut self) -> SqlResult<Option<String>> {
        let mut execute_as = None;
        if self.take_word("WITH") {
            loop {
                if self.take_any_word(&["EXECUTE", "EXEC"]) {
                    self.expect_word("AS")?;
                    execute_as = Some(self.name_or_text()?);
                } else {
                    self.any_word()?;
                }
                if !self.take_symbol(",") {
                    break;
                }
            }
        }
        Ok(execute_as)
    }

    /// A name, a text or a variable where a database or a principal is meant.
    pub(super) fn optional_name_or_variable(&mut self) -> SqlResult<Option<NameOrVariable>> {
        let follows = self.is_name() || matches!(self.kind(), TokenKind::Variable(_));
        if follows {
            self.name_or_variable().map(Some)
        } else {
            Ok(None)
        }
    }
}
