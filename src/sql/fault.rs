//! What can go wrong with a statement, and the public errors that it becomes.
//!
//! Start at [`Fault`] and [`Fault::at`]. Verbs whose failures have codes of their own map the numbers that
//! they know and leave the rest to [`Fault::at`]. tiberius hands over the *first* error of an answer, which
//! is the cause; 3013 and 3041 only trail it.
//!
//! Messages leave SQL Server's own text to the error's cause, which renderers show beside them. No text made
//! here can hold a password: login answers are SQL Server's, and batches are never quoted.

use std::time::Duration;

use crate::error::{Code, Error, Retry, SqlCause};
use crate::model::HostName;

/// Why a statement did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SQL Server refused; its first error.
    Refused(SqlCause),
    /// The connection broke or spoke nonsense, with the client library's words.
    Broken(String),
    /// Nothing came in this time.
    Silent(Duration),
    /// The answer has not the shape that the statement's text asks for.
    Shape(String),
}

impl Fault {
    /// The first error's number, when SQL Server answered with one.
    pub(super) const fn number(&self) -> Option<i32> {
        match self {
            Self::Refused(cause) => Some(cause.number),
            Self::Broken(_) | Self::Silent(_) | Self::Shape(_) => None,
        }
    }

    /// The error for a verb without codes of its own.
    pub(super) fn at(self, host: &HostName) -> Error {
        let error = match self {
            Self::Refused(cause) => refused(cause),
            Self::Broken(text) => Error::new(
                Code::ConnectionLost,
                format!("the connection broke: {text}"),
            )
            .retry(Retry::AfterCheck),
            Self::Silent(limit) => Error::new(
                Code::ConnectionLost,
                format!("no answer within {} s", limit.as_secs()),
            )
            .retry(Retry::AfterCheck),
            Self::Shape(text) => Error::new(
                Code::StatementFailed,
                format!("the answer is not what was asked for: {text}"),
            ),
        };
        error.at("host", host)
    }

    /// The error for a verb whose refusals have `code`; rights and broken connections keep theirs.
    pub(super) fn at_as(self, host: &HostName, code: Code, what: &str) -> Error {
        match self {
            Self::Refused(cause) if missing_right(&cause).is_none() => {
                Error::new(code, what).caused_by_sql(cause).at("host", host)
            }
            other => other.at(host),
        }
    }
}

fn refused(cause: SqlCause) -> Error {
    if let Some(right) = missing_right(&cause) {
        let message = format!("the login lacks a right: {right}");
        return Error::new(Code::RightMissing, message)
            .hint("`stopmark check` lists every right that the login needs on each host")
            .caused_by_sql(cause);
    }
    let retry = match cause.number {
        // Deadlock victim, lock time-out, log full for now.
        1205 | 1222 | 9002 => Retry::Safe,
        _ => Retry::Never,
    };
    Error::new(Code::StatementFailed, Code::StatementFailed.meaning())
        .caused_by_sql(cause)
        .retry(retry)
}

/// The right that an error says is missing, in SQL Server's words; `None` for every other error.
pub(super) fn missing_right(cause: &SqlCause) -> Option<String> {
    match cause.number {
        // "The SELECT permission was denied on the object 'x', database 'y', schema 'z'."; 300: "VIEW SERVER
        // STATE permission was denied on object 'server'"; 262: "BACKUP LOG permission denied in database".
        229 | 230 | 262 | 300 | 371 | 378 => Some(named_right(&cause.text)),
        // 15151: "Cannot alter the x, because it does not exist or you do not have permission"; 297 and
        // 15247 say only that there is a right.
        297 | 15151 | 15247 => Some(cause.text.trim_end_matches('.').to_owned()),
        916 => Some(format!(
            "access to the database{}",
            quoted_words(&cause.text)
                .get(1)
                .map(|name| format!(" `{name}`"))
                .unwrap_or_default()
        )),
        _ => None,
    }
}

/// `SELECT on msdb.dbo.backupset` from SQL Server's sentence.
fn named_right(text: &str) -> String {
    let Some((right, place)) = text.split_once(" permission") else {
        return text.to_owned();
    };
    let right = right.strip_prefix("The ").unwrap_or(right);
    let names = quoted_words(place);
    match names.as_slice() {
        [object, database, schema] => format!("{right} on {database}.{schema}.{object}"),
        [_server, _master] => right.to_owned(),
        [place] => format!("{right} in {place}"),
        _ => right.to_owned(),
    }
}

/// The words in straight single or double quotes.
fn quoted_words(text: &str) -> Vec<&str> {
    text.split(['\'', '"']).skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(number: i32, text: &str) -> SqlCause {
        SqlCause {
            number,
            class: 14,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_missing_right_is_named() {
        for (number, text, right) in [
            (
                229,
                "The SELECT permission was denied on the object 'backupset', database 'msdb', schema 'dbo'.",
                "SELECT on msdb.dbo.backupset",
            ),
            (
                300,
                "VIEW SERVER STATE permission was denied on object 'server', database 'master'.",
                "VIEW SERVER STATE",
            ),
            (
                262,
                "BACKUP LOG permission denied in database 'Ledger'.",
                "BACKUP LOG in Ledger",
            ),
            (
                916,
                "The server principal \"agent\" is not able to access the database \"Ledger\" under the \
                 current security context.",
                "access to the database `Ledger`",
            ),
            (
                15247,
                "User does not have permission to perform this action.",
                "User does not have permission to perform this action",
            ),
            (229, "Der Text ist deutsch.", "Der Text ist deutsch."),
        ] {
            let cause = cause(number, text);
            assert_eq!(missing_right(&cause).as_deref(), Some(right));
            let error = Fault::Refused(cause).at(&"PAY1".parse().expect("valid"));
            assert_eq!(error.code(), Code::RightMissing);
            assert!(error.message().contains(right), "{}", error.message());
        }
    }

    #[test]
    fn other_errors_are_no_missing_right() {
        assert_eq!(missing_right(&cause(208, "Invalid object name 'x'.")), None);
    }

    #[test]
    fn faults_become_codes_with_a_verdict_on_retrying() {
        let host: HostName = "PAY1".parse().expect("valid");
        for (fault, code, retry) in [
            (
                Fault::Refused(cause(208, "x")),
                Code::StatementFailed,
                Retry::Never,
            ),
            (
                Fault::Refused(cause(1205, "x")),
                Code::StatementFailed,
                Retry::Safe,
            ),
            (
                Fault::Broken("x".to_owned()),
                Code::ConnectionLost,
                Retry::AfterCheck,
            ),
            (
                Fault::Silent(Duration::from_secs(9)),
                Code::ConnectionLost,
                Retry::AfterCheck,
            ),
            (
                Fault::Shape("x".to_owned()),
                Code::StatementFailed,
                Retry::Never,
            ),
        ] {
            let error = fault.clone().at(&host);
            assert_eq!(
                (error.code(), error.retry_verdict()),
                (code, retry),
                "{fault:?}"
            );
            assert_eq!(error.context(), [("host", "PAY1".to_owned())]);
        }
    }
}
