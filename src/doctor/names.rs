//! Names of four parts in queries that others wrote: `link.database.schema.object`.
//!
//! Start at [`linked_names`]. A query is only looked at, never understood: a name counts where a statement takes an
//! object (`FROM`, `JOIN`, `INTO`, `UPDATE`, `EXEC`, ...), since elsewhere four parts are a column.

use std::fmt;

/// An object behind a linked server, as a query names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedName {
    /// The linked server.
    pub link: String,
    /// The database; empty where it is left to the link's own.
    pub database: String,
    /// The schema; empty where it is left out, which a provider does not forgive (7313).
    pub schema: String,
    /// The object.
    pub object: String,
    /// It is called, not read.
    pub is_call: bool,
}

/// The words after which an object stands.
const BEFORE_OBJECTS: [&str; 9] = [
    "FROM", "JOIN", "INTO", "UPDATE", "DELETE", "MERGE", "USING", "APPLY", "EXEC",
];

impl LinkedName {
    /// What is wrong with it; none where nothing is.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        if self.schema.is_empty() {
            return Some(
                "it has no schema, which is refused through a link (7313): write it, `dbo` mostly",
            );
        }
        (!self.is_call).then_some(
            "it is read through a link: rows travel twice and are locked meanwhile, and the link may lead to the database \
             in use; a check of its own on that host reads it directly",
        )
    }
}

impl fmt::Display for LinkedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, database) = (&self.link, &self.database);
        write!(f, "{link}.{database}.{}.{}", self.schema, self.object)
    }
}

/// Every object behind a linked server that the text names, in order.
#[must_use]
pub fn linked_names(text: &str) -> Vec<LinkedName> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Token::Word(word) = &tokens[at] else {
            at += 1;
            continue;
        };
        at += 1;
        let word = word.to_ascii_uppercase();
        let word = if word == "EXECUTE" {
            "EXEC"
        } else {
            word.as_str()
        };
        if !BEFORE_OBJECTS.contains(&word) {
            continue;
        }
        let is_call = word == "EXEC";
        let from = if is_call {
            after_status(&tokens, at)
        } else {
            at
        };
        let (parts, next) = name_at(&tokens, from);
        if let [link, database, schema, object] = parts.as_slice() {
            found.push(LinkedName {
                link: link.clone(),
                database: database.clone(),
                schema: schema.clone(),
                object: object.clone(),
                is_call,
            });
        }
        at = next.max(at);
    }
    found
}

/// `EXEC @status = name`: behind the equals sign.
fn after_status(tokens: &[Token], at: usize) -> usize {
    match (tokens.get(at), tokens.get(at + 1)) {
        (Some(Token::Word(word)), Some(Token::Other('='))) if word.starts_with('@') => at + 2,
        _ => at,
    }
}

/// The parts of the name that begins here, and where it ends. Between two dots a part may be missing.
fn name_at(tokens: &[Token], from: usize) -> (Vec<String>, usize) {
    let mut parts = Vec::new();
    let mut at = from;
    loop {
        match tokens.get(at) {
            Some(Token::Word(part) | Token::Quoted(part)) => {
                parts.push(part.clone());
                at += 1;
            }
            Some(Token::Other('.')) if !parts.is_empty() => parts.push(String::new()),
            _ => return (parts, at),
        }
        if !matches!(tokens.get(at), Some(Token::Other('.'))) {
            return (parts, at);
        }
        at += 1;
    }
}

enum Token {
    /// A word without quotes: a keyword, a name, a variable, or a place to be filled in (`{Ledger}`).
    Word(String),
    /// A name in brackets or double quotes.
    Quoted(String),
    /// Anything else that counts.
    Other(char),
}

/// What counts of a text: comments and literals do not.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = if rest.starts_with("--") {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else if rest.starts_with("/*") {
            after_comment(rest)
        } else if c == '\'' {
            quoted(rest, '\'').1
        } else if c == '[' || c == '"' {
            let (name, after) = quoted(rest, if c == '[' { ']' } else { '"' });
            tokens.push(Token::Quoted(name));
            after
        } else if is_of_word(c) {
            let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            &rest[end..]
        } else {
            if !c.is_whitespace() {
                tokens.push(Token::Other(c));
            }
            &rest[c.len_utf8()..]
        };
    }
    tokens
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$' | '{' | '}' | '/' | '\\')
}

/// What stands between this quote and its end, doubled ends made one, and what follows.
fn quoted(text: &str, end: char) -> (String, &str) {
    let mut inside = String::new();
    let mut rest = &text[1..];
    while let Some(at) = rest.find(end) {
        inside.push_str(&rest[..at]);
        rest = &rest[at + end.len_utf8()..];
        if !rest.starts_with(end) {
            return (inside, rest);
        }
        inside.push(end);
        rest = &rest[end.len_utf8()..];
    }
    inside.push_str(rest);
    (inside, "")
}

/// Comments between stars nest.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_u32;
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with("/*") {
            depth += 1;
            rest = &rest[2..];
        } else if rest.starts_with("*/") {
            depth -= 1;
            rest = &rest[2..];
            if depth == 0 {
                return rest;
            }
        } else {
            let first = rest.chars().next().map_or(1, char::len_utf8);
            rest = &rest[first..];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(text: &str) -> Vec<String> {
        linked_names(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_of_four_parts_are_found_where_objects_stand() {
        for (text, names) in [
            ("SELECT 1 FROM SQL2.Pay.dbo.Rows", vec!["SQL2.Pay.dbo.Rows"]),
            (
                "select * from [S\\]]1].\"P a\".dbo.T t join SQL2.{Pay}..U u on 1=1",
                vec!["S\\]1.P a.dbo.T", "SQL2.{Pay}..U"],
            ),
            (
                "EXEC @status = SQL2 . Pay . dbo . Go @x = 1",
                vec!["SQL2.Pay.dbo.Go"],
            ),
            (
                "execute SQL2.Pay.dbo.Go; UPDATE SQL2.Pay.dbo.T SET a = 1",
                vec!["SQL2.Pay.dbo.Go", "SQL2.Pay.dbo.T"],
            ),
        ] {
            assert_eq!(named(text), names, "{text}");
        }
    }

    #[test]
    fn columns_comments_literals_and_shorter_names_are_no_linked_names() {
        for text in [
            "SELECT Pay.dbo.T.Sum FROM Pay.dbo.T",
            "SELECT 'FROM SQL2.Pay.dbo.T' -- FROM SQL2.Pay.dbo.T\nFROM {Pay}.dbo.T",
            "/* FROM SQL2.Pay.dbo.T /* nested */ FROM SQL2.Pay.dbo.T */ SELECT 1 FROM T",
            "SELECT 1 FROM Pay..T WHERE a.b.c.d = 1",
            "EXEC sp_executesql N'SELECT 1 FROM SQL2.Pay.dbo.T'",
            "FROM",
            "FROM .",
            "EXEC @s =",
            "[",
            "'",
            "/*",
            "\"",
        ] {
            assert_eq!(named(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_missing_schema_is_worse_than_a_far_read_and_a_call_is_neither() {
        let fault = |text: &str| linked_names(text)[0].fault();
        assert!(fault("SELECT 1 FROM SQL2.Pay..T").is_some_and(|why| why.contains("7313")));
        assert!(fault("SELECT 1 FROM SQL2.Pay.dbo.T").is_some_and(|why| why.contains("directly")));
        assert_eq!(fault("EXEC SQL2.Pay.dbo.Go"), None);
        assert!(fault("EXEC SQL2.Pay..Go").is_some_and(|why| why.contains("7313")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = linked_names(&text);
        }
    }
}
