//! Small questions and trials for commands that check and plan.
//!
//! Start at [`probe_share`]: the only backup that Stopmark takes `COPY_ONLY`, of `model`, so that it moves
//! nobody's chain.

use super::SqlFleet;
use super::every::Sample;
use super::fault::{Fault, missing_right};
use super::quote::{disks, identifier};
use super::statement::Batch;
use super::{backup_errors, rows};
use crate::error::Result;
use crate::model::{DatabaseName, HostName};

/// The names of all databases of a host.
pub(super) async fn databases(fleet: &SqlFleet, host: &HostName) -> Result<Vec<DatabaseName>> {
    let session = fleet.open(host).await?;
    let (_, answer) = session.ask(&databases_sql()).await?;
    let names = rows::set(&answer, 0).map(|row| {
        let name = row.text("name")?;
        name.parse()
            .map_err(|_| Fault::Shape(format!("`{name}` cannot be a database's name")))
    });
    names
        .collect::<Result<_, Fault>>()
        .map_err(|fault| fault.at(host))
}

/// Writes a tiny backup to this file.
pub(super) async fn probe_share(fleet: &SqlFleet, host: &HostName, sql_path: &str) -> Result<()> {
    let session = fleet.open(host).await?;
    let tried = session.try_ask(&probe_sql(sql_path)).await;
    tried.map(|_| ()).map_err(|fault| match fault {
        Fault::Refused(cause) if missing_right(&cause).is_some() => Fault::Refused(cause)
            .at(host)
            .hint("the trial is a COPY_ONLY backup of `model`: let the login enter and back it up"),
        Fault::Refused(cause) => backup_errors::refused(cause).at("host", host),
        other => other.at(host),
    })
}

fn databases_sql() -> Batch {
    Batch::plain("SELECT d.name FROM sys.databases AS d ORDER BY d.name;")
}

fn probe_sql(sql_path: &str) -> Batch {
    Batch::plain(format!(
        "BACKUP DATABASE {}\nTO {}\nWITH COPY_ONLY, CHECKSUM, FORMAT, INIT;",
        identifier("model"),
        disks([sql_path]),
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    vec![
        ("probe.databases", databases_sql()),
        (
            "probe.share",
            probe_sql(&format!("{}\\probe.bak", sample.folder)),
        ),
    ]
}
