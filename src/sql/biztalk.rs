//! Reads what a BizTalk management database says of its group beside the list: history, settings, job.
//!
//! Start at [`biztalk_facts`]. What is missing there is a fact of its own, found before anything needs it.
//!
//! This file only reads.

use async_trait::async_trait;

use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::rows;
use super::session::{Answer, SqlSession};
use super::statement::{Batch, Parameter};
use super::{SqlFleet, backup_history, discover};
use crate::error::{Error, Result};
use crate::model::{DatabaseName, HostName, PieceKind};
use crate::plan::{TrimHistory, WriteHistory};
use crate::survey::{BackupJobFacts, BizTalkFacts, HistoryRowFacts};
use crate::world::{BizTalk, OldHistory};

/// What must be there, its kind in `sys.objects`, and the rights that are needed in it.
const NEEDED: &[(&str, &str, &[&str])] = &[
    (
        "adm_BackupHistory",
        "U",
        &["SELECT", "INSERT", "UPDATE", "DELETE"],
    ),
    ("adm_BackupSettings", "U", &["SELECT", "UPDATE"]),
    ("sp_GetNextBackupSetId", "P", &["EXECUTE"]),
    ("sp_MarkBTSLogs", "P", &["EXECUTE"]),
    ("sp_GetBackupHistory", "P", &[]),
];

/// Columns that were not always there, or that a half-done upgrade leaves out.
const COLUMNS: &[(&str, &str)] = &[
    ("adm_BackupHistory", "ServerName"),
    ("adm_BackupHistory", "SetComplete"),
    ("adm_BackupSettings", "ForceFull"),
];

#[async_trait]
impl BizTalk for SqlFleet {
    async fn biztalk_members(
        &self,
        host: &HostName,
        database: &DatabaseName,
    ) -> Result<Vec<(String, DatabaseName)>> {
        discover::biztalk_members(self, host, database).await
    }

    async fn biztalk_facts(
        &self,
        host: &HostName,
        database: &DatabaseName,
    ) -> Result<BizTalkFacts> {
        biztalk_facts(self, host, database).await
    }

    async fn write_backup_history(&self, host: &HostName, step: &WriteHistory) -> Result<()> {
        backup_history::write(self, host, step).await
    }

    async fn old_backup_history(
        &self,
        host: &HostName,
        step: &TrimHistory,
    ) -> Result<Option<OldHistory>> {
        backup_history::old(self, host, step).await
    }

    async fn trim_backup_history(
        &self,
        host: &HostName,
        database: &DatabaseName,
        old: &OldHistory,
    ) -> Result<()> {
        backup_history::trim(self, host, database, old).await
    }
}

/// Everything but the list, which [`super::discover`] reads.
async fn biztalk_facts(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
) -> Result<BizTalkFacts> {
    let at_database = |error: Error| error.at("database", database);
    let session = fleet.open(host).await.map_err(at_database)?;
    let (session, mut facts) = objects(session, database).await.map_err(at_database)?;
    let session = if facts.missing.is_empty() {
        history(session, database, &mut facts)
            .await
            .map_err(at_database)?
    } else {
        session
    };
    facts.jobs = jobs(session, database).await.map_err(at_database)?;
    Ok(facts)
}

async fn objects(
    session: SqlSession,
    database: &DatabaseName,
) -> Result<(SqlSession, BizTalkFacts)> {
    let (session, answer) = session.ask(&objects_sql(database)).await?;
    let missing: Result<Vec<String>, Fault> = rows::set(&answer, 0)
        .map(|row| row.text("missing"))
        .collect();
    let missing = missing.map_err(|fault| fault.at(session.host()))?;
    let (session, answer) = session.ask(&secondary_sql(database)).await?;
    let is_secondary = rows::only(&answer)
        .and_then(|row| row.int("is_secondary"))
        .map_err(|fault| fault.at(session.host()))?;
    let facts = BizTalkFacts {
        is_secondary: is_secondary == 1,
        missing,
        ..BizTalkFacts::default()
    };
    Ok((session, facts))
}

async fn history(
    session: SqlSession,
    database: &DatabaseName,
    facts: &mut BizTalkFacts,
) -> Result<SqlSession> {
    let (session, answer) = session.ask(&history_sql(database)).await?;
    fill(&answer, facts).map_err(|fault| fault.at(session.host()))?;
    Ok(session)
}

fn fill(answer: &Answer, facts: &mut BizTalkFacts) -> Result<(), Fault> {
    let row = rows::only(answer)?;
    facts.force_full = row.int("force_full")? == 1;
    facts.newest_full_set = row.long("newest_full_set")?;
    facts.newest_partial_set = row.long("newest_partial_set")?;
    let newest = rows::set(answer, 1).map(|row| {
        Ok(HistoryRowFacts {
            server: row.text_or_null("server_name")?.unwrap_or_default(),
            database: row.text("database_name")?,
            kind: match row.text("backup_type")?.trim() {
                "lg" => PieceKind::Log,
                _ => PieceKind::Full,
            },
            file: row.text("file_name")?,
            folder: row.text("folder")?,
        })
    });
    facts.newest_rows = newest.collect::<Result<_, Fault>>()?;
    Ok(())
}

/// The jobs with a step in the management database that calls its backup procedures; none where the login may not see
/// them. The Agent's tables are not there on every edition.
async fn jobs(session: SqlSession, database: &DatabaseName) -> Result<Vec<BackupJobFacts>> {
    let (session, answer) = session.ask(&may_see_jobs_sql()).await?;
    let may_see = rows::only(&answer)
        .and_then(|row| row.int("may_see"))
        .map_err(|fault| fault.at(session.host()))?;
    if may_see != 1 {
        return Ok(Vec::new());
    }
    let (session, answer) = session.ask(&jobs_sql(database)).await?;
    let mut jobs: Vec<BackupJobFacts> = Vec::new();
    for row in rows::set(&answer, 0) {
        let read = || {
            Ok((
                row.text("job_name")?,
                row.int("is_enabled")? == 1,
                row.text("command")?,
            ))
        };
        let (name, is_enabled, command) =
            read().map_err(|fault: Fault| fault.at(session.host()))?;
        match jobs.iter_mut().find(|job| job.name == name) {
            Some(job) => job.commands.push(command),
            None => jobs.push(BackupJobFacts {
                name,
                is_enabled,
                commands: vec![command],
            }),
        }
    }
    let backs_up = |command: &String| {
        let command = command.to_lowercase();
        command.contains("sp_backupallfull") || command.contains("sp_markall")
    };
    jobs.retain(|job| job.commands.iter().any(backs_up));
    Ok(jobs)
}

/// The function says nothing of a database that is in no group.
fn secondary_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT CASE WHEN sys.fn_hadr_is_primary_replica(@P1) = 0 THEN 1 ELSE 0 END AS is_secondary;",
        [Parameter::text(database.as_str())],
    )
}

fn objects_sql(database: &DatabaseName) -> Batch {
    let mut parts = Vec::new();
    for (object, kind, rights) in NEEDED {
        parts.push(format!(
            "SELECT N'{object}' AS missing WHERE OBJECT_ID(N'dbo.{object}', N'{kind}') IS NULL"
        ));
        for right in *rights {
            parts.push(format!(
                "SELECT N'the right to {right} on {object}' AS missing\n    \
                 WHERE OBJECT_ID(N'dbo.{object}', N'{kind}') IS NOT NULL\n    \
                 AND HAS_PERMS_BY_NAME(N'dbo.{object}', N'OBJECT', N'{right}') = 0"
            ));
        }
    }
    for (table, column) in COLUMNS {
        parts.push(format!(
            "SELECT N'{table}.{column}' AS missing WHERE OBJECT_ID(N'dbo.{table}', N'U') IS NOT NULL\n    \
             AND COL_LENGTH(N'dbo.{table}', N'{column}') IS NULL"
        ));
    }
    Batch::plain(format!(
        "USE {};\n{};",
        identifier(database.as_str()),
        parts.join("\nUNION ALL\n")
    ))
}

fn history_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "USE {};\n\
         SELECT ISNULL((SELECT MAX(CAST(s.ForceFull AS int)) FROM dbo.adm_BackupSettings AS s), 0) AS force_full,\n    \
         CAST(ISNULL((SELECT MAX(h.BackupSetId) FROM dbo.adm_BackupHistory AS h\n        \
         WHERE h.BackupType = 'db' AND h.SetComplete = 1), 0) AS bigint) AS newest_full_set,\n    \
         CAST(ISNULL((SELECT MAX(h.BackupSetId) FROM dbo.adm_BackupHistory AS h\n        \
         WHERE h.SetComplete = 0), 0) AS bigint) AS newest_partial_set;\n\
         SELECT CAST(h.ServerName AS nvarchar(128)) AS server_name,\n    \
         CAST(h.DatabaseName AS nvarchar(128)) AS database_name,\n    \
         CAST(h.BackupType AS nvarchar(2)) AS backup_type,\n    \
         CAST(h.BackupFileName AS nvarchar(500)) AS file_name,\n    \
         CAST(h.BackupFileLocation AS nvarchar(3000)) AS folder\n\
         FROM dbo.adm_BackupHistory AS h\n\
         WHERE h.BackupId IN (SELECT MAX(n.BackupId) FROM dbo.adm_BackupHistory AS n\n    \
         GROUP BY n.DatabaseName, n.ServerName)\n\
         ORDER BY h.BackupId;",
        identifier(database.as_str())
    ))
}

fn may_see_jobs_sql() -> Batch {
    Batch::plain(
        "SELECT CASE WHEN OBJECT_ID(N'msdb.dbo.sysjobs', N'U') IS NOT NULL\n    \
         AND HAS_PERMS_BY_NAME(N'msdb.dbo.sysjobs', N'OBJECT', N'SELECT') = 1\n    \
         AND HAS_PERMS_BY_NAME(N'msdb.dbo.sysjobsteps', N'OBJECT', N'SELECT') = 1\n    \
         THEN 1 ELSE 0 END AS may_see;",
    )
}

fn jobs_sql(database: &DatabaseName) -> Batch {
    Batch::with(
        "SELECT CAST(j.name AS nvarchar(128)) AS job_name, CAST(j.enabled AS int) AS is_enabled,\n    \
         CAST(s.command AS nvarchar(3200)) AS command\n\
         FROM msdb.dbo.sysjobs AS j\n\
         INNER JOIN msdb.dbo.sysjobsteps AS s ON s.job_id = j.job_id\n\
         WHERE s.subsystem = N'TSQL' AND s.database_name = @P1 AND s.command IS NOT NULL\n\
         ORDER BY j.name, s.step_id;",
        [Parameter::text(database.as_str())],
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    vec![
        ("biztalk.objects", objects_sql(&database)),
        ("biztalk.secondary", secondary_sql(&database)),
        ("biztalk.history", history_sql(&database)),
        ("biztalk.may_see_jobs", may_see_jobs_sql()),
        ("biztalk.jobs", jobs_sql(&database)),
    ]
}
