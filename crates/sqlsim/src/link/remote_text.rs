//! A statement about a table on another host, as it is sent there.
//!
//! Start at [`write`]. The text is the user's own: names lose their server, variables are declared
//! before it with the values that they have here. Rows that come from tables of this host are
//! computed here and travel as literals.

use super::literal::{literal, quote, typed};
use super::server::same;
use crate::error::SqlResult;
use crate::lang::ast::{Expr, InsertSource, ObjectName, Statement, StatementKind};
use crate::query;
use crate::session::Session;
use crate::value::Row;

/// The most rows that one `VALUES` may have (10738).
const ROWS_MAX: usize = 1000;

/// The statement as the other host shall run it.
pub(super) fn write(
    session: &Session,
    table: &ObjectName,
    statement: &Statement,
) -> SqlResult<String> {
    if let StatementKind::Insert(insert) = &statement.kind
        && let InsertSource::Select(select) = &insert.source
    {
        let rows = query::select(&session.scope(), select)?.rows;
        return Ok(insert_text(table, &insert.columns, &rows));
    }
    let text = session.statement_text(statement);
    let server = table.server.as_deref().unwrap_or_default();
    let (text, variables) = local_text(&text, server);
    let mut declarations = String::new();
    for name in variables {
        let value = session.evaluate(&Expr::Variable(name.clone()))?;
        let initial = typed(&value.value, value.ty);
        declarations.extend([
            "DECLARE ",
            &name,
            " ",
            &value.ty.to_string(),
            " = ",
            &initial,
            "; ",
        ]);
    }
    Ok(declarations + &text)
}

fn insert_text(table: &ObjectName, columns: &[String], rows: &[Row]) -> String {
    let names: Vec<_> = columns.iter().map(|column| quote(column)).collect();
    let names = if names.is_empty() {
        String::new()
    } else {
        format!(" ({})", names.join(", "))
    };
    let place = |part: &Option<String>| part.as_deref().map(quote).unwrap_or_default();
    let table = format!(
        "{}.{}.{}",
        place(&table.database),
        place(&table.schema),
        quote(&table.name)
    );
    let row = |row: &Row| {
        let cells: Vec<_> = row.iter().map(literal).collect();
        format!("({})", cells.join(", "))
    };
    let statement = |rows: &[Row]| {
        let rows: Vec<_> = rows.iter().map(row).collect();
        format!("INSERT INTO {table}{names} VALUES {}", rows.join(", "))
    };
    if rows.is_empty() {
        return format!("DELETE FROM {table} WHERE 1 = 0");
    }
    let statements: Vec<_> = rows.chunks(ROWS_MAX).map(statement).collect();
    statements.join("; ")
}

/// The text without `server.` before names, and the variables that it uses, each once.
fn local_text(text: &str, server: &str) -> (String, Vec<String>) {
    let mut out = String::with_capacity(text.len());
    let mut variables: Vec<String> = Vec::new();
    let mut rest = text;
    let mut after_dot = false;
    while let Some(first) = rest.chars().next() {
        let piece = &rest[..piece_length(rest, first)];
        rest = &rest[piece.len()..];
        let is_server = !after_dot && rest.starts_with('.') && names(piece, server);
        if is_server {
            rest = &rest[1..];
            after_dot = true;
            continue;
        }
        let is_variable = piece.starts_with('@') && !piece.starts_with("@@") && piece.len() > 1;
        if is_variable && !variables.iter().any(|known| same(known, piece)) {
            variables.push(piece.to_owned());
        }
        after_dot = first == '.';
        out.push_str(piece);
    }
    (out, variables)
}

/// The length of the token at the start of a text: a literal, a quoted name, a word, or one letter.
fn piece_length(text: &str, first: char) -> usize {
    match first {
        '\'' | '"' => quoted_length(text, first),
        '[' => quoted_length(text, ']'),
        '-' if text.starts_with("--") => text.find('\n').unwrap_or(text.len()),
        _ if is_word(first) => text.find(|letter| !is_word(letter)).unwrap_or(text.len()),
        _ => first.len_utf8(),
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '@' | '#' | '$')
}

/// Up to the closing quote; a doubled one stands for itself.
fn quoted_length(text: &str, end: char) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != end {
            continue;
        }
        if letters.peek().is_some_and(|(_, next)| *next == end) {
            letters.next();
            continue;
        }
        return at + end.len_utf8();
    }
    text.len()
}

fn names(piece: &str, server: &str) -> bool {
    let inner = match piece.chars().next() {
        Some('[') => piece
            .trim_start_matches('[')
            .trim_end_matches(']')
            .replace("]]", "]"),
        Some('"') => piece.trim_matches('"').replace("\"\"", "\""),
        _ => piece.to_owned(),
    };
    same(&inner, server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn the_server_goes_and_variables_are_found() {
        let (text, variables) = local_text(
            "UPDATE [SQL2\\B].Pay.dbo.Account SET Sum = Sum + @x, Note = 'SQL2\\B.@y' \
             WHERE Id = @Id AND @ID > @@ROWCOUNT",
            "sql2\\b",
        );
        assert_eq!(
            text,
            "UPDATE Pay.dbo.Account SET Sum = Sum + @x, Note = 'SQL2\\B.@y' \
             WHERE Id = @Id AND @ID > @@ROWCOUNT"
        );
        assert_eq!(variables, ["@x", "@Id"]);
    }

    #[test]
    fn a_database_of_the_servers_name_stays() {
        let (text, _) = local_text("DELETE FROM S.S.dbo.T -- S.x\n", "s");
        assert_eq!(text, "DELETE FROM S.dbo.T -- S.x\n");
    }

    #[test]
    fn rows_of_this_host_travel_as_literals() {
        let table = ObjectName::from_parts(["S", "D", "dbo", "T"].map(str::to_owned).to_vec());
        let rows = vec![
            vec![Value::Int(1), "x'".into()],
            vec![Value::Null, "y".into()],
        ];
        let text = insert_text(&table.expect("four parts"), &["a".to_owned()], &rows);
        assert_eq!(
            text,
            "INSERT INTO [D].[dbo].[T] ([a]) VALUES (1, N'x'''), (NULL, N'y')"
        );
    }
}
