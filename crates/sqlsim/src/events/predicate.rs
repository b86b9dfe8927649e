//! Predicates of events: whether they make sense, and whether they hold. Pure.
//!
//! Start at [`holds`]. Texts are compared without regard to case, as the simulated collation does.

use super::Occurrence;
use super::definition::unknown;
use super::occurrence::Attribute;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{EventComparison, EventPredicate, EventValue};
use crate::query::like;

/// Sources that hold numbers.
const NUMBERS: [&str; 11] = [
    "error_number",
    "error",
    "severity",
    "state",
    "user_defined",
    "category",
    "destination",
    "is_intercepted",
    "is_system",
    "session_id",
    "database_id",
];

/// Sources that hold texts.
const TEXTS: [&str; 10] = [
    "message",
    "database_name",
    "client_app_name",
    "client_hostname",
    "username",
    "server_principal_name",
    "nt_username",
    "nt_user",
    "sql_text",
    "server_instance_name",
];

/// Raises 25623 for a source that nobody knows, 25630 for a value of the wrong type.
pub(super) fn check(predicate: &EventPredicate) -> SqlResult<()> {
    match predicate {
        EventPredicate::All(parts) | EventPredicate::Any(parts) => parts.iter().try_for_each(check),
        EventPredicate::Not(inner) => check(inner),
        EventPredicate::Compare {
            source,
            comparison,
            value,
        } => {
            let is_number = NUMBERS.contains(&source.as_str());
            if !is_number && !TEXTS.contains(&source.as_str()) {
                return Err(unknown("event attribute or predicate source", source));
            }
            let has_number = matches!(value, EventValue::Number(_));
            if is_number != has_number || is_number && *comparison == EventComparison::Like {
                return Err(mismatch(source));
            }
            Ok(())
        }
    }
}

/// Whether it holds for an occurrence.
pub(super) fn holds(predicate: &EventPredicate, of: &Occurrence) -> bool {
    match predicate {
        EventPredicate::All(parts) => parts.iter().all(|part| holds(part, of)),
        EventPredicate::Any(parts) => parts.iter().any(|part| holds(part, of)),
        EventPredicate::Not(inner) => !holds(inner, of),
        EventPredicate::Compare {
            source,
            comparison,
            value,
        } => match (of.attribute(source), value) {
            (Some(Attribute::Number(is)), EventValue::Number(wanted)) => {
                compare(*comparison, is.cmp(wanted))
            }
            (Some(Attribute::Text(is)), EventValue::Text(wanted)) => match comparison {
                EventComparison::Like => like::matches(&is, wanted, None),
                _ => compare(*comparison, is.to_lowercase().cmp(&wanted.to_lowercase())),
            },
            _ => false,
        },
    }
}

fn compare(comparison: EventComparison, order: std::cmp::Ordering) -> bool {
    match comparison {
        EventComparison::Equal => order.is_eq(),
        EventComparison::NotEqual => order.is_ne(),
        EventComparison::Less => order.is_lt(),
        EventComparison::LessOrEqual => order.is_le(),
        EventComparison::Greater => order.is_gt(),
        EventComparison::GreaterOrEqual => order.is_ge(),
        EventComparison::Like => false,
    }
}

/// 25630: a number is compared with a text.
fn mismatch(source: &str) -> SqlError {
    let text = format!(
        "The predicate expression bound to event ,\"error_reported\", has mismatching types \
         (\"{source}\")."
    );
    SqlError::new(25630, 16, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::ast::{EventSessionAction, StatementKind};

    fn predicate(text: &str) -> EventPredicate {
        let sql =
            format!("ALTER EVENT SESSION s ON SERVER ADD EVENT error_reported (WHERE {text})");
        let parsed = crate::lang::parse(&sql).expect("it parses");
        match &parsed[0].kind {
            StatementKind::AlterEventSession {
                action: EventSessionAction::Change { add, .. },
                ..
            } => add.events[0].predicate.clone().expect("it has one"),
            other => panic!("{other:?}"),
        }
    }

    fn occurrence() -> Occurrence {
        Occurrence {
            at: jiff::Timestamp::UNIX_EPOCH,
            what: crate::events::Happening::Error {
                message: SqlError::new(1475, 16, "Database \"Pay\" might contain changes"),
                is_intercepted: false,
            },
            session_id: 51,
            program_name: "stopmark".to_owned(),
            host_name: "AGENT".to_owned(),
            login_name: "sa".to_owned(),
            database_id: 1,
            database_name: "master".to_owned(),
            sql_text: String::new(),
            server_name: "SQL1".to_owned(),
        }
    }

    #[test]
    fn predicates_hold_as_they_are_written() {
        for (text, expected) in [
            ("[error_number]=(1475) OR [error_number]=(4214)", true),
            ("([severity]>=(17) AND error_number = 1475)", false),
            ("NOT sqlserver.client_app_name = N'Stopmark'", false),
            (
                "[package0].[greater_than_equal_int64]([severity],(16))",
                true,
            ),
            (
                "sqlserver.like_i_sql_unicode_string([message], N'%\"pay\"%')",
                true,
            ),
            ("message LIKE N'%other%' OR is_intercepted = 1", false),
            ("error_number <> 1475", false),
        ] {
            let predicate = predicate(text);
            check(&predicate).expect(text);
            assert_eq!(holds(&predicate, &occurrence()), expected, "{text}");
        }
    }

    #[test]
    fn a_predicate_that_makes_no_sense_is_refused() {
        let number = |text| check(&predicate(text)).expect_err(text).number;
        assert_eq!(number("nothing = 1"), 25623);
        assert_eq!(number("error_number = N'x'"), 25630);
        assert_eq!(number("message = 5"), 25630);
    }
}
