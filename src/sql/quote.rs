//! The one place where a name or a value becomes T-SQL text.
//!
//! Start at [`identifier`] and [`literal`]. Values travel as parameters wherever T-SQL allows it; these two
//! serve where it does not (`USE`, `BACKUP`, `RESTORE`, DDL, `BEGIN TRANSACTION`). No other file of the
//! agent puts text that it was given into a statement.

use std::fmt::Write as _;

/// A name in brackets, `]` doubled: no name can end the brackets early.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A Unicode string literal, `'` doubled. T-SQL drops a backslash and the line end after it from a
/// literal; names with line ends are refused long before, and nothing can end the literal early.
#[must_use]
pub fn literal(value: &str) -> String {
    format!("N'{}'", value.replace('\'', "''"))
}

/// A list of string literals after a word each, `DISK = N'a', DISK = N'b'`.
#[must_use]
pub(super) fn disks<'a>(paths: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for path in paths {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "DISK = {}", literal(path));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one delimited token back as SQL Server's lexer does; what follows it must be nothing.
    fn unquoted(text: &str, open: &str, close: char) -> Option<String> {
        let mut rest = text.strip_prefix(open)?.chars();
        let mut value = String::new();
        loop {
            match rest.next()? {
                c if c != close => value.push(c),
                _ => match rest.next() {
                    None => return Some(value),
                    Some(c) if c == close => value.push(close),
                    Some(_) => return None,
                },
            }
        }
    }

    #[test]
    fn hostile_names_stay_inside_their_brackets() {
        assert_eq!(identifier("a]b"), "[a]]b]");
        assert_eq!(
            identifier("x]; DROP DATABASE y --"),
            "[x]]; DROP DATABASE y --]"
        );
        assert_eq!(literal("o'brien"), "N'o''brien'");
        assert_eq!(disks(["a", "b'"]), "DISK = N'a', DISK = N'b'''");
    }

    proptest! {
        #[test]
        fn every_name_reads_back_as_itself(name in any::<String>()) {
            prop_assert_eq!(unquoted(&identifier(&name), "[", ']'), Some(name));
        }

        #[test]
        fn every_value_reads_back_as_itself(value in any::<String>()) {
            prop_assert_eq!(unquoted(&literal(&value), "N'", '\''), Some(value));
        }
    }
}
