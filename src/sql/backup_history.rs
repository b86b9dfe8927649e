//! BizTalk's backup history: what was taken is written there, and what is too old is deleted.
//!
//! Start at [`write`]. Rows come one by one, and the set becomes complete last, all in one transaction and under the lock
//! that BizTalk's log-shipping readers take too: they see a set whole, or as one that never became so, or not at all,
//! whatever becomes of us meanwhile. Everything may run again; a set that was begun is found by the file of its first row.
//!
//! No file is touched here.

use super::SqlFleet;
use super::applock::{self, Wanted};
use super::every::Sample;
use super::fault::Fault;
use super::quote::identifier;
use super::rows;
use super::session::SqlSession;
use super::statement::{Batch, Parameter};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, PieceKind};
use crate::plan::{HistoryRow, HistorySet, TrimHistory, WriteHistory};
use crate::world::OldHistory;

/// Writes the sets; see [`crate::world::BizTalk::write_backup_history`].
pub(super) async fn write(fleet: &SqlFleet, host: &HostName, step: &WriteHistory) -> Result<()> {
    let at_database = |error: Error| error.at("database", &step.database);
    let wanted = Wanted {
        host,
        database: &step.database,
        resource: &step.app_lock,
        timeout_ms: step.timeout_ms,
    };
    let lock = applock::take(fleet, wanted).await?;
    let written = write_sets(fleet, host, step).await;
    applock::release(lock, &step.app_lock).await;
    written.map_err(at_database)
}

async fn write_sets(fleet: &SqlFleet, host: &HostName, step: &WriteHistory) -> Result<()> {
    // A connection that ends before the commit takes everything back.
    let (mut session, _) = fleet.open(host).await?.ask(&begin_sql()).await?;
    let mut whole = Vec::new();
    for set in step.sets.iter().filter(|set| !set.rows.is_empty()) {
        let id;
        (session, id) = write_rows(session, &step.database, set).await?;
        if set.is_whole {
            whole.push((id, set.rows.len()));
        }
    }
    for (id, count) in whole {
        session = complete(session, &step.database, &id, count).await?;
    }
    if !step.answers.is_empty() {
        session = session.ask(&answer_force_full_sql(&step.database)).await?.0;
    }
    session.ask(&commit_sql()).await?;
    Ok(())
}

async fn write_rows(
    session: SqlSession,
    database: &DatabaseName,
    set: &HistorySet,
) -> Result<(SqlSession, String)> {
    let (mut session, answer) = session.ask(&set_id_sql(database, &set.rows[0])).await?;
    let id = rows::only(&answer)
        .and_then(|row| row.text("set_id"))
        .map_err(|fault| fault.at(session.host()))?;
    if id.starts_with('-') {
        // `sp_GetNextBackupSetId` returns -1 where its table does not hold exactly one row.
        let message = "BizTalk gives no number for the next backup set";
        return Err(Error::new(Code::BizTalkUnfit, message)
            .at("host", session.host())
            .hint("`adm_BackupSetId` must hold exactly one row"));
    }
    for row in &set.rows {
        session = session.ask(&row_sql(database, &id, set, row)).await?.0;
    }
    Ok((session, id))
}

async fn complete(
    session: SqlSession,
    database: &DatabaseName,
    id: &str,
    count: usize,
) -> Result<SqlSession> {
    let (session, answer) = session.ask(&complete_sql(database, id)).await?;
    let found = rows::only(&answer)
        .and_then(|row| row.int("completed"))
        .map_err(|fault| fault.at(session.host()))?;
    if usize::try_from(found).is_ok_and(|found| found == count) {
        return Ok(session);
    }
    let text =
        format!("set {id} of the backup history has {found} rows where {count} were written");
    Err(Fault::Shape(text).at(session.host()))
}

/// What is too old; see [`crate::world::BizTalk::old_backup_history`].
pub(super) async fn old(
    fleet: &SqlFleet,
    host: &HostName,
    step: &TrimHistory,
) -> Result<Option<OldHistory>> {
    let at_database = |error: Error| error.at("database", &step.database);
    let session = fleet.open(host).await.map_err(at_database)?;
    let asked = session.ask(&old_sql(step)).await;
    let (_, answer) = asked.map_err(at_database)?;
    let read = || -> Result<Option<OldHistory>, Fault> {
        let Some(before_set) = rows::only(&answer)?.text_or_null("keep")? else {
            return Ok(None);
        };
        let files = rows::set(&answer, 1).map(|row| Ok((row.text("folder")?, row.text("name")?)));
        let files: Result<Vec<_>, Fault> = files.collect();
        Ok(Some(OldHistory {
            before_set,
            files: files?,
        }))
    };
    read().map_err(|fault| at_database(fault.at(host)))
}

/// Deletes it; see [`crate::world::BizTalk::trim_backup_history`].
pub(super) async fn trim(
    fleet: &SqlFleet,
    host: &HostName,
    database: &DatabaseName,
    old: &OldHistory,
) -> Result<()> {
    let at_database = |error: Error| error.at("database", database);
    let session = fleet.open(host).await.map_err(at_database)?;
    let trimmed = session.ask(&trim_sql(database, &old.before_set)).await;
    trimmed.map_err(at_database)?;
    Ok(())
}

fn begin_sql() -> Batch {
    Batch::plain("SET XACT_ABORT ON;\nBEGIN TRANSACTION;")
}

fn commit_sql() -> Batch {
    Batch::plain("COMMIT TRANSACTION;")
}

/// The set that its first row was written to, or the next number. Numbers travel as text, since they are `bigint`.
fn set_id_sql(database: &DatabaseName, first: &HistoryRow) -> Batch {
    let database = identifier(database.as_str());
    Batch::with(
        format!(
            "SET NOCOUNT ON;\n\
             DECLARE @id bigint, @next int;\n\
             SELECT @id = MAX(h.BackupSetId) FROM {database}.[dbo].[adm_BackupHistory] AS h\n\
             WHERE h.BackupFileLocation = @P1 AND h.BackupFileName = @P2;\n\
             IF @id IS NULL\n\
             BEGIN\n    \
                 EXEC @next = {database}.[dbo].[sp_GetNextBackupSetId];\n    \
                 SET @id = @next;\n\
             END;\n\
             SELECT CAST(@id AS nvarchar(20)) AS set_id;"
        ),
        [
            Parameter::text(first.folder.as_str()),
            Parameter::text(first.file.as_str()),
        ],
    )
}

fn row_sql(database: &DatabaseName, id: &str, set: &HistorySet, row: &HistoryRow) -> Batch {
    let table = table(database);
    let kind = match set.piece_kind {
        PieceKind::Full | PieceKind::Differential => "db",
        PieceKind::Log => "lg",
    };
    let mark = set.mark.as_ref().map_or("", |mark| mark.as_str());
    Batch::with(
        format!(
            "IF NOT EXISTS (SELECT 1 FROM {table} AS h WHERE h.BackupSetId = CAST(@P1 AS bigint)\n    \
             AND h.DatabaseName = @P3 AND h.ServerName = @P7)\n\
             INSERT INTO {table} (BackupSetId, MarkName, DatabaseName, BackupFileName,\n    \
             BackupFileLocation, BackupType, SetComplete, ServerName)\n\
             VALUES (CAST(@P1 AS bigint), NULLIF(@P2, N''), @P3, @P4, @P5, @P6, 0, @P7);"
        ),
        [
            Parameter::text(id),
            Parameter::text(mark),
            Parameter::text(row.database.as_str()),
            Parameter::text(row.file.as_str()),
            Parameter::text(row.folder.as_str()),
            Parameter::text(kind),
            Parameter::text(row.server.as_str()),
        ],
    )
}

fn complete_sql(database: &DatabaseName, id: &str) -> Batch {
    let table = table(database);
    Batch::with(
        format!(
            "UPDATE {table} SET SetComplete = 1 WHERE BackupSetId = CAST(@P1 AS bigint);\n\
             SELECT CAST(@@ROWCOUNT AS int) AS completed;"
        ),
        [Parameter::text(id)],
    )
}

fn answer_force_full_sql(database: &DatabaseName) -> Batch {
    Batch::plain(format!(
        "UPDATE {}.[dbo].[adm_BackupSettings] SET ForceFull = 0;",
        identifier(database.as_str())
    ))
}

/// What is kept begins at the newest complete set of fulls that is too old itself: everything after it needs it.
fn old_sql(step: &TrimHistory) -> Batch {
    let table = table(&step.database);
    Batch::with(
        format!(
            "SET NOCOUNT ON;\n\
             DECLARE @keep bigint;\n\
             SELECT @keep = MAX(h.BackupSetId) FROM {table} AS h\n\
             WHERE h.BackupType = 'db' AND h.SetComplete = 1\n    \
             AND h.BackupDateTime < DATEADD(minute, -@P1, GETDATE());\n\
             SELECT CAST(@keep AS nvarchar(20)) AS [keep];\n\
             SELECT CAST(h.BackupFileLocation AS nvarchar(3000)) AS folder,\n    \
             CAST(h.BackupFileName AS nvarchar(500)) AS name\n\
             FROM {table} AS h WHERE h.BackupSetId < @keep\n\
             ORDER BY h.BackupId;"
        ),
        [Parameter::Int(step.keep_minutes)],
    )
}

fn trim_sql(database: &DatabaseName, before_set: &str) -> Batch {
    let table = table(database);
    Batch::with(
        format!("DELETE FROM {table} WHERE BackupSetId < CAST(@P1 AS bigint);"),
        [Parameter::text(before_set)],
    )
}

fn table(database: &DatabaseName) -> String {
    format!(
        "{}.[dbo].[adm_BackupHistory]",
        identifier(database.as_str())
    )
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    let row = HistoryRow {
        piece: crate::model::PieceId(uuid::Uuid::nil()),
        server: sample.host.clone(),
        database: database.clone(),
        folder: sample.folder.clone(),
        file: "Ledger_log.bak".to_owned(),
    };
    let set = HistorySet {
        piece_kind: PieceKind::Log,
        mark: "BTS_2026_11_21_02_00_00_007".parse().ok(),
        is_whole: true,
        rows: vec![row.clone()],
    };
    let trim = TrimHistory {
        database: database.clone(),
        keep_minutes: 14 * 24 * 60,
        folders: Vec::new(),
    };
    vec![
        ("backup_history.begin", begin_sql()),
        ("backup_history.commit", commit_sql()),
        ("backup_history.set_id", set_id_sql(&database, &row)),
        ("backup_history.row", row_sql(&database, "7", &set, &row)),
        ("backup_history.complete", complete_sql(&database, "7")),
        ("backup_history.answer", answer_force_full_sql(&database)),
        ("backup_history.old", old_sql(&trim)),
        ("backup_history.trim", trim_sql(&database, "7")),
    ]
}
