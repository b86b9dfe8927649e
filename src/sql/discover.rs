//! Finds a BizTalk group's databases in its own list.
//!
//! Start at [`biztalk_members`]. Server names there are as somebody configured them (alias, `host,port`,
//! listener): whose they truly are, the survey finds out.

use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::session::Answer;
use super::statement::Batch;
use super::{SqlFleet, rows};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName};

/// Server name and database of every row of `admv_BackupDatabases`, in their order.
pub(super) async fn biztalk_members(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
) -> Result<Vec<(String, DatabaseName)>> {
    let at_database = |error: Error| error.at("database", database);
    let session = fleet.open(host).await.map_err(at_database)?;
    let asked = session.try_ask(&members_sql(database)).await;
    let (_, answer) = asked.map_err(|fault| at_database(unlisted(fault, host)))?;
    members(&answer).map_err(|fault| at_database(fault.at(host)))
}

/// A database without the list is another one, or its setup ended half way.
fn unlisted(fault: Fault, host: &HostName) -> Error {
    match fault.number() {
        Some(207 | 208 | 4413) => {
            let what = "the database has no list of a BizTalk group (`admv_BackupDatabases`)";
            fault.at_as(host, Code::BizTalkUnfit, what).hint(
                "name BizTalk's management database in `discover`; if it is the right one, run BizTalk's setup of \
                 its backup procedures again",
            )
        }
        _ => fault.at(host),
    }
}

fn members(answer: &Answer) -> Result<Vec<(String, DatabaseName)>, Fault> {
    rows::set(answer, 0)
        .map(|row| {
            let name = row.text("database_name")?;
            let database = name.parse().map_err(|error| {
                Fault::Shape(format!("`{name}` in the list of databases: {error}"))
            })?;
            Ok((row.text("server_name")?, database))
        })
        .collect()
}

fn members_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "SELECT CAST(m.ServerName AS nvarchar(128)) AS server_name,\n    \
         CAST(m.DatabaseName AS nvarchar(128)) AS database_name\n\
         FROM {}.[dbo].[admv_BackupDatabases] AS m\n\
         ORDER BY m.ServerName, m.DatabaseName;",
        identifier(database.as_str())
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    vec![("discover.biztalk", members_sql(&database))]
}
