//! Opens databases that stand by, once the mark of every member is proven.
//!
//! Start at [`recover_database`]. A database that is RESTORING is never opened here: it may stand anywhere, and
//! recovery cannot be taken back. Whether the proof was made is the plan's to say; that the database stands by is
//! asked for once more right before.

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::restore::{keeps_sql, restore_error};
use super::session::SqlSession;
use super::statement::{Batch, Parameter};
use super::{rows, watch};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName};
use crate::plan::{Keeps, RecoverDatabase};
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
    let (mut session, found) = standing(fleet, host, &step.target)
        .await
        .map_err(at_member)?;
    match found {
        Some(found) if found.is(Stands::By) => {
            let batch = recover_sql(&step.target, step.keeps);
            match watch::run_watched(fleet, session, &batch, progress).await {
                Ok(opened) => session = opened,
                // The statement of an agent that died may have opened it meanwhile.
                Err(fault) => match standing(fleet, host, &step.target).await {
                    Ok((again, Some(found))) if found.is(Stands::Open) => session = again,
                    _ => return Err(at_member(restore_error(fault, host))),
                },
            }
        }
        Some(found) if found.is(Stands::Open) => progress.percent(100),
        other => return Err(at_member(not_standing_by(other, host))),
    }
    if step.lets_in {
        let asked = session.ask(&multi_user_sql(&step.target)).await;
        asked.map_err(at_member)?;
    }
    Ok(())
}

/// How a database that may be read stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    By,
    Open,
}

/// A database's state, and whether it stands by.
struct Found {
    state: String,
    is_standby: bool,
}

impl Found {
    fn is(&self, wanted: Stands) -> bool {
        self.state == "ONLINE" && self.is_standby == (wanted == Stands::By)
    }
}

async fn standing(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
) -> Result<(SqlSession, Option<Found>)> {
    let session = fleet.open(host).await?;
    let (session, answer) = session.ask(&state_sql(database)).await?;
    let found = rows::first(&answer, 0).map(|row| {
        Ok::<_, Fault>(Found {
            state: row.text("state_desc")?,
            is_standby: row.flag("is_in_standby")?,
        })
    });
    let found = found.transpose().map_err(|fault| fault.at(host))?;
    Ok((session, found))
}

fn not_standing_by(found: Option<Found>, host: &HostName) -> Error {
    let state = found.map_or_else(|| "missing".to_owned(), |found| found.state);
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
pub fn recover_sql(database: &DatabaseName, keeps: Keeps) -> Batch {
    Batch::plain(format!(
        "RESTORE DATABASE {} WITH RECOVERY{};",
        identifier(database.as_str()),
        keeps_sql(keeps)
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
    let database = sample.database_name();
    vec![
        ("recover.state", state_sql(&database)),
        ("recover.open", recover_sql(&database, Keeps::default())),
        (
            "recover.open_keeping",
            recover_sql(
                &database,
                // Microsoft's public parser does not know KEEP_CDC, which its documents have.
                Keeps {
                    cdc: false,
                    replication: true,
                },
            ),
        ),
        ("recover.let_in", multi_user_sql(&database)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_opening_keeps_stands_behind_it() {
        let keeps = Keeps {
            cdc: true,
            replication: true,
        };
        let text = recover_sql(&"Ledger".parse().expect("a database"), keeps).text;
        let wanted = "RESTORE DATABASE [Ledger] WITH RECOVERY, KEEP_CDC, KEEP_REPLICATION;";
        assert_eq!(text, wanted);
    }
}
