//! Which family a statement belongs to.
//!
//! Start at [`Parser::statement`].

use super::Parser;
use crate::error::SqlResult;
use crate::lang::ast::{Span, Statement, StatementKind};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    /// Statements until a place that is not consumed.
    pub(super) fn statements_until(
        &mut self,
        end: impl Fn(&Self) -> bool,
    ) -> SqlResult<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.take_symbol(";") {}
            if end(self) {
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    /// One statement, with its line and span.
    pub(super) fn statement(&mut self) -> SqlResult<Statement> {
        let first = self.at;
        let (line, start) = (self.line(), self.token().start);
        let kind = self.nested(Self::statement_kind)?;
        let end = self.tokens[self.at.max(first + 1) - 1].end;
        Ok(Statement {
            line,
            span: Span { start, end },
            kind,
        })
    }

    fn statement_kind(&mut self) -> SqlResult<StatementKind> {
        let TokenKind::Word(word) = self.kind() else {
            return self.implied_execute();
        };
        let word = word.to_ascii_uppercase();
        if self.is_name() && self.is_symbol_after(1, ":") {
            let label = self.name()?;
            self.advance();
            return Ok(StatementKind::Label(label));
        }
        match word.as_str() {
            "IF" => self.if_statement(),
            "WHILE" => self.while_statement(),
            "BEGIN" => self.begin(),
            _ => self.plain_statement(&word),
        }
    }

    /// A statement that holds no other. It is apart from those that do, because its frame is large.
    fn plain_statement(&mut self, word: &str) -> SqlResult<StatementKind> {
        let kind = match word {
            "SELECT" | "WITH" => StatementKind::Select(self.select()?),
            "INSERT" => self.insert()?,
            "UPDATE" => self.update()?,
            "DELETE" => self.delete()?,
            "MERGE" => self.merge()?,
            "TRUNCATE" => self.truncate()?,
            "CREATE" => self.create()?,
            "ALTER" => self.alter()?,
            "DROP" => self.drop_statement()?,
            "BACKUP" => self.backup()?,
            "RESTORE" => self.restore()?,
            "GRANT" | "DENY" | "REVOKE" => self.permission()?,
            "EXEC" | "EXECUTE" => self.execute_statement()?,
            "COMMIT" => self.commit()?,
            "ROLLBACK" => self.rollback()?,
            "SAVE" => self.save()?,
            _ => return self.flow_statement(word),
        };
        Ok(kind)
    }

    fn create(&mut self) -> SqlResult<StatementKind> {
        let first = self.at;
        self.advance();
        let or_alter = self.take_words(&["OR", "ALTER"]);
        let word = self.any_word()?;
        match word.as_str() {
            "PROC" | "PROCEDURE" | "VIEW" | "FUNCTION" => self.module(first, or_alter),
            _ if or_alter => {
                self.at -= 1;
                Err(self.unexpected())
            }
            "TABLE" => self.create_table(),
            "DATABASE" => self.create_database(),
            "SCHEMA" => self.create_schema(),
            "LOGIN" | "USER" | "ROLE" | "SERVER" => self.create_principal(&word),
            "AVAILABILITY" => self.create_availability_group(),
            "EVENT" => self.create_event_session(),
            "UNIQUE" | "CLUSTERED" | "NONCLUSTERED" | "INDEX" => self.create_index(),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn alter(&mut self) -> SqlResult<StatementKind> {
        let first = self.at;
        self.advance();
        let word = self.any_word()?;
        match word.as_str() {
            "PROC" | "PROCEDURE" | "VIEW" | "FUNCTION" => self.module(first, false),
            "TABLE" => self.alter_table(),
            "DATABASE" => self.alter_database(),
            "AUTHORIZATION" => self.alter_authorization(),
            "LOGIN" | "USER" | "ROLE" | "SERVER" => self.alter_principal(&word),
            "AVAILABILITY" => self.alter_availability_group(),
            "EVENT" => self.alter_event_session(),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn drop_statement(&mut self) -> SqlResult<StatementKind> {
        self.advance();
        let word = self.any_word()?;
        match word.as_str() {
            "DATABASE" => self.drop_database(),
            "LOGIN" | "USER" | "ROLE" | "SERVER" => self.drop_principal(&word),
            "AVAILABILITY" => self.drop_availability_group(),
            "EVENT" => self.drop_event_session(),
            "TABLE" | "VIEW" | "PROC" | "PROCEDURE" | "FUNCTION" | "SCHEMA" | "INDEX" => {
                self.drop_objects(&word)
            }
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }
}
