//! Asks a host how much room its logs and disks have left, between runs and for `check`.
//!
//! Start at [`room`]. What the login cannot enter is left out; it is told by the survey. This file only reads.

use std::collections::BTreeMap;

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::history::NAMES_MAX;
use super::quote::identifier;
use super::rows::{self, Cells};
use super::session::Answer;
use super::statement::{Batch, Parameter, placeholders};
use super::target::root_of;
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName};
use crate::survey::{HostRoom, LogFile, LogRoom, Volume, most_bytes};

/// `sys.database_files.max_size` of a log that was given no limit: 2 TiB in pages.
const UNLIMITED_PAGES: i64 = 268_435_456;

/// The room of these databases, on one connection.
pub(super) async fn room(
    fleet: &SqlFleet,
    host: &HostName,
    databases: &[DatabaseName],
) -> Result<HostRoom> {
    let mut session = fleet.open(host).await?;
    let (mut logs, mut volumes) = (BTreeMap::new(), BTreeMap::new());
    for names in databases.chunks(NAMES_MAX) {
        let (back, answer) = session.ask(&open_sql(names)).await?;
        session = back;
        let open = open_ones(&answer, names).map_err(|fault| fault.at(host))?;
        if !open.sees_state {
            return Err(unseen(host));
        }
        for name in open.databases {
            let (back, answer) = session.ask(&log_sql(&name)).await?;
            session = back;
            let read = log_room(&answer, &mut volumes);
            let log = read.map_err(|fault| fault.at(host).at("database", &name))?;
            logs.insert(name, log);
        }
    }
    let volumes = volumes.into_iter();
    let volumes = volumes.map(|(root, free_bytes)| Volume { root, free_bytes });
    Ok(HostRoom {
        logs,
        volumes: volumes.collect(),
    })
}

fn unseen(host: &HostName) -> Error {
    let message = "the login may not see how full logs and disks are";
    Error::new(Code::RightMissing, message)
        .at("host", host)
        .at("right", "VIEW SERVER STATE")
        .hint("let an administrator of this host grant VIEW SERVER STATE to the agent's login")
}

/// The databases that can be asked, each as the caller spells it.
struct Open {
    databases: Vec<DatabaseName>,
    sees_state: bool,
}

fn open_ones(answer: &Answer, asked: &[DatabaseName]) -> Result<Open, Fault> {
    let sees_state = rows::only(answer)?.int_or_null("sees_state")? == Some(1);
    let mut databases = Vec::new();
    for row in rows::set(answer, 1) {
        let name = row.text("name")?.to_lowercase();
        let is_it = |asked: &&DatabaseName| asked.as_str().to_lowercase() == name;
        databases.extend(asked.iter().find(is_it).cloned());
    }
    Ok(Open {
        databases,
        sees_state,
    })
}

fn log_room(answer: &Answer, volumes: &mut BTreeMap<String, u64>) -> Result<LogRoom, Fault> {
    let bytes = |row: Cells<'_>, column| -> Result<u64, Fault> {
        Ok(u64::try_from(row.long(column)?).unwrap_or(0))
    };
    let row = rows::only(answer)?;
    let (used_bytes, size_bytes) = (bytes(row, "used_bytes")?, bytes(row, "size_bytes")?);
    let reuse_wait = row.text_or_null("log_reuse_wait_desc")?.unwrap_or_default();
    let (mut files, mut own) = (Vec::new(), BTreeMap::new());
    for row in rows::set(answer, 1) {
        let root = root_of(
            row.text_or_null("volume_mount_point")?,
            &row.text("physical_name")?,
        );
        own.insert(root.clone(), bytes(row, "available_bytes")?);
        if row.int("type")? == 1 {
            let limit = row.long("max_pages")?;
            let has_limit = (0..UNLIMITED_PAGES).contains(&limit);
            let limit = u64::try_from(limit).ok().filter(|_| has_limit);
            files.push(LogFile {
                size_bytes: bytes(row, "size_bytes")?,
                limit_bytes: limit.map(|pages| pages * 8192),
                grows: row.int("growth")? > 0,
                volume: root,
            });
        }
    }
    let found = own.iter().map(|(root, free_bytes)| Volume {
        root: root.clone(),
        free_bytes: *free_bytes,
    });
    let most_bytes = most_bytes(&files, &found.collect::<Vec<_>>());
    volumes.append(&mut own);
    Ok(LogRoom {
        used_bytes,
        size_bytes,
        most_bytes,
        reuse_wait,
    })
}

/// Whether the login may ask at all, and which of these databases it can enter now.
fn open_sql(names: &[DatabaseName]) -> Batch {
    let list = placeholders(0, names.len());
    Batch::with(
        format!(
            "SELECT HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') AS sees_state;\n\
             SELECT d.name FROM sys.databases AS d\n\
             WHERE d.state_desc = N'ONLINE' AND HAS_DBACCESS(d.name) = 1 AND d.name IN ({list})\n\
             ORDER BY d.name;"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

/// How full the log is, why it cannot be reused, and what its files and their volumes have left. A database sees its
/// own files without the rights that `sys.master_files` asks for.
fn log_sql(name: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "USE {};\n\
         SELECT CAST(u.used_log_space_in_bytes AS bigint) AS used_bytes,\n    \
         CAST(u.total_log_size_in_bytes AS bigint) AS size_bytes,\n    \
         d.log_reuse_wait_desc\n\
         FROM sys.dm_db_log_space_usage AS u\n\
         INNER JOIN sys.databases AS d ON d.database_id = u.database_id;\n\
         SELECT CAST(f.type AS int) AS type, f.physical_name,\n    \
         CAST(f.size AS bigint) * 8192 AS size_bytes, CAST(f.max_size AS bigint) AS max_pages,\n    \
         CAST(f.growth AS int) AS growth, v.volume_mount_point,\n    \
         CAST(v.available_bytes AS bigint) AS available_bytes\n\
         FROM sys.database_files AS f\n\
         CROSS APPLY sys.dm_os_volume_stats(DB_ID(), f.file_id) AS v;",
        identifier(name.as_str())
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let name = sample.database_name();
    vec![
        ("room.open", open_sql(std::slice::from_ref(&name))),
        ("room.log", log_sql(&name)),
    ]
}
