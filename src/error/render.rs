//! Errors as words for people and as values for programs.
//!
//! Start at [`text`] and [`json`]. Both walk the chain of sources once. What foreign texts hold
//! against a terminal is escaped, so that a server cannot move its cursor. This file never prints: `cli/` does.

use std::error::Error as StdError;
use std::fmt::Write as _;

use serde::Serialize;

use super::plain::is_harmful;
use super::{Error, Kind, Retry};

/// An error as programs read it; the names of its fields are stable.
#[derive(Debug, Serialize)]
pub struct ErrorJson {
    /// The stable code, `SM0101`.
    pub code: &'static str,
    /// What it concerns: `config`, `host`, `right`, `link`, `mark`, `backup`, `chain`, `store`, `restore`, `bug`.
    pub kind: &'static str,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// What happened, in one line.
    pub message: String,
    /// Where it happened, outermost first.
    pub context: Vec<ContextJson>,
    /// SQL Server's own error, where one stands behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<SqlJson>,
    /// The texts of the errors beneath, outermost first.
    pub causes: Vec<String>,
    /// What a person should do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether doing it again may help: `never`, `safe` or `after_check`.
    pub retry: &'static str,
}

/// One fact about the place of an error.
#[derive(Debug, Serialize)]
pub struct ContextJson {
    /// What the value names: `host`, `member`, `file`, `line`.
    pub what: &'static str,
    /// The value.
    pub value: String,
}

/// SQL Server's own error.
#[derive(Debug, Serialize)]
pub struct SqlJson {
    /// Its number.
    pub number: i32,
    /// Its severity, 0 to 25.
    pub class: u8,
    /// Its text.
    pub text: String,
}

/// The error for people: code and message, aligned places, causes, a hint; ends with a line end.
#[must_use]
pub fn text(error: &Error) -> String {
    let mut lines = format!(
        "error[{}]: {}\n",
        error.code(),
        indented(error.message(), 2)
    );
    let facts = facts(error);
    let width = facts.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
    for (what, value) in facts {
        let label = format!("{what}:");
        let value = indented(&value, width + 4);
        writeln!(lines, "  {label:<0$} {value}", width + 1).expect("a string takes all");
    }
    if let Some(hint) = error.hint_text() {
        writeln!(lines, "  hint: {}", indented(hint, 8)).expect("a string takes all");
    }
    lines
}

/// The error for programs.
#[must_use]
pub fn json(error: &Error) -> ErrorJson {
    ErrorJson {
        code: error.code().text(),
        kind: kind_name(error.code().kind()),
        exit: error.code().exit() as u8,
        message: error.message().to_owned(),
        context: error
            .context()
            .iter()
            .map(|(what, value)| ContextJson {
                what,
                value: value.clone(),
            })
            .collect(),
        sql: error.sql().map(|cause| SqlJson {
            number: cause.number,
            class: cause.class,
            text: cause.text.clone(),
        }),
        causes: causes(error),
        hint: error.hint_text().map(str::to_owned),
        retry: match error.retry_verdict() {
            Retry::Never => "never",
            Retry::Safe => "safe",
            Retry::AfterCheck => "after_check",
        },
    }
}

/// Places and causes, in the order in which they are printed.
fn facts(error: &Error) -> Vec<(&'static str, String)> {
    let mut facts = places(error.context());
    if let Some(cause) = error.sql() {
        let text = format!(
            "SQL Server error {}, severity {}: {}",
            cause.number, cause.class, cause.text
        );
        facts.push(("cause", text));
    }
    facts.extend(causes(error).into_iter().map(|text| ("cause", text)));
    facts
}

/// The context with `file`, `line` and `column` drawn together, as editors understand it.
fn places(context: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
    let mut places: Vec<(&'static str, String)> = Vec::with_capacity(context.len());
    for (what, value) in context {
        match places.last_mut() {
            Some((last, file)) if *last == "file" && matches!(*what, "line" | "column") => {
                file.push(':');
                file.push_str(value);
            }
            _ => places.push((what, value.clone())),
        }
    }
    places
}

/// The texts of the sources, outermost first, without those that the text before already tells: many
/// libraries print their source in their own text.
fn causes(error: &Error) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source_error();
    while let Some(source) = next {
        let text = source.to_string();
        if !text.is_empty() && !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
        next = source.source();
    }
    texts
}

impl Error {
    /// The texts of the errors beneath, outermost first; what a text before already tells is left out.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        causes(self)
    }

    fn source_error(&self) -> Option<&(dyn StdError + 'static)> {
        StdError::source(self)
    }
}

/// Further lines begin below the first one's text; control characters are escaped.
fn indented(text: &str, columns: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => {
                shown.push('\n');
                shown.extend(std::iter::repeat_n(' ', columns));
            }
            '\r' => {}
            c if is_harmful(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Config => "config",
        Kind::Host => "host",
        Kind::Right => "right",
        Kind::Link => "link",
        Kind::Mark => "mark",
        Kind::Backup => "backup",
        Kind::Chain => "chain",
        Kind::Store => "store",
        Kind::Restore => "restore",
        Kind::Bug => "bug",
    }
}

#[cfg(test)]
mod tests {
    use insta::{assert_json_snapshot, assert_snapshot};

    use super::*;
    use crate::error::{Code, SqlCause};

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (first, rest) = texts.split_first().expect("at least one");
        let source = (!rest.is_empty()).then(|| Box::new(layers(rest)));
        Layer {
            text: first,
            source,
        }
    }

    fn refused() -> Error {
        Error::new(
            Code::BackupFailed,
            r"the log of `PAY1\SQL/Orders` cannot be backed up",
        )
        .at("host", r"PAY1\SQL")
        .at("member", r"PAY1\SQL/Orders")
        .caused_by_sql(SqlCause {
            number: 4214,
            class: 16,
            text: "BACKUP LOG cannot be performed because there is no current database backup."
                .to_owned(),
        })
        .hint("take a full first: `stopmark backup full`")
        .retry(Retry::AfterCheck)
    }

    #[test]
    fn an_error_without_a_place_is_one_line() {
        let error = Error::new(Code::NoPoint, "there is no point yet");
        assert_snapshot!(text(&error), @r#"error[SM0602]: there is no point yet"#);
    }

    #[test]
    fn places_are_aligned_and_the_hint_comes_last() {
        assert_snapshot!(text(&refused()), @r#"
    error[SM0501]: the log of `PAY1\SQL/Orders` cannot be backed up
      host:   PAY1\SQL
      member: PAY1\SQL/Orders
      cause:  SQL Server error 4214, severity 16: BACKUP LOG cannot be performed because there is no current database backup.
      hint: take a full first: `stopmark backup full`
    "#);
    }

    #[test]
    fn every_source_is_told_once() {
        let error =
            Error::new(Code::StoreUnreachable, "the store does not answer").source(layers(&[
                "put failed: connection refused",
                "connection refused",
                "os error 111",
            ]));
        assert_snapshot!(text(&error), @r#"
    error[SM0701]: the store does not answer
      cause: put failed: connection refused
      cause: os error 111
    "#);
    }

    #[test]
    fn a_place_in_a_file_is_written_as_editors_read_it() {
        let error = Error::new(Code::ConfigValue, "a piece cannot have 65 stripes")
            .at("file", "stopmark.toml")
            .at("line", 7)
            .at("column", 12)
            .at("key", "group.members[1].stripes");
        assert_snapshot!(text(&error), @r#"
    error[SM0103]: a piece cannot have 65 stripes
      file: stopmark.toml:7:12
      key:  group.members[1].stripes
    "#);
    }

    #[test]
    fn lines_of_foreign_texts_are_indented_and_their_control_characters_escaped() {
        let error = Error::new(Code::StatementFailed, "the host refused")
            .at("host", "PAY1\u{1b}[2J")
            .source(layers(&["first\r\nsecond\u{7}\n"]))
            .hint("one\ntwo");
        assert_snapshot!(text(&error), @r#"
    error[SM0209]: the host refused
      host:  PAY1\u{1b}[2J
      cause: first
             second\u{7}
      hint: one
            two
    "#);
    }

    #[test]
    fn programs_get_the_same_facts_as_values() {
        assert_json_snapshot!(json(&refused()), @r#"
    {
      "code": "SM0501",
      "kind": "backup",
      "exit": 1,
      "message": "the log of `PAY1\\SQL/Orders` cannot be backed up",
      "context": [
        {
          "what": "host",
          "value": "PAY1\\SQL"
        },
        {
          "what": "member",
          "value": "PAY1\\SQL/Orders"
        }
      ],
      "sql": {
        "number": 4214,
        "class": 16,
        "text": "BACKUP LOG cannot be performed because there is no current database backup."
      },
      "causes": [],
      "hint": "take a full first: `stopmark backup full`",
      "retry": "after_check"
    }
    "#);
    }

    #[test]
    fn absent_parts_are_absent_in_json() {
        let error = Error::new(Code::Interrupted, "interrupted").source(layers(&["signal 2"]));
        assert_json_snapshot!(json(&error), @r#"
    {
      "code": "SM0903",
      "kind": "host",
      "exit": 130,
      "message": "interrupted",
      "context": [],
      "causes": [
        "signal 2"
      ],
      "retry": "never"
    }
    "#);
    }
}
