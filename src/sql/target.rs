//! Asks a host for what a restore must know of it: version, folders, databases, files, room.
//!
//! Start at [`target_facts`]. What the login may not see is missing, and no error: a plan says so where it matters.
//!
//! This file only reads.

use std::collections::BTreeMap;

use super::every::Sample;
use super::fault::Fault;
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::Batch;
use super::{SqlFleet, member, settings};
use crate::error::Result;
use crate::model::{HostName, PieceId};
use crate::survey::{
    LastRestored, ShippingDestination, TargetDatabase, TargetFacts, TargetFile, TargetState, Volume,
};

/// Everything about one host, on one connection.
pub(super) async fn target_facts(fleet: &SqlFleet, host: &HostName) -> Result<TargetFacts> {
    let (session, _) = fleet.open_any(host).await?;
    let (session, identity) = session.ask(&identity_sql()).await?;
    let (session, databases) = session.ask(&databases_sql()).await?;
    let (session, files) = session.ask(&files_sql()).await?;
    let (session, restored) = session.ask(&restored_sql()).await?;
    let (session, primary) = session.ask(&primary_sql()).await?;
    let (session, shipping) = session.ask(&shipping_sql()).await?;
    let (session, keys) = settings::keys(session).await?;
    let (_, volumes) = volumes_of(session).await?;
    let fill = || -> Result<TargetFacts, Fault> {
        let mut facts = facts_of(rows::only(&identity)?)?;
        facts.databases = databases_of(&databases, &files, &restored)?;
        for row in rows::set(&primary, 0) {
            let name = row.text("name")?;
            let mut databases = facts.databases.iter_mut();
            if let Some(database) = databases.find(|it| it.name.as_str() == name) {
                database.is_primary = true;
            }
        }
        facts.log_shipping = rows::first(&shipping, 0).map(shipping_of).transpose()?;
        facts.keys = keys;
        facts.volumes = volumes;
        Ok(facts)
    };
    fill().map_err(|fault| fault.at(host))
}

fn shipping_of(row: Cells<'_>) -> Result<ShippingDestination, Fault> {
    let databases = row.int("databases")?;
    Ok(ShippingDestination {
        moves_data: databases > 0 && row.int("moved_data")? == databases,
        moves_logs: databases > 0 && row.int("moved_logs")? == databases,
    })
}

fn facts_of(row: Cells<'_>) -> Result<TargetFacts, Fault> {
    let name = row.text("true_name")?;
    let folder = |column| -> Result<Option<String>, Fault> {
        let folder = row.text_or_null(column)?;
        Ok(folder.filter(|folder| !folder.is_empty()))
    };
    Ok(TargetFacts {
        true_name: name
            .parse()
            .map_err(|_| Fault::Shape(format!("`{name}` cannot be a host's")))?,
        version: row.text("version")?,
        edition: row.text("edition")?,
        collation: row.text_or_null("collation")?.unwrap_or_default(),
        data_folder: folder("data_folder")?,
        log_folder: folder("log_folder")?,
        databases: Vec::new(),
        keys: None,
        volumes: Vec::new(),
        log_shipping: None,
    })
}

fn databases_of(
    databases: &Answer,
    files: &Answer,
    restored: &Answer,
) -> Result<Vec<TargetDatabase>, Fault> {
    let mut files = files_by_database(files)?;
    let mut restored = restored_by_database(restored)?;
    let read = |row: Cells<'_>| -> Result<TargetDatabase, Fault> {
        let name = row.text("name")?;
        let state = match (row.text("state_desc")?.as_str(), row.flag("is_in_standby")?) {
            ("ONLINE", false) => TargetState::Online,
            ("ONLINE", true) => TargetState::Standby,
            ("RESTORING", _) => TargetState::Restoring,
            _ => TargetState::Unusable,
        };
        let model = row.text("recovery_model_desc")?;
        Ok(TargetDatabase {
            state,
            recovery_model: member::recovery_model(&model)?,
            availability_group: row.text_or_null("availability_group")?,
            is_primary: false,
            files: files.remove(&name).unwrap_or_default(),
            restored: restored.remove(&name.to_lowercase()),
            name: name
                .parse()
                .map_err(|_| Fault::Shape(format!("`{name}` cannot be a database's name")))?,
        })
    };
    rows::set(databases, 0).map(read).collect()
}

fn files_by_database(answer: &Answer) -> Result<BTreeMap<String, Vec<TargetFile>>, Fault> {
    let mut files: BTreeMap<String, Vec<TargetFile>> = BTreeMap::new();
    for row in rows::set(answer, 0) {
        let file = TargetFile {
            logical_name: row.text("name")?,
            physical_name: row.text("physical_name")?,
            is_data: row.int("type")? == 0,
            size_bytes: u64::try_from(row.long("size_bytes")?).unwrap_or(0),
            redo_start_lsn: row.lsn_or_null("redo_start_lsn")?,
        };
        files
            .entry(row.text("database_name")?)
            .or_default()
            .push(file);
    }
    Ok(files)
}

/// The history keeps the name that a statement gave, in whatever letters.
fn restored_by_database(answer: &Answer) -> Result<BTreeMap<String, LastRestored>, Fault> {
    let read = |row: Cells<'_>| -> Result<(String, LastRestored), Fault> {
        let name = row.text_or_null("backup_name")?.unwrap_or_default();
        let restored = LastRestored {
            piece: PieceId::of_backup_name(&name),
            last_lsn: row.lsn("last_lsn")?,
            stop_at_mark: row.text_or_null("stop_at_mark_name")?,
        };
        Ok((row.text("database_name")?.to_lowercase(), restored))
    };
    rows::set(answer, 0).map(read).collect()
}

/// A server that does not say where a volume is mounted (Linux) still says how much is free where a file lies.
async fn volumes_of(session: SqlSession) -> Result<(SqlSession, Vec<Volume>)> {
    let (session, answer) = session.ask(&volumes_sql()).await?;
    let mut volumes = BTreeMap::new();
    let mut read = || -> Result<(), Fault> {
        for row in rows::set(&answer, 0) {
            let mount = row.text_or_null("volume_mount_point")?;
            let root = root_of(mount, &row.text("physical_name")?);
            let free_bytes = u64::try_from(row.long("available_bytes")?).unwrap_or(0);
            if !root.is_empty() {
                volumes.insert(root, free_bytes);
            }
        }
        Ok(())
    };
    read().map_err(|fault| fault.at(session.host()))?;
    let volumes = volumes.into_iter();
    let volumes = volumes.map(|(root, free_bytes)| Volume { root, free_bytes });
    Ok((session, volumes.collect()))
}

/// Where a volume is mounted; where the server does not say, the folder of the file that lies there.
pub(super) fn root_of(mount: Option<String>, file: &str) -> String {
    let folder = || file.rfind(['/', '\\']).map_or("", |at| &file[..=at]);
    let mount = mount.filter(|root| !root.is_empty());
    mount.unwrap_or_else(|| folder().to_owned())
}

/// What an instance says of itself, as columns.
pub(super) const IDENTITY: &str =
    "CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) AS true_name,
    CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,
    CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS edition,
    CAST(SERVERPROPERTY('Collation') AS nvarchar(128)) AS collation";

fn identity_sql() -> Batch {
    Batch::plain(format!(
        "SELECT {IDENTITY},\n    \
         CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(512)) AS data_folder,\n    \
         CAST(SERVERPROPERTY('InstanceDefaultLogPath') AS nvarchar(512)) AS log_folder;"
    ))
}

fn databases_sql() -> Batch {
    Batch::plain(
        "SELECT d.name, d.state_desc, d.is_in_standby, d.recovery_model_desc,\n    \
         g.name AS availability_group\n\
         FROM sys.databases AS d\n\
         LEFT JOIN sys.availability_replicas AS a ON a.replica_id = d.replica_id\n\
         LEFT JOIN sys.availability_groups AS g ON g.group_id = a.group_id\n\
         ORDER BY d.name;",
    )
}

/// The databases of availability groups whose primary replica this host has.
fn primary_sql() -> Batch {
    Batch::plain(
        "IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1\n\
         SELECT d.name FROM sys.databases AS d\n\
         INNER JOIN sys.dm_hadr_availability_replica_states AS s ON s.replica_id = d.replica_id\n\
         WHERE s.is_local = 1 AND s.role_desc = N'PRIMARY';",
    )
}

fn files_sql() -> Batch {
    Batch::plain(
        "SELECT d.name AS database_name, f.name, f.physical_name, CAST(f.type AS int) AS type,\n    \
         CAST(f.size AS bigint) * 8192 AS size_bytes,\n    \
         CAST(f.redo_start_lsn AS varchar(30)) AS redo_start_lsn\n\
         FROM sys.master_files AS f\n\
         INNER JOIN sys.databases AS d ON d.database_id = f.database_id\n\
         ORDER BY d.name, f.file_id;",
    )
}

/// BizTalk's table of a destination; nothing on other hosts.
fn shipping_sql() -> Batch {
    Batch::plain(
        "IF OBJECT_ID(N'master.dbo.bts_LogShippingDatabases') IS NOT NULL\n    \
         AND HAS_PERMS_BY_NAME(N'master.dbo.bts_LogShippingDatabases', N'OBJECT', N'SELECT') = 1\n\
         SELECT CAST(COUNT(*) AS int) AS databases, CAST(COUNT(l.DBFileLocation) AS int) AS moved_data,\n    \
         CAST(COUNT(l.LogFileLocation) AS int) AS moved_logs\n\
         FROM master.dbo.bts_LogShippingDatabases AS l;",
    )
}

/// The newest restore of each database.
fn restored_sql() -> Batch {
    Batch::plain(
        "IF HAS_PERMS_BY_NAME(N'msdb.dbo.restorehistory', N'OBJECT', N'SELECT') = 1\n    \
         AND HAS_PERMS_BY_NAME(N'msdb.dbo.backupset', N'OBJECT', N'SELECT') = 1\n\
         SELECT h.destination_database_name AS database_name, s.name AS backup_name,\n    \
         CAST(s.last_lsn AS varchar(30)) AS last_lsn, h.stop_at_mark_name\n\
         FROM msdb.dbo.restorehistory AS h\n\
         INNER JOIN msdb.dbo.backupset AS s ON s.backup_set_id = h.backup_set_id\n\
         INNER JOIN (SELECT MAX(r.restore_history_id) AS newest\n    \
         FROM msdb.dbo.restorehistory AS r WHERE r.restore_type <> 'V'\n    \
         GROUP BY r.destination_database_name) AS n ON n.newest = h.restore_history_id;",
    )
}

fn volumes_sql() -> Batch {
    Batch::plain(
        "IF HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW SERVER STATE') = 1\n\
         SELECT f.physical_name, v.volume_mount_point,\n    \
         CAST(v.available_bytes AS bigint) AS available_bytes\n\
         FROM sys.master_files AS f\n\
         CROSS APPLY sys.dm_os_volume_stats(f.database_id, f.file_id) AS v;",
    )
}

/// The texts of this file.
pub(super) fn statements(_sample: &Sample) -> Vec<(&'static str, Batch)> {
    vec![
        ("target.identity", identity_sql()),
        ("target.databases", databases_sql()),
        ("target.primary", primary_sql()),
        ("target.files", files_sql()),
        ("target.shipping", shipping_sql()),
        ("target.restored", restored_sql()),
        ("target.volumes", volumes_sql()),
    ]
}
