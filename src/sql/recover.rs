//! Opens databases that stand by, once the mark of every member is proven.
//!
//! Start at [`recover_database`]. A database that is RESTORING is never opened here: it may stand anywhere, and
//! recovery cannot be taken back. Whether the proof was made is the plan's to say; that the database stands by is
//! asked for once more right before.

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::restore::restore_error;
use super::statement::{Batch, Parameter};
use super::{rows, watch};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName};
use crate::plan::RecoverDatabase;
use crate::world::StepProgress;

/// Opens the database, unless it is open already, and lets its users in where they were sent away.
pub(super) async fn recover_database(
    fleet: &SqlFleet,
    host: &HostName,
    step: &RecoverDatabase,
    progress: &dyn StepProgress,
) -> Result<()> {
    let at_member = |error: Error| {
        error
            .at("member", &step.member)
            .at("database", &step.target)
    };
    let session = fleet.open(host).await.map_err(at_member)?;
    let asked = session.ask(&state_sql(&step.target)).await;
    let (mut session, answer) = asked.map_err(at_member)?;
    let read = || -> Result<Option<(String, bool)>, Fault> {
        let row = rows::first(&answer, 0);
        row.map(|row| Ok::<_, Fault>((row.text("state_desc")?, row.flag("is_in_standby")?)))
            .transpose()
    };
    match read().map_err(|fault| at_member(fault.at(host)))? {
        Some((state, true)) if state == "ONLINE" => {
            let batch = recover_sql(&step.target);
            let opening = watch::run_watched(fleet, session, &batch, progress).await;
            session = opening.map_err(|fault| at_member(restore_error(fault, host)))?;
        }
        Some((state, false)) if state == "ONLINE" => progress.percent(100),
        other => return Err(at_member(not_standing_by(other, host))),
    }
    if step.lets_in {
        let asked = session.ask(&multi_user_sql(&step.target)).await;
        asked.map_err(at_member)?;
    }
    Ok(())
}

fn not_standing_by(found: Option<(String, bool)>, host: &HostName) -> Error {
    let state = found.map_or_else(|| "missing".to_owned(), |(state, _)| state);
    Error::new(
        Code::RestoreFailed,
        "a database does not stand by at its mark, and is not opened",
    )
    .at("host", host)
    .at("state", state)
    .hint("restore it anew: opened now it might be past the mark")
}

/// The opening; only ever for a database that stands by and was proven to be at its mark.
#[must_use]
pub fn recover_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "RESTORE DATABASE {} WITH RECOVERY;",
        identifier(database.as_str())
    ))
}

fn multi_user_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "ALTER DATABASE {} SET MULTI_USER;",
        identifier(database.as_str())
    ))
}

fn state_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT d.state_desc, d.is_in_standby FROM sys.databases AS d WHERE d.name = @P1;",
        [Parameter::text(database.as_str())],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample
        .database
        .parse::<DatabaseName>()
        .expect("samples are valid names");
    vec![
        ("recover.state", state_sql(&database)),
        ("recover.open", recover_sql(&database)),
        ("recover.let_in", multi_user_sql(&database)),
    ]
}
