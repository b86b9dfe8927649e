//! Lists of options: `WITH CHECKSUM, STATS = 5`, `(NAME = x, SIZE = 8MB)`.
//!
//! Start at [`Parser::options`].

use super::Parser;
use super::expr::word_literal;
use crate::error::SqlResult;
use crate::lang::ast::{Expr, NamedOption};
use crate::lang::lexer::TokenKind;

impl Parser<'_> {
    /// Options separated by commas.
    pub(super) fn options(&mut self) -> SqlResult<Vec<NamedOption>> {
        self.comma_list(Self::option)
    }

    /// `NAME`, `NAME = value`, `NAME (a = b, ..)`, `NAME = value AFTER value`, `MOVE a TO b`.
    fn option(&mut self) -> SqlResult<NamedOption> {
        let name = self.any_word()?;
        let mut values = Vec::new();
        if name == "MOVE" {
            values.push(self.option_value()?);
            self.expect_word("TO")?;
            values.push(self.option_value()?);
        } else if self.take_symbol("=") {
            values.push(self.option_value()?);
            self.trailing_words(&mut values)?;
        }
        if self.is_symbol("(") {
            values.extend(self.inner_options()?);
        }
        Ok(NamedOption { name, values })
    }

    /// `AFTER '..'` of a mark; `HASHED`, `MUST_CHANGE`, `OLD_PASSWORD = ..` of a password.
    fn trailing_words(&mut self, values: &mut Vec<Expr>) -> SqlResult<()> {
        if self.take_word("AFTER") {
            values.push(self.option_value()?);
        }
        while self.is_any_word(&["HASHED", "MUST_CHANGE", "UNLOCK", "SECONDS", "MINUTES"]) {
            let word = self.any_word()?;
            values.push(word_literal(&word));
        }
        if self.take_word("OLD_PASSWORD") {
            self.expect_symbol("=")?;
            values.push(self.option_value()?);
        }
        Ok(())
    }

    /// A value: a literal, a variable, a word, a number with a unit (`8MB`, `10%`).
    pub(super) fn option_value(&mut self) -> SqlResult<Expr> {
        match self.kind().clone() {
            TokenKind::Variable(_) => self.variable().map(Expr::Variable),
            TokenKind::Word(word) => {
                self.advance();
                Ok(word_literal(&word))
            }
            TokenKind::Quoted(name) => {
                self.advance();
                Ok(word_literal(&name))
            }
            TokenKind::Number(digits) => self.number_with_unit(&digits),
            TokenKind::Symbol("-" | "+") => self.expr(),
            _ => self.literal(),
        }
    }

    fn number_with_unit(&mut self, digits: &str) -> SqlResult<Expr> {
        if self.is_symbol_after(1, "%") {
            self.at += 2;
            return Ok(word_literal(&format!("{digits}%")));
        }
        for unit in ["KB", "MB", "GB", "TB"] {
            if self.is_word_after(1, unit) {
                self.at += 2;
                return Ok(word_literal(&format!("{digits}{unit}")));
            }
        }
        self.literal()
    }

    /// `(ALGORITHM = AES_256, SERVER CERTIFICATE = c)`: each as one text, `ALGORITHM=AES_256`.
    fn inner_options(&mut self) -> SqlResult<Vec<Expr>> {
        self.bracketed_list(|p| {
            let mut text = p.any_word()?;
            while matches!(p.kind(), TokenKind::Word(_)) {
                text = format!("{text} {}", p.any_word()?);
            }
            if p.take_symbol("=") {
                let start = p.token().start;
                p.option_value()?;
                text = format!("{text}={}", &p.sql[start..p.tokens[p.at - 1].end]);
            }
            Ok(word_literal(&text))
        })
    }
}
