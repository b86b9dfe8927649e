//! Text to tokens.
//!
//! Start at [`tokens`]. The lexer knows quotes, nested comments, numbers and symbols, and no
//! grammar. Its only errors are a quote (105) or a comment (113) that never ends, and a stray
//! character (102).

use crate::error::SqlResult;
use crate::messages;

/// A token with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) line: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A word without quotes: a keyword, a name, a `#temp` name.
    Word(String),
    /// A name in brackets or double quotes.
    Quoted(String),
    /// `@x` or `@@x`, marks included.
    Variable(String),
    /// A text literal.
    Text { text: String, unicode: bool },
    /// Digits, perhaps with a point and an exponent.
    Number(String),
    /// `0x..`
    Binary(Vec<u8>),
    /// Punctuation or an operator.
    Symbol(&'static str),
    /// The end of the batch.
    End,
}

/// Longest first, so that the first that fits is the right one.
const SYMBOLS: [&str; 38] = [
    "<=", ">=", "<>", "!=", "!<", "!>", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "::", "(",
    ")", ",", ".", ";", "+", "-", "*", "/", "%", "&", "|", "^", "~", "=", "<", ">", "?", ":", "{",
    "}", "!", "$",
];

/// All tokens of a batch, the last of which is [`TokenKind::End`].
pub(super) fn tokens(sql: &str) -> SqlResult<Vec<Token>> {
    let mut lexer = Lexer {
        sql,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks()?;
        let (start, line) = (lexer.at, lexer.line);
        let kind = lexer.token().map_err(|e| e.at_line(line))?;
        let done = kind == TokenKind::End;
        tokens.push(Token {
            kind,
            start,
            end: lexer.at,
            line,
        });
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    line: u32,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.sql[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
        }
        Some(c)
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        while self.peek().is_some_and(&belongs) {
            self.advance();
        }
        &self.sql[start..self.at]
    }

    fn skip_blanks(&mut self) -> SqlResult<()> {
        loop {
            self.take_while(|c| c.is_whitespace() || c == '\u{feff}');
            if self.rest().starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.skip_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_comment(&mut self) -> SqlResult<()> {
        let line = self.line;
        let mut depth = 0_usize;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else if self.advance().is_none() {
                return Err(messages::missing_end_comment().at_line(line));
            }
        }
    }

    fn token(&mut self) -> SqlResult<TokenKind> {
        let Some(c) = self.peek() else {
            return Ok(TokenKind::End);
        };
        let next = self.rest().chars().nth(1);
        match c {
            '\'' => self.text(false),
            'N' | 'n' if next == Some('\'') => {
                self.advance();
                self.text(true)
            }
            '[' => self.quoted(']').map(TokenKind::Quoted),
            '"' => self.quoted('"').map(TokenKind::Quoted),
            '@' => Ok(TokenKind::Variable(
                self.take_while(is_name_part).to_owned(),
            )),
            '0' if matches!(next, Some('x' | 'X')) => Ok(self.binary()),
            '0'..='9' => Ok(self.number()),
            '.' if next.is_some_and(|c| c.is_ascii_digit()) => Ok(self.number()),
            _ if is_name_start(c) => Ok(TokenKind::Word(self.take_while(is_name_part).to_owned())),
            _ => self.symbol(c),
        }
    }

    fn text(&mut self, unicode: bool) -> SqlResult<TokenKind> {
        Ok(TokenKind::Text {
            text: self.quoted('\'')?,
            unicode,
        })
    }

    /// The inside of quotes, in which the closing quote is doubled to mean itself.
    fn quoted(&mut self, close: char) -> SqlResult<String> {
        self.advance();
        let start = self.at;
        let mut inside = String::new();
        while let Some(c) = self.advance() {
            if c != close {
                inside.push(c);
            } else if self.peek() == Some(close) {
                inside.push(close);
                self.advance();
            } else {
                return Ok(inside);
            }
        }
        Err(messages::unclosed_quote(&self.sql[start..]))
    }

    fn binary(&mut self) -> TokenKind {
        self.at += 2;
        let digits = self.take_while(|c| c.is_ascii_hexdigit());
        // An odd count has a zero in front, as SQL Server reads it.
        let padded = if digits.len() % 2 == 1 {
            format!("0{digits}")
        } else {
            digits.to_owned()
        };
        let byte = |pair: &[u8]| {
            pair.iter()
                .fold(0_u8, |byte, c| (byte << 4) | hex_value(*c))
        };
        TokenKind::Binary(padded.as_bytes().chunks(2).map(byte).collect())
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit());
        if self.peek() == Some('.') {
            self.advance();
            self.take_while(|c| c.is_ascii_digit());
        }
        let mut tail = self.rest().chars();
        if matches!(tail.next(), Some('e' | 'E')) {
            let sign = matches!(tail.clone().next(), Some('+' | '-'));
            if tail
                .nth(usize::from(sign))
                .is_some_and(|c| c.is_ascii_digit())
            {
                self.at += 1 + usize::from(sign);
                self.take_while(|c| c.is_ascii_digit());
            }
        }
        TokenKind::Number(self.sql[start..self.at].to_owned())
    }

    fn symbol(&mut self, c: char) -> SqlResult<TokenKind> {
        let symbol = SYMBOLS
            .into_iter()
            .find(|s| self.rest().starts_with(s))
            .ok_or_else(|| messages::incorrect_syntax(&c.to_string()))?;
        self.at += symbol.len();
        Ok(TokenKind::Symbol(symbol))
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '#'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '@' | '$')
}

fn hex_value(digit: u8) -> u8 {
    char::from(digit)
        .to_digit(16)
        .and_then(|n| u8::try_from(n).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(sql: &str) -> Vec<TokenKind> {
        let mut kinds: Vec<_> = tokens(sql)
            .expect("lexable")
            .into_iter()
            .map(|token| token.kind)
            .collect();
        assert_eq!(kinds.pop(), Some(TokenKind::End));
        kinds
    }

    fn text(text: &str, unicode: bool) -> TokenKind {
        TokenKind::Text {
            text: text.into(),
            unicode,
        }
    }

    #[test]
    fn quotes_are_doubled_to_mean_themselves() {
        assert_eq!(
            kinds("N'it''s' 'b'"),
            [text("it's", true), text("b", false)]
        );
        assert_eq!(
            kinds(r#"[a]]b] "c""d""#),
            [
                TokenKind::Quoted("a]b".into()),
                TokenKind::Quoted("c\"d".into())
            ]
        );
    }

    #[test]
    fn comments_nest_and_lines_are_counted() {
        let tokens = tokens("/* a /* b */\n */ x -- y\n z").expect("lexable");
        assert_eq!(tokens[0].kind, TokenKind::Word("x".into()));
        assert_eq!((tokens[0].line, tokens[1].line), (2, 3));
    }

    #[test]
    fn numbers_and_binaries_are_read() {
        let number = |n: &str| TokenKind::Number(n.into());
        assert_eq!(
            kinds("1 1.5 .5 2e3 2e-3"),
            ["1", "1.5", ".5", "2e3", "2e-3"].map(number)
        );
        assert_eq!(kinds("0x0aF"), [TokenKind::Binary(vec![0x00, 0xaf])]);
        assert_eq!(kinds("8MB"), [number("8"), TokenKind::Word("MB".into())]);
    }

    #[test]
    fn names_variables_and_symbols_are_read() {
        assert_eq!(
            kinds("#t @v @@rc <= ::"),
            [
                TokenKind::Word("#t".into()),
                TokenKind::Variable("@v".into()),
                TokenKind::Variable("@@rc".into()),
                TokenKind::Symbol("<="),
                TokenKind::Symbol("::"),
            ]
        );
    }

    #[test]
    fn what_never_ends_is_refused_with_its_line() {
        let check = |sql: &str, number: i32, line: u32| {
            let error = tokens(sql).expect_err("an error");
            assert_eq!((error.number, error.line), (number, line), "{sql}");
        };
        check("\n'abc", 105, 2);
        check("\n\n/* abc", 113, 3);
        check("a \u{1}", 102, 1);
    }
}
