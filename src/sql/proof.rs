//! Asks a restored database where it stands: its state, what is in doubt in it, and its newest mark.
//!
//! Start at [`newest_mark`]. This file only reads, and enters no database that is not online.

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::quote::{identifier, literal};
use super::rows;
use super::session::Answer;
use super::statement::{Batch, Parameter};
use crate::config::MarkLogKind;
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, MarkName, MemberName};
use crate::plan::{ProveMark, ProvenState};
use crate::world::RestoredState;

/// What a name that ends with a stamp is like.
const STAMPED: &str = "N'%[_]____[_]__[_]__[_]__[_]__[_]__[_]___'";

/// State and newest mark of a restored database.
pub(super) async fn newest_mark(
    fleet: &SqlFleet,
    host: &HostName,
    step: &ProveMark,
) -> Result<RestoredState> {
    let target = &step.target;
    let (session, answer) = fleet.open(host).await?.ask(&state_sql(target)).await?;
    let row = rows::first(&answer, 0).ok_or_else(|| {
        let message = format!("there is no database `{target}`");
        Error::new(Code::MemberMissing, message).at("host", host)
    })?;
    let read = || -> Result<RestoredState, Fault> {
        Ok(RestoredState {
            state: row.text("state_desc")?,
            newest: None,
            is_standby: row.flag("is_in_standby")?,
            in_doubt: u32::try_from(row.int("in_doubt")?).unwrap_or(0),
        })
    };
    let found = read().map_err(|fault| fault.at(host))?;
    if found.state != "ONLINE" {
        return Ok(found);
    }
    let (_, answer) = session.ask(&newest_sql(step)).await?;
    let newest = newest(&answer, 0).map_err(|fault| fault.at(host).at("database", target))?;
    Ok(RestoredState { newest, ..found })
}

/// The mark in the first row of an answer's set; none where there is no row, or its name is no mark's.
pub(super) fn newest(answer: &Answer, set: usize) -> Result<Option<MarkName>, Fault> {
    let Some(row) = rows::first(answer, set) else {
        return Ok(None);
    };
    let name = row.text_or_null("mark_name")?;
    Ok(name.and_then(|name| name.parse().ok()))
}

fn state_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT d.state_desc, d.is_in_standby,\n    \
         (SELECT COUNT(*) FROM sys.dm_tran_locks AS l\n    \
         WHERE l.request_session_id = -2 AND l.resource_database_id = d.database_id) AS in_doubt\n\
         FROM sys.databases AS d WHERE d.name = @P1;",
        [Parameter::text(database.as_str())],
    )
}

fn newest_sql(step: &ProveMark) -> Batch {
    let database = identifier(step.target.as_str());
    Batch::plain(format!("USE {database};\n{}", newest_of(step)))
}

/// The same where the database may be any: without the table there is no row.
pub(super) fn newest_if_any_sql(step: &ProveMark) -> Batch {
    Batch::plain(format!(
        "USE {};\nIF OBJECT_ID(N'{}', N'U') IS NOT NULL\n{}",
        identifier(step.target.as_str()),
        match step.mark_log {
            MarkLogKind::Stopmark => "stopmark.MarkLog",
            MarkLogKind::BizTalk => "dbo.MarkLog",
        },
        newest_of(step)
    ))
}

/// One row where `BizTalk`'s table has a stamp that is greater than the mark's: the greatest.
pub(super) fn named_later_sql(step: &ProveMark) -> Batch {
    Batch::plain(format!(
        "USE {};\n\
         SELECT TOP (1) l.MarkName AS mark_name FROM [dbo].[MarkLog] AS l\n\
         WHERE l.MarkName LIKE {STAMPED} AND RIGHT(l.MarkName, 23) > RIGHT({}, 23)\n\
         ORDER BY RIGHT(l.MarkName, 23) DESC;",
        identifier(step.target.as_str()),
        literal(step.mark.as_str())
    ))
}

/// One row: the mark that the database stands at.
fn newest_of(step: &ProveMark) -> String {
    match step.mark_log {
        MarkLogKind::Stopmark => {
            "SELECT TOP (1) l.mark_name FROM [stopmark].[MarkLog] AS l ORDER BY l.id DESC;"
                .to_owned()
        }
        MarkLogKind::BizTalk => newest_of_biztalk(step),
    }
}

/// BizTalk's table has neither key nor order, and a stamp says little of the order: BizTalk's own job may write local
/// time, a clock may have been wrong, a person may have written a row. So a copy stands at its mark when it has that
/// mark and none that is known to be later; the rest, by their stamps, is only told where the mark is not there.
fn newest_of_biztalk(step: &ProveMark) -> String {
    let later = step.later_marks.iter();
    let later: Vec<_> = later.map(|mark| literal(mark.as_str())).collect();
    let later = match later.as_slice() {
        [] => String::new(),
        names => format!(" WHEN l.MarkName IN ({}) THEN 0", names.join(", ")),
    };
    let mark = literal(step.mark.as_str());
    format!(
        "SELECT TOP (1) l.MarkName AS mark_name FROM [dbo].[MarkLog] AS l\n\
         WHERE l.MarkName LIKE {STAMPED}\n\
         ORDER BY CASE{later} WHEN l.MarkName = {mark} THEN 1 ELSE 2 END, RIGHT(l.MarkName, 23) DESC;"
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    let named = |name: &str| name.parse().expect("a valid mark");
    let step = |mark_log, later: &[&str]| ProveMark {
        member: MemberName::new(
            sample.host.parse().expect("samples are valid names"),
            database.clone(),
        ),
        target: database.clone(),
        mark: named("BTS_2026_11_21_02_00_00_007"),
        later_marks: later.iter().map(|name| named(name)).collect(),
        mark_log,
        state: ProvenState::Online,
    };
    let later = ["BTS_2026_11_21_02_15_00_000", "BTS_2026_11_21_02_30_00_000"];
    vec![
        ("proof.state", state_sql(&database)),
        (
            "proof.newest",
            newest_sql(&step(MarkLogKind::Stopmark, &[])),
        ),
        (
            "proof.newest_biztalk",
            newest_sql(&step(MarkLogKind::BizTalk, &[])),
        ),
        (
            "proof.none_later_biztalk",
            newest_sql(&step(MarkLogKind::BizTalk, &later)),
        ),
    ]
}
