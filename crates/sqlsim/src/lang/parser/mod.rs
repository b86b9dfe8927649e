//! The parser by recursive descent: one file per family of statements.
//!
//! Start at [`batch`], then `statement`. This file holds the cursor over the tokens and the small
//! steps that all families share. Depth is bounded by [`DEPTH_MAX`]: deep nesting is error 191.

mod availability;
mod backup;
mod database;
mod dml;
mod event;
mod execute;
mod expr;
mod flow;
mod from;
mod function;
mod merge;
mod module;
mod options;
mod security;
mod select;
mod statement;
mod table;
mod transaction;
mod types;

use super::ast::{NameOrVariable, ObjectName, Statement};
use super::keywords::is_reserved;
use super::lexer::{self, Token, TokenKind};
use crate::error::{SqlError, SqlResult};
use crate::messages;

/// How deep brackets, subqueries and statements may nest. SQL Server's own limit depends on its
/// stack; this one fits a thread of 2 MiB in a debug build with room to spare.
const DEPTH_MAX: usize = 64;

/// Parses a batch.
pub(super) fn batch(sql: &str) -> SqlResult<Vec<Statement>> {
    let mut parser = Parser::new(sql)?;
    let mut statements = parser.statements_until(Parser::at_end)?;
    statements.shrink_to_fit();
    Ok(statements)
}

/// Parses a dotted name such as `[srv].db..[my proc]`, as it may stand in a variable.
pub(super) fn object_name(text: &str) -> SqlResult<ObjectName> {
    let mut parser = Parser::new(text)?;
    let name = parser.object_name()?;
    if parser.at_end() {
        Ok(name)
    } else {
        Err(parser.unexpected())
    }
}

/// Parses the parameter list of `sp_executesql`: `@a int, @b nvarchar(10) OUTPUT`.
pub(super) fn parameters(text: &str) -> SqlResult<Vec<super::ast::Parameter>> {
    let mut parser = Parser::new(text)?;
    if parser.at_end() {
        return Ok(Vec::new());
    }
    let parameters = parser.comma_list(Parser::parameter)?;
    if parser.at_end() {
        Ok(parameters)
    } else {
        Err(parser.unexpected())
    }
}

struct Parser<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(sql: &'a str) -> SqlResult<Self> {
        Ok(Self {
            sql,
            tokens: lexer::tokens(sql)?,
            at: 0,
            depth: 0,
        })
    }

    fn token(&self) -> &Token {
        // The last token is `End`, and `advance` never moves past it.
        &self.tokens[self.at]
    }

    fn kind(&self) -> &TokenKind {
        &self.token().kind
    }

    fn kind_after(&self, distance: usize) -> &TokenKind {
        self.tokens
            .get(self.at + distance)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn at_end(&self) -> bool {
        *self.kind() == TokenKind::End
    }

    fn advance(&mut self) {
        if !self.at_end() {
            self.at += 1;
        }
    }

    fn line(&self) -> u32 {
        self.token().line
    }

    /// Runs one level deeper, or fails with 191.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        self.deeper(1, inner)
    }

    /// As [`Parser::nested`], by so many levels: some constructs take more of the stack than
    /// others.
    fn deeper<T>(
        &mut self,
        levels: usize,
        inner: impl FnOnce(&mut Self) -> SqlResult<T>,
    ) -> SqlResult<T> {
        if self.depth + levels > DEPTH_MAX {
            return Err(messages::nested_too_deeply().at_line(self.line()));
        }
        self.depth += levels;
        let result = inner(self);
        self.depth -= levels;
        result
    }

    // ---- words and symbols

    fn is_word(&self, word: &str) -> bool {
        self.is_word_after(0, word)
    }

    fn is_word_after(&self, distance: usize, word: &str) -> bool {
        matches!(self.kind_after(distance), TokenKind::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn is_any_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes all words in a row, or none.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let found = words
            .iter()
            .enumerate()
            .all(|(i, word)| self.is_word_after(i, word));
        if found {
            self.at += words.len();
        }
        found
    }

    fn take_any_word(&mut self, words: &[&str]) -> bool {
        let found = self.is_any_word(words);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> SqlResult<()> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_words(&mut self, words: &[&str]) -> SqlResult<()> {
        words.iter().try_for_each(|word| self.expect_word(word))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_after(0, symbol)
    }

    fn is_symbol_after(&self, distance: usize, symbol: &str) -> bool {
        matches!(self.kind_after(distance), TokenKind::Symbol(s) if *s == symbol)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> SqlResult<()> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn is_text(&self) -> bool {
        matches!(self.kind(), TokenKind::Text { .. })
    }

    /// A word in capitals, reserved or not.
    fn any_word(&mut self) -> SqlResult<String> {
        match self.kind() {
            TokenKind::Word(word) => {
                let word = word.to_ascii_uppercase();
                self.advance();
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    // ---- lists

    fn comma_list<T>(&mut self, item: impl Fn(&mut Self) -> SqlResult<T>) -> SqlResult<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn bracketed<T>(&mut self, inner: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<T> {
        self.expect_symbol("(")?;
        let result = self.deeper(2, inner)?;
        self.expect_symbol(")")?;
        Ok(result)
    }

    fn bracketed_list<T>(&mut self, item: impl Fn(&mut Self) -> SqlResult<T>) -> SqlResult<Vec<T>> {
        self.bracketed(|p| p.comma_list(item))
    }

    // ---- names

    fn is_name(&self) -> bool {
        self.is_name_after(0)
    }

    fn is_name_after(&self, distance: usize) -> bool {
        match self.kind_after(distance) {
            TokenKind::Word(word) => !is_reserved(word),
            TokenKind::Quoted(_) => true,
            _ => false,
        }
    }

    /// A name: quoted, or a word that is not reserved.
    fn name(&mut self) -> SqlResult<String> {
        let name = match self.kind() {
            TokenKind::Word(word) if !is_reserved(word) => word.clone(),
            TokenKind::Quoted(name) => name.clone(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        Ok(name)
    }

    /// A name, or a text literal that stands for one, as in `REPLICA ON N'host'`.
    fn name_or_text(&mut self) -> SqlResult<String> {
        match self.kind() {
            TokenKind::Text { text, .. } => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => self.name(),
        }
    }

    fn variable(&mut self) -> SqlResult<String> {
        match self.kind() {
            TokenKind::Variable(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn name_or_variable(&mut self) -> SqlResult<NameOrVariable> {
        match self.kind() {
            TokenKind::Variable(_) => self.variable().map(NameOrVariable::Variable),
            _ => self.name().map(NameOrVariable::Name),
        }
    }

    /// One to four dotted parts, of which inner ones may be empty; or a table variable.
    fn object_name(&mut self) -> SqlResult<ObjectName> {
        if matches!(self.kind(), TokenKind::Variable(_)) {
            return self.variable().map(ObjectName::bare);
        }
        let (line, start) = (self.line(), self.token().start);
        let mut parts = vec![self.name()?];
        while self.take_symbol(".") {
            parts.push(if self.is_symbol(".") {
                String::new()
            } else {
                self.part()?
            });
        }
        let text = &self.sql[start..self.tokens[self.at - 1].end];
        ObjectName::from_parts(parts).ok_or_else(|| messages::too_many_prefixes(text).at_line(line))
    }

    /// A part after a dot, where even a reserved word is taken as a name.
    fn part(&mut self) -> SqlResult<String> {
        match self.kind() {
            TokenKind::Word(word) => {
                let word = word.clone();
                self.advance();
                Ok(word)
            }
            _ => self.name(),
        }
    }

    // ---- errors

    /// 102 or 156 at the current token; at the end of the batch, at the last token.
    fn unexpected(&self) -> SqlError {
        let at_end = self.at_end() && self.at > 0;
        let token = &self.tokens[self.at - usize::from(at_end)];
        let near = |text: &str| messages::incorrect_syntax(text);
        let error = match &token.kind {
            TokenKind::Word(word) if is_reserved(word) && !at_end => {
                messages::incorrect_syntax_near_keyword(word)
            }
            TokenKind::Word(text)
            | TokenKind::Quoted(text)
            | TokenKind::Variable(text)
            | TokenKind::Number(text)
            | TokenKind::Text { text, .. } => near(text),
            TokenKind::Symbol(symbol) => near(symbol),
            TokenKind::Binary(_) | TokenKind::End => near(&self.sql[token.start..token.end]),
        };
        error.at_line(token.line)
    }
}
