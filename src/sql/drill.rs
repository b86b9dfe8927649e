//! What a drill asks of a scratch database: whether it is sound, what the user's checks find, and that it goes.
//!
//! Start at [`check_database`], [`run_check`] and [`drop_database`]. The user's own text is sent as it is but for the names
//! between braces, which are quoted here.

use tiberius::ColumnData;

use super::every::Sample;
use super::fault::Fault;
use super::quote::{identifier, literal};
use super::session::SqlSession;
use super::statement::{Batch, Parameter};
use super::{SqlFleet, rows, watch};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName};
use crate::plan::{CheckDatabase, RunCheck};
use crate::world::{CheckAnswer, StepProgress};

/// `DBCC CHECKDB`; any error that it raises means that the database is not sound.
pub(super) async fn check_database(
    fleet: &SqlFleet,
    host: &HostName,
    step: &CheckDatabase,
    progress: &dyn StepProgress,
) -> Result<()> {
    let session = fleet.open(host).await?;
    let checked = watch::run_watched(fleet, session, &check_database_sql(step), progress).await;
    let checked = checked.map_err(|fault| match fault {
        Fault::Refused(cause) => Error::new(Code::DatabaseUnsound, Code::DatabaseUnsound.meaning())
            .caused_by_sql(cause)
            .at("host", host)
            .hint("look at the source with `DBCC CHECKDB` too; the backup holds what it held"),
        other => other.at(host),
    });
    checked
        .map(|_| ())
        .map_err(|error| error.at("database", &step.target))
}

/// Runs a check: how many rows its first result set has, and the first cell as text.
pub(super) async fn run_check(
    fleet: &SqlFleet,
    host: &HostName,
    step: &RunCheck,
) -> Result<CheckAnswer> {
    let session = fleet.open(host).await?;
    let (_, answer) = session.ask(&check_sql(step)).await?;
    let first = answer.first();
    let cell = first.and_then(|rows| rows.first()).and_then(|row| {
        let cells = row.cells().next();
        cells.and_then(|(_, data)| text_of(data))
    });
    Ok(CheckAnswer {
        rows: first.map_or(0, Vec::len),
        cell,
    })
}

/// Drops a database, whoever is in it; one that is not there is no error.
pub(super) async fn drop_database(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
) -> Result<()> {
    let session = fleet.open(host).await?;
    let at_database = |error: Error| error.at("database", database);
    let (session, is_open) = is_open(session, database).await.map_err(at_database)?;
    let session = if is_open {
        session
            .ask(&single_user_sql(database))
            .await
            .map_err(at_database)?
            .0
    } else {
        session
    };
    session
        .ask(&drop_sql(database))
        .await
        .map_err(at_database)?;
    Ok(())
}

/// Whether users can be in it.
async fn is_open(session: SqlSession, database: &DatabaseName) -> Result<(SqlSession, bool)> {
    let (session, answer) = session.ask(&state_sql(database)).await?;
    let state = rows::first(&answer, 0).map(|row| row.text("state_desc"));
    let state = state
        .transpose()
        .map_err(|fault| fault.at(session.host()))?;
    Ok((session, state.is_some_and(|state| state == "ONLINE")))
}

/// The text of a cell; none for NULL. Whole numbers, decimals, bits and texts read as they are written; anything else
/// should be cast by the check itself.
fn text_of(data: &ColumnData<'_>) -> Option<String> {
    match data {
        ColumnData::U8(value) => value.map(|it| it.to_string()),
        ColumnData::I16(value) => value.map(|it| it.to_string()),
        ColumnData::I32(value) => value.map(|it| it.to_string()),
        ColumnData::I64(value) => value.map(|it| it.to_string()),
        ColumnData::F32(value) => value.map(|it| it.to_string()),
        ColumnData::F64(value) => value.map(|it| it.to_string()),
        ColumnData::Bit(value) => value.map(|it| u8::from(it).to_string()),
        ColumnData::Numeric(value) => value.map(|it| it.to_string()),
        ColumnData::Guid(value) => value.map(|it| it.to_string()),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        other => Some(
            format!("a value to be cast to text: {other:?}")
                .chars()
                .take(200)
                .collect(),
        ),
    }
}

fn check_database_sql(step: &CheckDatabase) -> Batch {
    let depth = if step.physical_only {
        ", PHYSICAL_ONLY"
    } else {
        ""
    };
    Batch::plain(format!(
        "DBCC CHECKDB ({}) WITH NO_INFOMSGS{depth};",
        literal(step.target.as_str())
    ))
}

/// The user's text, each name between braces replaced by the quoted name of a scratch database.
fn check_sql(step: &RunCheck) -> Batch {
    let mut text = String::with_capacity(step.text.len());
    let mut rest = step.text.as_str();
    while let Some((before, from)) = rest.split_once('{') {
        text.push_str(before);
        let word = from.split_once('}');
        let name = word.and_then(|(word, after)| {
            let found = step.names.iter().find(|(name, _)| name == word);
            found.map(|(_, database)| (database, after))
        });
        if let Some((database, after)) = name {
            text.push_str(&identifier(database.as_str()));
            rest = after;
        } else {
            text.push('{');
            rest = from;
        }
    }
    text.push_str(rest);
    Batch::plain(text)
}

fn state_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT d.state_desc FROM sys.databases AS d WHERE d.name = @P1;",
        [Parameter::text(database.as_str())],
    )
}

fn single_user_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "ALTER DATABASE {} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;",
        identifier(database.as_str())
    ))
}

fn drop_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "DROP DATABASE IF EXISTS {};",
        identifier(database.as_str())
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    let check = |physical_only| CheckDatabase {
        member: crate::model::MemberName::new(
            sample.host.parse().expect("samples are valid names"),
            database.clone(),
        ),
        target: database.clone(),
        physical_only,
    };
    let own = RunCheck {
        name: "sum.sql".to_owned(),
        text: "SELECT SUM(t.amount) FROM {Ledger}.dbo.Transfers AS t WHERE t.at < {ts '2026-11-21 00:00:00'};"
            .to_owned(),
        names: vec![("Ledger".to_owned(), database.clone())],
        value: None,
    };
    vec![
        ("drill.check_database", check_database_sql(&check(false))),
        ("drill.check_pages", check_database_sql(&check(true))),
        ("drill.check", check_sql(&own)),
        ("drill.state", state_sql(&database)),
        ("drill.single_user", single_user_sql(&database)),
        ("drill.drop", drop_sql(&database)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_braces_are_quoted_and_other_braces_stay() {
        let step = RunCheck {
            name: "x".to_owned(),
            text: "SELECT 1 FROM {a}.dbo.T, {b}.dbo.T WHERE x < {d '2026-01-01'} AND y = '{'"
                .to_owned(),
            names: vec![
                ("a".to_owned(), "x]; DROP".parse().expect("a database")),
                ("b".to_owned(), "{a}".parse().expect("a database")),
            ],
            value: None,
        };
        let text = check_sql(&step).text;
        let expected =
            "SELECT 1 FROM [x]]; DROP].dbo.T, [{a}].dbo.T WHERE x < {d '2026-01-01'} AND y = '{'";
        assert_eq!(text, expected);
    }
}
