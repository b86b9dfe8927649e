//! Asks one database for its facts: what marks need in it, the rights in it, its backups, its newest mark.
//!
//! Start at [`look_inside`]. The proof after a restore is `proof`'s.
//!
//! This file only reads, and enters no database that is not online.

use super::every::Sample;
use super::fault::Fault;
use super::quote::{identifier, literal};
use super::rows::{self, Cells};
use super::session::{Answer, SqlSession};
use super::statement::Batch;
use super::{history, proof, rights, settings};
use crate::config::MarkLogKind;
use crate::error::Result;
use crate::model::DatabaseName;
use crate::survey::{BackupRow, MarkLogFacts, MemberFacts, MemberState, RecoveryModel};

/// The facts that `sys.databases` knows; size, marks and history come after.
pub(super) fn state(row: Cells<'_>) -> Result<MemberFacts, Fault> {
    Ok(MemberFacts {
        state: match row.text("state_desc")?.as_str() {
            "ONLINE" => MemberState::Online,
            "RESTORING" => MemberState::Restoring,
            _ => MemberState::Unusable,
        },
        recovery_model: recovery_model(&row.text("recovery_model_desc")?)?,
        is_read_only: row.flag("is_read_only")?,
        database_guid: row.guid_or_null("database_guid")?,
        family_guid: row.guid_or_null("family_guid")?,
        recovery_fork_guid: row.guid_or_null("recovery_fork_guid")?,
        last_log_backup_lsn: history::present(row.lsn_or_null("last_log_backup_lsn")?),
        differential_base_guid: None,
        availability_group: row.text_or_null("availability_group")?,
        size_bytes: 0,
        mark_log: MarkLogFacts {
            has_table: false,
            has_procedure: false,
            has_remote_procedure: false,
            newest: None,
            blocks_tracking: false,
        },
        history: Vec::new(),
        reported: Vec::new(),
        asked_at: None,
        replica: None,
        seeding: None,
        settings: Some(settings::read(row)?),
    })
}

/// A recovery model by SQL Server's word.
pub(super) fn recovery_model(word: &str) -> Result<RecoveryModel, Fault> {
    match word {
        "FULL" => Ok(RecoveryModel::Full),
        "BULK_LOGGED" => Ok(RecoveryModel::BulkLogged),
        "SIMPLE" => Ok(RecoveryModel::Simple),
        other => Err(Fault::Shape(format!("`{other}` is no recovery model"))),
    }
}

/// The member's newest backups; `offset_minutes` is the host's.
pub(super) async fn history(
    session: SqlSession,
    name: &DatabaseName,
    offset_minutes: i16,
) -> Result<(SqlSession, Vec<BackupRow>)> {
    let (session, answer) = session.ask(&history::backups_sql(name)).await?;
    let history = history::backup_rows(rows::set(&answer, 0), offset_minutes)
        .map_err(|fault| fault.at(session.host()).at("database", name))?;
    Ok((session, history))
}

/// Completes the facts of a member that is online and may be entered; the rights that are missing in it.
pub(super) async fn look_inside(
    session: SqlSession,
    name: &DatabaseName,
    facts: &mut MemberFacts,
    mark_log: MarkLogKind,
) -> Result<(SqlSession, Vec<String>)> {
    let (session, answer) = session.ask(&inside_sql(name, mark_log)).await?;
    let missing = inside(&answer, name, facts)
        .map_err(|fault| fault.at(session.host()).at("database", name))?;
    Ok((session, missing))
}

fn inside(
    answer: &Answer,
    name: &DatabaseName,
    facts: &mut MemberFacts,
) -> Result<Vec<String>, Fault> {
    let row = rows::only(answer)?;
    facts.size_bytes = u64::try_from(row.long("size_bytes")?).unwrap_or(0);
    facts.differential_base_guid = row.guid_or_null("differential_base_guid")?;
    facts.mark_log = MarkLogFacts {
        has_table: row.int("has_table")? == 1,
        has_procedure: row.int("has_procedure")? == 1,
        has_remote_procedure: row.int("has_remote_procedure")? == 1,
        newest: proof::newest(answer, 3)?,
        blocks_tracking: row.int("blocks_tracking")? == 1,
    };
    if let Some(settings) = &mut facts.settings {
        settings.users = settings::users(answer, 2)?;
    }
    let held = rows::set(answer, 1)
        .map(|row| row.text("permission_name"))
        .collect::<Result<Vec<_>, _>>()?;
    let missing = rights::in_member().filter(|right| !held.iter().any(|held| held == right));
    Ok(missing
        .map(|right| format!("{right} in `{name}`"))
        .collect())
}

/// Where a kind of mark log keeps its things, as names for `OBJECT_ID` and as quoted names.
struct MarkLogNames {
    table: &'static str,
    procedure: &'static str,
    remote_procedure: &'static str,
    newest: &'static str,
    /// Where the decoder of BizTalk's tracking database is held still.
    blocks: Option<&'static str>,
    /// The column without which the table is no mark log.
    column: &'static str,
}

const fn names(kind: MarkLogKind) -> MarkLogNames {
    match kind {
        MarkLogKind::Stopmark => MarkLogNames {
            table: "stopmark.MarkLog",
            procedure: "stopmark.SetMark",
            remote_procedure: "stopmark.SetMarkRemote",
            newest: "SELECT TOP (1) l.mark_name FROM [stopmark].[MarkLog] AS l ORDER BY l.id DESC;",
            blocks: None,
            column: "mark_name",
        },
        // BizTalk's table has neither key nor order: the one whose stamp, the last 23 characters, is greatest may
        // be the newest. Rows that are no stamped mark do not count.
        MarkLogKind::BizTalk => MarkLogNames {
            table: "dbo.MarkLog",
            procedure: "dbo.sp_SetMark",
            remote_procedure: "dbo.sp_SetMarkRemote",
            newest: "SELECT TOP (1) l.MarkName AS mark_name FROM [dbo].[MarkLog] AS l\n\
                     WHERE l.MarkName LIKE N'%[_]____[_]__[_]__[_]__[_]__[_]__[_]___'\n\
                     ORDER BY RIGHT(l.MarkName, 23) DESC;",
            blocks: Some("dbo.TDDS_BlockTDDS"),
            column: "MarkName",
        },
    }
}

/// One look inside a database: mark log and size, rights, newest mark (only where it may be read).
fn inside_sql(database: &DatabaseName, kind: MarkLogKind) -> Batch {
    let names = names(kind);
    let has = |object: &str| {
        format!(
            "CASE WHEN OBJECT_ID(N'{object}', N'P') IS NOT NULL\n        \
             AND HAS_PERMS_BY_NAME(N'{object}', N'OBJECT', N'EXECUTE') = 1 THEN 1 ELSE 0 END"
        )
    };
    let rights: Vec<_> = rights::in_member()
        .map(|right| format!("N'{right}'"))
        .collect();
    Batch::plain(format!(
        "USE {database};\n\
         SELECT CASE WHEN COL_LENGTH(N'{table}', N'{column}') IS NULL THEN 0 ELSE 1 END AS has_table,\n    \
         {blocks} AS blocks_tracking,\n    \
         {procedure} AS has_procedure,\n    \
         {remote_procedure} AS has_remote_procedure,\n    \
         (SELECT SUM(CAST(f.size AS bigint)) * 8192 FROM sys.database_files AS f) AS size_bytes,\n    \
         (SELECT f.differential_base_guid FROM sys.database_files AS f WHERE f.file_id = 1)\n        \
         AS differential_base_guid;\n\
         SELECT p.permission_name FROM sys.fn_my_permissions(NULL, N'DATABASE') AS p\n\
         WHERE p.permission_name IN ({rights});\n\
         {users}\n\
         IF COL_LENGTH(N'{table}', N'{column}') IS NOT NULL\n    \
         AND HAS_PERMS_BY_NAME(N'{table}', N'OBJECT', N'SELECT') = 1\n\
         EXEC ({newest});",
        database = identifier(database.as_str()),
        table = names.table,
        procedure = has(names.procedure),
        remote_procedure = has(names.remote_procedure),
        rights = rights.join(", "),
        column = names.column,
        blocks = names.blocks.map_or_else(|| "0".to_owned(), has),
        users = settings::users_sql(),
        // A text of its own: a batch that names a column which is not there is refused before it begins.
        newest = literal(names.newest),
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let database = sample.database_name();
    vec![
        (
            "member.inside",
            inside_sql(&database, MarkLogKind::Stopmark),
        ),
        (
            "member.inside_biztalk",
            inside_sql(&database, MarkLogKind::BizTalk),
        ),
    ]
}
